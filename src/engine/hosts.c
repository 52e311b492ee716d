/* hosts.c -- see hosts.h.
 *
 * The xs_ names and their being static matter: XS puts dladdr() names of host functions
 * into error texts, and the stock worker's are exactly these, unexported.
 */
#include "engine/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "engine/channel.h"
#include "engine/exits.h"
#include "engine/meter.h"
#include "engine/xs_platform.h"

/* XS's own data modules (moddable/modules/data). */
void xs_textdecoder(xsMachine *the);
void xs_textdecoder_decode(xsMachine *the);
void xs_textdecoder_get_encoding(xsMachine *the);
void xs_textdecoder_get_ignoreBOM(xsMachine *the);
void xs_textdecoder_get_fatal(xsMachine *the);
void xs_textencoder(xsMachine *the);
void xs_textencoder_encode(xsMachine *the);
void xs_textencoder_encodeInto(xsMachine *the);
void xs_base64_encode(xsMachine *the);
void xs_base64_decode(xsMachine *the);
void modInstallTextDecoder(xsMachine *the);
void modInstallTextEncoder(xsMachine *the);
void modInstallBase64(xsMachine *the);

static bool print_meter;

void hosts_set_print_meter(bool on)
{
    print_meter = on;
}

xsBooleanValue hosts_meter_callback(xsMachine *the, xsUnsignedValue computrons)
{
    (void)the;
    return meter_limit() == 0 || computrons <= meter_limit();
}

/* currentMeterLimit(): the limit in force, as an int32.  Not metered.  Never throws. */
static void xs_currentMeterLimit(xsMachine *the)
{
    xsResult = xsInteger((xsIntegerValue)meter_limit());
}

/* resetMeter(limit, used): returns what was used so far.  TypeError under two arguments. */
static void xs_resetMeter(xsMachine *the)
{
    if (xsToInteger(xsArgc) < 2) xsTypeError("expected newMeterLimit, newMeterIndex");
    xsResult = xsInteger((xsIntegerValue)fxGetCurrentMeter(the));
    meter_set_limit((uint32_t)xsToInteger(xsArg(0)));
    fxSetCurrentMeter(the, (txUnsigned)xsToInteger(xsArg(1)));
}

/* gc(): a full collection. */
static void xs_gc(xsMachine *the)
{
    xsCollectGarbage();
}

/* performance.now(): milliseconds since 1970. */
static void xs_performance_now(xsMachine *the)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    xsResult = xsNumber((double)tv.tv_sec * 1000.0 + (double)tv.tv_usec / 1000.0);
}

/* print(...values): to stdout, with spaces between.  Throws what String(value) throws. */
static void xs_print(xsMachine *the)
{
    int count = xsToInteger(xsArgc);
    if (print_meter) printf("[%u] ", fxGetCurrentMeter(the));
    for (int i = 0; i < count; i++) printf("%s%s", i == 0 ? "" : " ", xsToString(xsArg(i)));
    printf("\n");
    fflush(stdout);
}

/* setImmediate(f): f() after the promise jobs. */
static void xs_setImmediate(xsMachine *the)
{
    fxSetTimer(the, 0, 0);
}

/* The kernel's reply to a command, its '/' stripped, as an ArrayBuffer in the result. */
static void read_command_reply(xsMachine *the)
{
    struct buf reply;
    enum channel_result r = channel_read(&reply);
    if (r == CHANNEL_EOF) {
        fprintf(stderr, "Got EOF on netstring read. Has parent died?\n");
        exit(EXITS_IO_ERROR);
    }
    if (r != CHANNEL_OK) xsUnknownError((char *)(uintptr_t)channel_read_error());
    meter_times_note();
    if (reply.n == 0 || reply.p[0] != '/') {
        buf_fini(&reply);
        xsUnknownError("Received unexpected command reply.");
    }
    xsResult = xsArrayBuffer(reply.p + 1, (xsIntegerValue)(reply.n - 1));
    buf_fini(&reply);
}

/* Upcalls whose answer is always the same, unless the kernel ends the vat for them; so there
 * is nothing to wait for.  (manager-subprocess-xsnap.js; liveslots ignores these results.) */
static const struct {
    struct span head, answer;
} foregone[] = {
#define SYSCALL(name) { { "[\"syscall\",[\"" name "\",", sizeof "[\"syscall\",[\"" name "\"," - 1 }, { "[\"ok\",null]", 11 } }
    SYSCALL("send"), SYSCALL("subscribe"), SYSCALL("resolve"), SYSCALL("vatstoreSet"),
    SYSCALL("vatstoreDelete"), SYSCALL("dropImports"), SYSCALL("retireImports"),
    SYSCALL("retireExports"), SYSCALL("abandonExports"),
#undef SYSCALL
};

static bool posting;

void hosts_set_posting(bool on)
{
    posting = on;
}

static const struct span *foregone_answer(struct span command)
{
    for (size_t i = 0; posting && i < sizeof foregone / sizeof *foregone; i++) {
        if (span_starts(command, foregone[i].head)) return &foregone[i].answer;
    }
    return NULL;
}

/* issueCommand(ArrayBuffer): send it to the kernel, wait, return its reply.  TypeError
 * without an argument; Error when the kernel babbles. */
static void xs_issueCommand(xsMachine *the)
{
    if (xsToInteger(xsArgc) < 1) xsTypeError("expected ArrayBuffer");
    size_t length = (size_t)xsGetArrayBufferLength(xsArg(0));
    const char *bytes = xsToArrayBuffer(xsArg(0));
    const struct span *answer = foregone_answer((struct span){ bytes, length });
    enum channel_result written;
    meter_times_note();
    if (answer == NULL) {
        written = channel_write(SPAN("?"), (struct span){ bytes, length });
    } else {
        written = channel_post(SPAN(">"), (struct span){ bytes, length });
    }
    if (written != CHANNEL_OK)
        xsUnknownError("Cannot write netstring, error writing message body");
    if (answer == NULL) {
        read_command_reply(the);
        return;
    }
    meter_times_note();
    xsResult = xsArrayBuffer((void *)(uintptr_t)answer->p, (xsIntegerValue)answer->n);
}

xsCallback hosts_callbacks[HOSTS_CALLBACKS] = {
    xs_issueCommand,
    xs_print,
    xs_setImmediate,
    xs_gc,
    xs_performance_now,
    xs_currentMeterLimit,
    xs_resetMeter,
    xs_textdecoder,
    xs_textdecoder_decode,
    xs_textdecoder_get_encoding,
    xs_textdecoder_get_ignoreBOM,
    xs_textdecoder_get_fatal,
    xs_textencoder,
    xs_textencoder_encode,
    xs_textencoder_encodeInto,
    xs_base64_encode,
    xs_base64_decode,
    fx_harden,
};
/* Changing this number changes the snapshot format: see hosts.h. */
static_assert(HOSTS_CALLBACKS == 18, "the table of snapshot signature \"xsnap 1\"");

static void define_function(xsMachine *the, const char *name, xsCallback callback, int length)
{
    xsResult = xsNewHostFunction(callback, length);
    xsDefine(xsGlobal, xsID((char *)(uintptr_t)name), xsResult, xsDontEnum);
}

static void define_performance(xsMachine *the)
{
    xsResult = xsNewObject();
    xsVar(0) = xsNewHostFunction(xs_performance_now, 0);
    xsDefine(xsResult, xsID("now"), xsVar(0), xsDontEnum);
    xsDefine(xsGlobal, xsID("performance"), xsResult, xsDontEnum);
}

void hosts_install(xsMachine *machine)
{
    xsBeginHost(machine);
    xsVars(1);
    define_function(the, "setImmediate", xs_setImmediate, 1);
    define_function(the, "gc", xs_gc, 1);
    define_function(the, "print", xs_print, 1);
    define_function(the, "issueCommand", xs_issueCommand, 1);
    define_performance(the);
    define_function(the, "currentMeterLimit", xs_currentMeterLimit, 1);
    define_function(the, "resetMeter", xs_resetMeter, 1);
    modInstallTextDecoder(the);
    modInstallTextEncoder(the);
    modInstallBase64(the);
    define_function(the, "harden", fx_harden, 1);
    xsEndHost(machine);
}
