#include "engine/serve.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/channel.h"
#include "engine/exits.h"
#include "engine/hosts.h"
#include "engine/machine.h"
#include "engine/meter.h"
#include "engine/xs_platform.h"

/* What the last command that can throw left behind; it becomes the exit code. */
static int last_error;

/* Computrons of the last crank; 0 for commands that run nothing. */
static uint32_t last_computrons;

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXITS_IO_ERROR);
}

static void reply(struct span head, struct span body)
{
    if (channel_write(head, body) != CHANNEL_OK) die("Cannot write netstring");
}

/* ".{currentHeapCount, compute, allocate, timestamps}\1" and the body. */
static void reply_ok(xsMachine *the, struct span body)
{
    meter_times_note();
    struct span times = meter_times_render();
    struct buf head = { 0 };
    buf_printf(&head,
               ".{\"currentHeapCount\":%u,\"compute\":%u,\"allocate\":%u,\"timestamps\":",
               (unsigned)fxGetCurrentHeapCount(the), last_computrons,
               (unsigned)the->allocatedSpace);
    buf_put(&head, times);
    buf_puts(&head, "}\1");
    reply(buf_span(&head), body);
    buf_fini(&head);
}

static void begin_crank(xsMachine *the)
{
    fxSetCurrentMeter(the, 0);
    meter_set_limit(meter_crank_limit());
}

static void end_crank(xsMachine *the)
{
    meter_set_limit(0);
    last_computrons = fxGetCurrentMeter(the);
}

/* -- ? and e ------------------------------------------------------------------ */

/* xsVar(1) becomes what the call returned, or what it threw. */
static void call_vat(xsMachine *the, const struct buf *frame)
{
    char *argument = frame->p + 1;
    xsIntegerValue length = (xsIntegerValue)(frame->n - 1);
    xsTry {
        if (frame->p[0] == '?') {
            xsVar(0) = xsArrayBuffer(argument, length);
            xsVar(1) = xsCall1(xsGlobal, xsID("handleCommand"), xsVar(0));
        } else {
            xsVar(0) = xsStringBuffer(argument, length);
            xsVar(1) = xsCall1(xsGlobal, xsID("eval"), xsVar(0));
        }
    }
    xsCatch {
        if (xsTypeOf(xsException) != xsUndefinedType) {
            last_error = EXITS_UNHANDLED_EXCEPTION;
            xsVar(1) = xsException;
            xsException = xsUndefined;
        }
    }
}

/* The bytes of the ArrayBuffer that was returned, or that is its `result` property; empty
 * for anything else. */
static struct span find_result(xsMachine *the, char command)
{
    struct span volatile result = SPAN("");
    xsTry {
        if (xsTypeOf(xsVar(1)) == xsReferenceType && xsHas(xsVar(1), xsID("result")))
            xsVar(2) = xsGet(xsVar(1), xsID("result"));
        else
            xsVar(2) = xsVar(1);
        if (xsIsInstanceOf(xsVar(2), xsArrayBufferPrototype)) {
            result.n = (size_t)xsGetArrayBufferLength(xsVar(2));
            result.p = xsToArrayBuffer(xsVar(2));
        }
    }
    xsCatch {
        if (xsTypeOf(xsException) != xsUndefinedType) {
            fprintf(stderr, "%c computing response %d %d: %s: %s\n", command,
                    xsTypeOf(xsVar(1)), xsTypeOf(xsVar(2)), xsToString(xsVar(2)),
                    xsToString(xsException));
            xsException = xsUndefined;
        }
    }
    return (struct span){ result.p, result.n };
}

static struct span find_error(xsMachine *the)
{
    return span_of(xsToString(xsVar(1)));
}

/* Nothing may run in the machine between the end of the host frame and the reply: the
 * result's bytes lie in its chunks. */
static void serve_call(xsMachine *machine, const struct buf *frame)
{
    struct span volatile result = SPAN("");
    begin_crank(machine);
    last_error = 0;
    xsBeginHost(machine);
    xsVars(3);
    call_vat(the, frame);
    fxRunLoop(the);
    end_crank(the);
    struct span found = last_error != 0 ? find_error(the) : find_result(the, frame->p[0]);
    result.p = found.p;
    result.n = found.n;
    xsEndHost(machine);
    struct span body = { result.p, result.n };
    if (last_error != 0) reply(SPAN("!"), body);
    else reply_ok(machine, body);
}

/* -- s and m ------------------------------------------------------------------ */

static void serve_file(xsMachine *machine, const struct buf *frame)
{
    char *path = frame->p + 1;
    begin_crank(machine);
    xsBeginHost(machine);
    xsVars(1);
    xsTry {
        if (frame->p[0] == 'm') fxRunModuleFile(the, path);
        else fxRunProgramFile(the, path);
    }
    xsCatch {
        if (xsTypeOf(xsException) != xsUndefinedType) {
            fprintf(stderr, "%s\n", xsToString(xsException));
            last_error = EXITS_UNHANDLED_EXCEPTION;
            xsException = xsUndefined;
        }
    }
    xsEndHost(machine);
    fxRunLoop(machine);
    end_crank(machine);
    if (last_error != 0) reply(SPAN("!"), SPAN(""));
    else reply_ok(machine, SPAN(""));
}

/* -- w and I ------------------------------------------------------------------ */

static void serve_snapshot(xsMachine *the, const char *path)
{
    int bytes = 0;
    int error = machine_write(the, path, &bytes);
    if (error != 0) {
        fprintf(stderr, "cannot write snapshot %s: %s\n", path, strerror(error));
        exit(EXITS_IO_ERROR);
    }
    char text[16];
    int n = snprintf(text, sizeof text, "%d", bytes);
    reply_ok(the, (struct span){ text, (size_t)n });
}

static void serve_image(xsMachine *the, const char *path)
{
    uint64_t bytes;
    struct err e;
    if (machine_save(the, path, &bytes, &e)) {
        reply(SPAN("!"), span_of(e.text));
        return;
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    reply_ok(the, (struct span){ text, (size_t)n });
}

/* -- the loop ----------------------------------------------------------------- */

/* False: the kernel wants the worker to end. */
static bool serve_frame(xsMachine *the, struct buf *frame)
{
    switch (frame->n == 0 ? '\0' : frame->p[0]) {
    case 'R': reply(SPAN("."), SPAN("")); return true;
    case '+': /* '?' from a kernel that takes posted upcalls */
        frame->p[0] = '?';
        hosts_set_posting(true);
        serve_call(the, frame);
        hosts_set_posting(false);
        return true;
    case '?':
    case 'e': serve_call(the, frame); return true;
    case 's':
    case 'm': serve_file(the, frame); return true;
    case 'w': serve_snapshot(the, frame->p + 1); return true;
    case 'I': serve_image(the, frame->p + 1); return true;
    case 'q': return false;
    default:
        /* '/', '.' and '!' are frames of the other direction: never commands. */
        fprintf(stderr, "Unexpected prefix '%c' in command '%s'\n",
                frame->n == 0 ? ' ' : frame->p[0], frame->p);
        exit(EXITS_IO_ERROR);
    }
}

static void serve_loop(xsMachine *the)
{
    for (;;) {
        struct buf frame;
        meter_set_limit(0);
        last_computrons = 0;
        meter_times_reset();
        enum channel_result r = channel_read(&frame);
        meter_times_note();
        if (r == CHANNEL_EOF) return;
        if (r != CHANNEL_OK) die(channel_read_error());
        bool more = serve_frame(the, &frame);
        buf_fini(&frame);
        if (!more) return;
    }
}

/* An exception that was left in the machine, as the stock worker reports it. */
static void report_exception(xsMachine *machine)
{
    xsBeginHost(machine);
    if (xsTypeOf(xsException) != xsUndefinedType) {
        fprintf(stderr, "%s\n", xsToString(xsException));
        last_error = EXITS_UNHANDLED_EXCEPTION;
    }
    xsEndHost(machine);
}

static int exit_code(const xsMachine *the)
{
    switch (the->abortStatus) {
    case 0: return last_error;
    case XS_NOT_ENOUGH_MEMORY_EXIT: return EXITS_NOT_ENOUGH_MEMORY;
    case XS_STACK_OVERFLOW_EXIT: return EXITS_STACK_OVERFLOW;
    case XS_NO_MORE_KEYS_EXIT: return EXITS_NO_MORE_KEYS;
    case XS_TOO_MUCH_COMPUTATION_EXIT: return EXITS_TOO_MUCH_COMPUTATION;
    default: return EXITS_UNKNOWN;
    }
}

/* The outermost jump of the machine is here: an abort lands behind it. */
int serve(xsMachine *the, uint32_t interval)
{
    const volatile uint32_t step = interval == 0 && meter_crank_limit() != 0 ? 1 : interval;
    txJump outermost = {
        .nextJump = the->firstJump,
        .stack = the->stack,
        .scope = the->scope,
        .frame = the->frame,
        .code = the->code,
    };
    the->firstJump = &outermost;
    if (c_setjmp(outermost.buffer) == 0) {
        fxBeginMetering(the, hosts_meter_callback, step);
        serve_loop(the);
        report_exception(the);
        fxEndMetering(the);
    }
    the->firstJump = NULL;
    /* A delivery that was cut short: its syscalls were made nevertheless. */
    if (channel_flush() != CHANNEL_OK) die("Cannot write netstring");
    return exit_code(the);
}
