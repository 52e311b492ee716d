#include "base/decimal.h"

bool decimal_valid(struct span text)
{
    if (text.n == 0 || (text.p[0] == '0' && text.n > 1)) return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
    }
    return true;
}

int decimal_cmp(struct span a, struct span b)
{
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n == 0 ? 0 : memcmp(a.p, b.p, a.n);
}

/* The digit at 10^place. */
static int digit(struct span a, size_t place)
{
    return place < a.n ? a.p[a.n - 1 - place] - '0' : 0;
}

static struct span without_zeros(struct span a)
{
    while (a.n > 1 && a.p[0] == '0') a = span_from(a, 1);
    return a;
}

struct span decimal_add(struct arena *keep, struct span a, struct span b)
{
    size_t n = (a.n > b.n ? a.n : b.n) + 1;
    char *out = arena_alloc(keep, n);
    int carry = 0;
    for (size_t i = 0; i < n; i++) {
        int sum = digit(a, i) + digit(b, i) + carry;
        out[n - 1 - i] = (char)('0' + sum % 10);
        carry = sum / 10;
    }
    return without_zeros((struct span){ out, n });
}

struct span decimal_sub(struct arena *keep, struct span a, struct span b)
{
    if (decimal_cmp(a, b) <= 0) return SPAN("0");
    char *out = arena_alloc(keep, a.n);
    int borrow = 0;
    for (size_t i = 0; i < a.n; i++) {
        int d = digit(a, i) - digit(b, i) - borrow;
        borrow = d < 0;
        out[a.n - 1 - i] = (char)('0' + (d < 0 ? d + 10 : d));
    }
    return without_zeros((struct span){ out, a.n });
}
