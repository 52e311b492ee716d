#include "base/span.h"

struct span_shown span_shown(struct span text)
{
    struct span_shown shown;
    size_t n = text.n < SPAN_SHOWN_MAX ? text.n : SPAN_SHOWN_MAX;
    for (size_t i = 0; i < n; i++)
        shown.s[i] = shown_char(text.p[i]);
    shown.s[n] = '\0';
    return shown;
}

bool span_u64(struct span s, uint64_t *out)
{
    if (s.n == 0 || (s.p[0] == '0' && s.n > 1))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}
