#include "base/netstring.h"

#include <stdint.h>

#include "base/err.h"

/* Memory set aside on the word of a length prefix alone. */
enum { BODY_TRUSTED_BYTES = 1 << 20 };

static size_t limit_of(const struct netstring_reader *r)
{
    return r->max == 0 ? (size_t)NETSTRING_LENGTH_MAX : r->max;
}

static enum netstring_status feed_length(struct netstring_reader *r, char c)
{
    if (c >= '0' && c <= '9') {
        if (r->digits == NETSTRING_DIGITS_MAX) return NETSTRING_BAD_LENGTH;
        r->digits++;
        r->length = r->length * 10 + (size_t)(c - '0');
        return NETSTRING_MORE;
    }
    if (r->digits == 0) return NETSTRING_BAD_LENGTH;
    if (c != ':') return NETSTRING_BAD_COLON;
    if (r->length > limit_of(r)) return NETSTRING_TOO_LONG;
    size_t room = r->length + 1;
    buf_room(&r->body, room < BODY_TRUSTED_BYTES ? room : BODY_TRUSTED_BYTES);
    r->at = r->length == 0 ? NETSTRING_AT_COMMA : NETSTRING_AT_BODY;
    return NETSTRING_MORE;
}

static size_t feed_body(struct netstring_reader *r, const char *bytes, size_t n)
{
    size_t missing = r->length - r->body.n;
    size_t take = n < missing ? n : missing;
    buf_put(&r->body, (struct span){ bytes, take });
    if (take == missing) r->at = NETSTRING_AT_COMMA;
    return take;
}

size_t netstring_feed(struct netstring_reader *r, const char *bytes, size_t n,
                      enum netstring_status *status)
{
    size_t at = 0;
    *status = NETSTRING_MORE;
    while (at < n) {
        switch (r->at) {
        case NETSTRING_AT_LENGTH:
            *status = feed_length(r, bytes[at++]);
            if (*status != NETSTRING_MORE) return at;
            break;
        case NETSTRING_AT_BODY: at += feed_body(r, bytes + at, n - at); break;
        case NETSTRING_AT_COMMA:
            *status = bytes[at++] == ',' ? NETSTRING_DONE : NETSTRING_BAD_COMMA;
            return at;
        }
    }
    return at;
}

struct buf netstring_take(struct netstring_reader *r)
{
    INVARIANT(r->at == NETSTRING_AT_COMMA && r->body.n == r->length);
    *buf_room(&r->body, 1) = '\0';
    struct buf frame = r->body;
    *r = (struct netstring_reader){ .max = r->max };
    return frame;
}

bool netstring_pending(const struct netstring_reader *r)
{
    return r->digits != 0;
}

void netstring_reader_fini(struct netstring_reader *r)
{
    buf_fini(&r->body);
    *r = (struct netstring_reader){ .max = r->max };
}

const char *netstring_status_text(enum netstring_status status)
{
    switch (status) {
    case NETSTRING_INVALID: return "no status";
    case NETSTRING_MORE: return "more bytes needed";
    case NETSTRING_DONE: return "complete";
    case NETSTRING_BAD_LENGTH: return "bad length prefix";
    case NETSTRING_BAD_COLON: return "no ':' behind the length";
    case NETSTRING_BAD_COMMA: return "no ',' behind the body";
    case NETSTRING_TOO_LONG: return "frame too long";
    }
    return "unknown";
}

void netstring_put(struct buf *out, struct span body)
{
    buf_printf(out, "%zu:", body.n);
    buf_put(out, body);
    buf_putc(out, ',');
}
