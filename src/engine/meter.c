#include "engine/meter.h"

#include <stdio.h>
#include <sys/time.h>

static struct {
    uint32_t crank_limit;
    uint32_t limit;
    unsigned count;
    struct timeval at[METER_TIMES_MAX];
    /* 20 digits, '.', 6 digits, ',' each, the brackets and a NUL */
    char text[METER_TIMES_MAX * 28 + 3];
} meter;

void meter_set_crank_limit(uint32_t computrons)
{
    meter.crank_limit = computrons;
}

uint32_t meter_crank_limit(void)
{
    return meter.crank_limit;
}

void meter_set_limit(uint32_t computrons)
{
    meter.limit = computrons;
}

uint32_t meter_limit(void)
{
    return meter.limit;
}

void meter_times_reset(void)
{
    meter.count = 0;
}

void meter_times_note(void)
{
    if (meter.count == METER_TIMES_MAX) return;
    gettimeofday(&meter.at[meter.count++], NULL);
}

struct span meter_times_render(void)
{
    size_t n = 0;
    meter.text[n++] = '[';
    for (unsigned i = 0; i < meter.count; i++) {
        int wrote = snprintf(meter.text + n, sizeof meter.text - n, "%s%lu.%06lu",
                             i == 0 ? "" : ",", (unsigned long)meter.at[i].tv_sec,
                             (unsigned long)meter.at[i].tv_usec);
        n += (size_t)wrote;
    }
    meter.text[n++] = ']';
    return (struct span){ meter.text, n };
}
