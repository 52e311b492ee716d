/* unit.h -- cmocka with what it needs in front, and how to compare spans. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

#define TEST(name) static void name(void **unit_state __attribute__((unused)))

#define assert_span(got, want)    unit_assert_span((got), (want), __FILE__, __LINE__)
#define assert_span_is(got, text) unit_assert_span((got), span_of(text), __FILE__, __LINE__)

static inline void unit_assert_span(struct span got, struct span want, const char *file,
                                    int line)
{
    if (got.p != NULL && span_eq(got, want))
        return;
    print_error("got  %.*s\nwant %.*s\n", (int)got.n, got.p == NULL ? "" : got.p,
                SPAN_ARG(want));
    _fail(file, line);
}
