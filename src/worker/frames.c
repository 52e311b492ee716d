#include "worker/frames.h"

#include "base/json.h"

enum { METER_SEPARATOR = 1 };

static int decode_compute(struct span meter, struct arena *a, uint64_t *out, struct err *e)
{
    struct jval doc;
    struct err why;
    if (json_parse(a, meter, &doc, &why) != 0) {
        return err_set(e, EXIT_FAILED, "meter report is not JSON: %s", why.text);
    }
    if (json_type(doc) != JSON_OBJECT) {
        return err_set(e, EXIT_FAILED, "meter report is not an object");
    }
    struct jval compute = json_get(doc, "compute");
    uint64_t n = 0;
    if (json_type(compute) != JSON_NONE && json_type(compute) != JSON_NULL &&
        (!json_u64(compute, &n) || n > UINT32_MAX)) {
        return err_set(e, EXIT_FAILED, "meter report: compute is no 32-bit count");
    }
    *out = n;
    return 0;
}

static int decode_reply(struct span body, struct arena *a, struct frame *out, struct err *e)
{
    struct frame f = { .kind = FRAME_REPLY, .text = body };
    const char *separator = body.n == 0 ? NULL : memchr(body.p, METER_SEPARATOR, body.n);
    if (separator != NULL) {
        size_t at = (size_t)(separator - body.p);
        f.meter = (struct span){ body.p, at };
        f.text = span_from(body, at + 1);
        if (decode_compute(f.meter, a, &f.computrons, e) != 0) return -1;
    }
    *out = f;
    return 0;
}

int frame_decode(struct span message, struct arena *a, struct frame *out, struct err *e)
{
    if (message.n == 0) return err_set(e, EXIT_FAILED, "empty message");
    struct span body = span_from(message, 1);
    switch (message.p[0]) {
    case '.': return decode_reply(body, a, out, e);
    case '!': *out = (struct frame){ .kind = FRAME_EXCEPTION, .text = body }; return 0;
    case '?': *out = (struct frame){ .kind = FRAME_UPCALL, .text = body }; return 0;
    case '>': *out = (struct frame){ .kind = FRAME_POSTED, .text = body }; return 0;
    default: break;
    }
    return err_set(e, EXIT_FAILED, "unknown message <<%s>>", span_shown(message).s);
}
