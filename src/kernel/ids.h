/* ids.h -- the names things go by, one C type each.
 *
 *   vat_id   "v7"     a vat; never reused
 *   kref     "ko12"   the kernel's name of an object, promise (kp) or device node (kd)
 *   vref     "o+3"    one vat's name of it: o, p or d; + allocated by the vat, - by the
 *                     kernel; what follows the number ("o+d11/3:1") is the vat's own
 *
 * Mixing them does not compile.  Text from a vat is decoded once, at the border.
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"

typedef struct { uint32_t n; } vat_id;
typedef struct { uint32_t n; } device_id;

enum kref_kind { KREF_INVALID = 0, KREF_OBJECT, KREF_PROMISE, KREF_DEVICE };

typedef struct {
    enum kref_kind kind;
    uint64_t n;
} kref;

/* A vref keeps its text (a virtual object's has structure that only liveslots reads). */
typedef struct {
    enum kref_kind kind; /* KREF_INVALID if it did not parse */
    bool vat_allocated;
    struct span text;
} vref;

enum { VREF_MAX = 256, ID_TEXT_MAX = 32 };

struct id_text { char s[ID_TEXT_MAX]; };

bool vat_id_parse(struct span s, vat_id *out);
bool device_id_parse(struct span s, device_id *out);
bool kref_parse(struct span s, kref *out);
/* Upstream's parseVatSlot.  The result borrows `s`. */
bool vref_parse(struct span s, vref *out);

struct id_text vat_id_text(vat_id v);
struct id_text device_id_text(device_id d);
struct id_text kref_text(kref k);

static inline bool vat_id_eq(vat_id a, vat_id b) { return a.n == b.n; }
static inline bool kref_eq(kref a, kref b) { return a.kind == b.kind && a.n == b.n; }
/* Order of upstream's sorts: by text, so ko100 < ko20. */
int kref_cmp(kref a, kref b);
int vat_id_cmp(vat_id a, vat_id b);
