/* look.h -- what ps and tree share. */
#pragma once

#include "cli/session.h"

/* "sealed", "online", "offline". */
const char *vat_state(const struct vat_info *v);
/* One vat as a JSON object. */
void vat_put_json(struct cli *c, struct session *s, const struct vat_info *v);
