/* capdata.h -- a body and the references it mentions.
 *
 * Bodies travel as the bytes they arrived in (decoded from JSON: WTF-8 text).  Slots are
 * krefs inside the kernel; the same shape with vrefs is what a vat sees, and only
 * translation makes one into the other.
 */
#pragma once

#include "base/json.h"
#include "kernel/ids.h"

/* With the kernel's names. */
struct capdata {
    struct span body;
    size_t count;
    kref *slots;
};

/* With one vat's (or device's) names, as text. */
struct vat_capdata {
    struct span body;
    size_t count;
    struct span *slots;
};

/* {"body":…,"slots":[…]} in both directions.  Decoding copies into `a`; false if the value
 * does not have that shape (extra members are ignored). */
bool capdata_decode(struct arena *a, struct jval v, struct capdata *out);
bool vat_capdata_decode(struct arena *a, struct jval v, struct vat_capdata *out);
void capdata_put(struct buf *b, const struct capdata *d);
void vat_capdata_put(struct buf *b, const struct vat_capdata *d);
