/* platform.c -- what XS asks of its platform: memory, aborts, jobs, modules, no debugger.
 *
 * Behaviour that a vat, a snapshot or an exit code can show is that of the stock worker
 * (xsnapPlatform.c of @agoric/xsnap): sizes asked for, order of calls into XS, texts.
 */
#include "engine/xs_api.h"

#include "engine/xs_platform.h"

/* -- memory ------------------------------------------------------------------ */

/* The stock worker's limit on slots and chunks together, and on chunks alone. */
#define ALLOCATION_LIMIT (2 * (size_t)MEMORY_GIB)
#define CHUNKS_RESERVED  ((txSize)MEMORY_GIB)

/* Everything ever allocated counts; nothing is given back (nor is it by the stock worker). */
static void charge_space(txMachine *the, txSize size)
{
    size_t before = the->allocatedSpace;
    the->allocatedSpace += (size_t)size;
    if (the->allocatedSpace > the->allocationLimit || the->allocatedSpace < before)
        fxAbort(the, XS_NOT_ENOUGH_MEMORY_EXIT);
}

static txSize round_to_page(txMachine *the, txSize size)
{
    txSize over = size & (MEMORY_PAGE - 1);
    return over == 0 ? size : fxAddChunkSizes(the, size, MEMORY_PAGE - over);
}

/* XS has one chunk block, which grows in place: always the bytes behind its limit. */
void *fxAllocateChunks(txMachine *the, txSize size)
{
    charge_space(the, size);
    txByte *base = (txByte *)MEMORY_CHUNKS;
    txByte *result = the->firstBlock != NULL ? the->firstBlock->limit : base;
    txSize end = round_to_page(the, fxAddChunkSizes(the, (txSize)(result - base), size));
    if (end > CHUNKS_RESERVED) return NULL;
    return memory_chunks_extend(MEMORY_CHUNKS + (uint64_t)end) == 0 ? result : NULL;
}

/* Only a machine that is being deleted frees these; its process then ends. */
void fxFreeChunks(txMachine *the, void *chunks)
{
    (void)the;
    (void)chunks;
}

txSlot *fxAllocateSlots(txMachine *the, txSize count)
{
    charge_space(the, (txSize)((size_t)count * sizeof(txSlot)));
    return memory_slots((size_t)count * sizeof(txSlot));
}

void fxFreeSlots(txMachine *the, void *slots)
{
    (void)the;
    (void)slots;
}

void fxCreateMachinePlatform(txMachine *the)
{
    the->connection = mxNoSocket;
    the->allocationLimit = ALLOCATION_LIMIT;
}

void fxDeleteMachinePlatform(txMachine *the)
{
    (void)the;
}

txSize fxGetCurrentHeapCount(txMachine *the)
{
    return the->currentHeapCount;
}

txUnsigned fxGetCurrentMeter(txMachine *the)
{
    return the->meterIndex;
}

void fxSetCurrentMeter(txMachine *the, txUnsigned value)
{
    the->meterIndex = value;
}

void fxVersion(txString buffer, txSize size)
{
    snprintf(buffer, (size_t)size, "%d.%d.%d", XS_MAJOR_VERSION, XS_MINOR_VERSION,
             XS_PATCH_VERSION);
}

/* -- aborts ------------------------------------------------------------------ */

/* Call console.error(text, value on top of the stack), if the vat has a console.  The XS
 * calls are those of the stock worker, one by one: vat code can watch them. */
static void report_to_console(txMachine *the, const char *text)
{
    mxPush(mxException);
    txSlot *exception = the->stack;
    fxToString(the, &mxException);
    mxException = mxUndefined;
    mxTry(the)
    {
        mxOverflow(-8);
        mxPush(mxGlobal);
        fxGetID(the, fxFindName(the, (txString) "console"));
        fxCallID(the, fxFindName(the, (txString) "error"));
        mxPushStringC((txString)text);
        mxPushSlot(exception);
        fxRunCount(the, 2);
        mxPop();
    }
    mxCatch(the)
    {
        fprintf(stderr, "Unhandled exception %s\n", fxToString(the, exception));
    }
}

/* Leave the machine for good: serve.c finds abortStatus and ends the process. */
static void leave_machine(txMachine *the, int status)
{
    the->abortStatus = status;
    fxExitToHost(the);
}

void fxAbort(txMachine *the, int status)
{
    switch (status) {
    case XS_UNHANDLED_REJECTION_EXIT:
        report_to_console(the, "UnhandledPromiseRejectionWarning:");
        break;
    case XS_UNHANDLED_EXCEPTION_EXIT:
        report_to_console(the, "Unhandled exception:");
        leave_machine(the, status);
        break;
    case XS_STACK_OVERFLOW_EXIT:
    case XS_NOT_ENOUGH_MEMORY_EXIT:
    case XS_NO_MORE_KEYS_EXIT:
    case XS_TOO_MUCH_COMPUTATION_EXIT: leave_machine(the, status); break;
    default:
        fxToString(the, &mxException);
        leave_machine(the, status);
        break;
    }
}

/* -- jobs -------------------------------------------------------------------- */

/* One setImmediate.  `the` becomes NULL when it has run; the run loop then frees it. */
struct job {
    struct job *next;
    txMachine *the;
    txSlot self;
    txSlot function;
    txSlot argument;
};

/* A collected timer object leaves its job alone: the job list owns it. */
static void destroy_timer(void *data)
{
    (void)data;
}

static void mark_timer(txMachine *the, void *data, txMarkRoot mark_root)
{
    struct job *job = data;
    if (job == NULL) return;
    mark_root(the, &job->function);
    mark_root(the, &job->argument);
}

static txHostHooks timer_hooks = { .destructor = destroy_timer, .marker = mark_timer };

void fxSetTimer(txMachine *the, txNumber interval, txBoolean repeat)
{
    (void)interval; /* setImmediate is the only timer a vat has: 0, once */
    (void)repeat;
    struct job **end = (struct job **)&the->timerJobs;
    while (*end != NULL) end = &(*end)->next;
    struct job *job = memory_zalloc(1, sizeof *job);
    if (job == NULL) fxAbort(the, XS_NOT_ENOUGH_MEMORY_EXIT);
    *end = job;
    job->the = the;
    fxNewHostObject(the, NULL);
    mxPull(job->self);
    job->function = *mxArgv(0);
    job->argument = mxArgc > 2 ? *mxArgv(2) : mxUndefined;
    fxSetHostData(the, &job->self, job);
    fxSetHostHooks(the, &job->self, &timer_hooks);
    fxRemember(the, &job->self);
    fxAccess(the, &job->self);
    *mxResult = the->scratch;
}

static void retire_job(txMachine *the, struct job *job)
{
    fxAccess(the, &job->self);
    *mxResult = the->scratch;
    fxForget(the, &job->self);
    fxSetHostData(the, mxResult, NULL);
    job->the = NULL;
}

static void run_job(txMachine *the, struct job *job)
{
    fxBeginHost(the);
    mxTry(the)
    {
        mxPushUndefined();
        mxPush(job->function);
        mxCall();
        mxPush(job->argument);
        mxRunCount(1);
        mxPop();
        if (job->the != NULL) retire_job(the, job);
    }
    mxCatch(the)
    {
        retire_job(the, job);
        fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
    }
    fxEndHost(the);
}

/* Free the jobs that have run, up to the first that has not, and run that one. */
static void run_next_job(txMachine *the)
{
    struct job **first = (struct job **)&the->timerJobs;
    while (*first != NULL) {
        struct job *job = *first;
        if (job->the != NULL) {
            run_job(the, job);
            return;
        }
        *first = job->next;
        memory_free(job);
    }
}

void fxQueuePromiseJobs(txMachine *the)
{
    the->promiseJobs = 1;
}

/* Run until nothing is left to run.  Promise jobs go before each timer. */
void fxRunLoop(txMachine *the)
{
    for (;;) {
        while (the->promiseJobs) {
            the->promiseJobs = 0;
            fxRunPromiseJobs(the);
        }
        fxEndJob(the);
        if (the->promiseJobs) continue;
        if (the->timerJobs == NULL) break;
        run_next_job(the);
    }
    fxCheckUnhandledRejections(the, 1);
}

/* -- modules and programs from files ------------------------------------------ */

static void fulfill_module(txMachine *the)
{
    mxException = mxUndefined;
}

static void reject_module(txMachine *the)
{
    mxException = *mxArgv(0);
}

void fxRunModuleFile(txMachine *the, txString path)
{
    txSlot *realm = mxProgram.value.reference->next->value.module.realm;
    mxPushStringC(path);
    fxRunImport(the, realm, XS_NO_ID);
    mxDub();
    fxGetID(the, mxID(_then));
    mxCall();
    fxNewHostFunction(the, fulfill_module, 1, XS_NO_ID, XS_NO_ID);
    fxNewHostFunction(the, reject_module, 1, XS_NO_ID, XS_NO_ID);
    mxRunCount(2);
    mxPop();
}

struct source {
    txParser *parser;
    FILE *file;
};

/* Name and open one file of the source; the parser's jump if it is not there. */
static void open_source(struct source *s, txString path)
{
    txParser *parser = s->parser;
    s->file = fopen(path, "re");
    mxParserThrowElse(s->file);
    parser->path = fxNewParserSymbol(parser, path);
}

static void close_source(struct source *s)
{
    if (s->file != NULL) fclose(s->file);
    s->file = NULL;
}

/* The file at `path` relative to the one being parsed, absolute, in `real`. */
static void combine_source(txParser *parser, txString base, txString path, char *real)
{
    mxParserThrowElse(realpath(fxCombinePath(parser, base, path), real));
}

static void parse_source_map(struct source *s, txString path, txString map, txUnsigned flags)
{
    txParser *parser = s->parser;
    char real[C_PATH_MAX];
    txString name = NULL;
    combine_source(parser, path, map, real);
    open_source(s, real);
    fxParserSourceMap(parser, s->file, (txGetter)fgetc, flags, &name);
    close_source(s);
    if (parser->errorCount != 0 || name == NULL) return;
    char origin[C_PATH_MAX];
    combine_source(parser, real, name, origin);
    parser->path = fxNewParserSymbol(parser, origin);
}

static txScript *load_script(txMachine *the, txString path, txUnsigned flags)
{
    txParser parser;
    txParserJump jump;
    struct source source = { &parser, NULL };
    txScript *volatile script = NULL;
    fxInitializeParser(&parser, the, the->parserBufferSize, the->parserTableModulo);
    parser.firstJump = &jump;
    if (c_setjmp(jump.jmp_buf) == 0) {
        txString map = NULL;
        open_source(&source, path);
        fxParserTree(&parser, source.file, (txGetter)fgetc, flags, &map);
        close_source(&source);
        if (map != NULL) parse_source_map(&source, path, map, flags);
        fxParserHoist(&parser);
        fxParserBind(&parser);
        script = fxParserCode(&parser);
    }
    close_source(&source);
    fxTerminateParser(&parser);
    return script;
}

void fxRunProgramFile(txMachine *the, txString path)
{
    txSlot *realm = mxProgram.value.reference->next->value.module.realm;
    txScript *script = load_script(the, path, mxProgramFlag | mxDebugFlag);
    mxModuleInstanceInternal(mxProgram.value.reference)->value.module.id = fxID(the, path);
    fxRunScript(the, script, mxRealmGlobal(realm), C_NULL,
                mxRealmClosures(realm)->value.reference, C_NULL, mxProgram.value.reference);
    mxPullSlot(mxResult);
}

/* "./x" and "../x" are relative to the importing module, all else is a path by itself. */
txID fxFindModule(txMachine *the, txSlot *realm, txID module, txSlot *slot)
{
    char name[C_PATH_MAX];
    char path[C_PATH_MAX] = "";
    (void)realm;
    fxToStringBuffer(the, slot, name, sizeof name);
    int dots = strncmp(name, "./", 2) == 0 ? 1 : strncmp(name, "../", 3) == 0 ? 2 : 0;
    if (dots != 0) {
        if (module == XS_NO_ID) return XS_NO_ID;
        snprintf(path, sizeof path, "%s", fxGetKeyName(the, module));
        for (int up = 0; up < dots; up++) {
            char *slash = strrchr(path, mxSeparator);
            if (slash == NULL) return XS_NO_ID;
            *slash = '\0';
        }
    }
    size_t have = strlen(path);
    if (have + strlen(name + dots) >= sizeof path) mxRangeError((txString) "path too long");
    snprintf(path + have, sizeof path - have, "%s", name + dots);
    return fxNewNameC(the, path);
}

void fxLoadModule(txMachine *the, txSlot *module, txID id)
{
    char real[C_PATH_MAX];
    char path[C_PATH_MAX];
    snprintf(path, sizeof path, "%s", fxGetKeyName(the, id));
    if (realpath(path, real) == NULL) return;
    txScript *script = load_script(the, real, mxDebugFlag);
    if (script != NULL) fxResolveModule(the, module, id, script, C_NULL, C_NULL);
}

/* -- no debugger --------------------------------------------------------------- */

/* XS is built with mxDebug, which snapshots and messages depend on, but never connects:
 * XSBUG_HOST is not looked at. */
void fxConnect(txMachine *the)
{
    (void)the;
}

void fxDisconnect(txMachine *the)
{
    (void)the;
}

txBoolean fxIsConnected(txMachine *the)
{
    (void)the;
    return 0;
}

txBoolean fxIsReadable(txMachine *the)
{
    (void)the;
    return 0;
}

void fxReceive(txMachine *the)
{
    (void)the;
}

void fxSend(txMachine *the, txBoolean more)
{
    (void)the;
    (void)more;
}
