/* look.h -- what ps and tree share. */
#pragma once

#include "cli/session.h"

/* A vat, and its worker, in this process or in that which is writing to the store. */
struct seen_vat {
    struct vat_info info;
    bool has_worker;
    struct controller_memory memory; /* if it has one */
};
/* `family`: vats that are gone but for their transcript, too, and all by number.
 * out  *out  in the cli's arena */
size_t see_vats(struct session *s, bool family, struct seen_vat **out);

/* "gone", "sealed", "online", "offline". */
const char *vat_state(const struct seen_vat *v);
/* One vat as a JSON object. */
void vat_put_json(struct cli *c, const struct seen_vat *v);
