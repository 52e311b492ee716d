/* ids.c -- see ids.h. */
#include "kernel/ids.h"

#include <assert.h>

#include "base/err.h"

/* -- text to name --------------------------------------------------------------- */

static bool decode_small_id(struct span s, char letter, uint32_t *out)
{
    uint64_t n;
    if (s.n < 2 || s.p[0] != letter) return false;
    if (!span_u64(span_from(s, 1), &n) || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

bool vat_id_parse(struct span s, vat_id *out)
{
    return decode_small_id(s, 'v', &out->n);
}

bool device_id_parse(struct span s, device_id *out)
{
    return decode_small_id(s, 'd', &out->n);
}

static enum kref_kind kind_of_letter(char letter)
{
    switch (letter) {
    case 'o': return KREF_OBJECT;
    case 'p': return KREF_PROMISE;
    case 'd': return KREF_DEVICE;
    default: return KREF_INVALID;
    }
}

bool kref_parse(struct span s, kref *out)
{
    uint64_t n;
    if (s.n < 3 || s.p[0] != 'k') return false;
    enum kref_kind kind = kind_of_letter(s.p[1]);
    if (kind == KREF_INVALID || !span_u64(span_from(s, 2), &n)) return false;
    *out = (kref){ .kind = kind, .n = n };
    return true;
}

/* Decimal digits of any length, without a leading zero. */
static bool is_numeral(struct span s)
{
    if (s.n == 0 || (s.n > 1 && s.p[0] == '0')) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return true;
}

static struct span span_until(struct span s, char stop, struct span *rest)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, stop, s.n);
    *rest = at == NULL ? SPAN_NONE : span_from(s, (size_t)(at - s.p) + 1);
    return at == NULL ? s : (struct span){ s.p, (size_t)(at - s.p) };
}

/* The shape is upstream's, oddities included: "p+d3" and "o-v3" pass, since parseVatSlot()
 * looks at the durability letter before the type, and only a '/' brings the type in.
 *
 * The numbers are stricter.  Upstream reads each with BigInt(), which also takes "", " 7 ",
 * "007" and "0x7"; and it does not read what follows ':' at all when there is no '/'.
 * liveslots prints all of them from numbers, so no vat under liveslots sends anything but a
 * plain numeral, and one name has one spelling here.  For the same reason the length is
 * bounded (a c-list key is made of it), but not the number: 64 bits and more pass. */
bool vref_parse(struct span s, vref *out)
{
    struct span facet, instance;
    if (s.n < 3 || s.n > VREF_MAX) return false;

    enum kref_kind kind = kind_of_letter(s.p[0]);
    if (kind == KREF_INVALID || (s.p[1] != '+' && s.p[1] != '-')) return false;
    bool vat_allocated = s.p[1] == '+';

    struct span number = span_until(span_from(s, 2), ':', &facet);
    if (facet.p != NULL && !is_numeral(facet)) return false;

    bool lettered = number.n > 0 && (number.p[0] == 'd' || number.p[0] == 'v');
    if (lettered) number = span_from(number, 1);
    number = span_until(number, '/', &instance);
    if (!is_numeral(number)) return false;
    if (instance.p != NULL) {
        if (kind != KREF_OBJECT || !vat_allocated || !lettered) return false;
        if (!is_numeral(instance)) return false;
    }

    *out = (vref){ .kind = kind, .vat_allocated = vat_allocated, .text = s };
    return true;
}

/* -- name to text --------------------------------------------------------------- */

static struct id_text spell(const char *prefix, uint64_t n)
{
    struct id_text t = { { 0 } };
    char digits[20]; /* of 2^64 - 1 */
    size_t at = strlen(prefix), count = 0;

    static_assert(2 + sizeof(digits) < ID_TEXT_MAX, "the longest id, and its NUL");
    memcpy(t.s, prefix, at);
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    while (count > 0)
        t.s[at++] = digits[--count];
    return t;
}

struct id_text vat_id_text(vat_id v)
{
    return spell("v", v.n);
}

struct id_text device_id_text(device_id d)
{
    return spell("d", d.n);
}

struct id_text kref_text(kref k)
{
    switch (k.kind) {
    case KREF_OBJECT: return spell("ko", k.n);
    case KREF_PROMISE: return spell("kp", k.n);
    case KREF_DEVICE: return spell("kd", k.n);
    case KREF_INVALID: break;
    }
    BUG("text of an invalid kref");
}

/* ASCII: byte order is the order of UTF-16 code units. */
int kref_cmp(kref a, kref b)
{
    struct id_text ta = kref_text(a), tb = kref_text(b);
    return strcmp(ta.s, tb.s);
}

int vat_id_cmp(vat_id a, vat_id b)
{
    struct id_text ta = vat_id_text(a), tb = vat_id_text(b);
    return strcmp(ta.s, tb.s);
}
