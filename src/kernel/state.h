/* state.h -- the kernel's one struct, and typed access to its keys.
 *
 * The kernel's state is the store: nothing here is a second copy that must be kept in
 * step, but for the few things that upstream keeps in memory and whose hashes can see
 * (conformance-notes section 3): they are the members under "in memory, as upstream".
 *
 * Spans and arrays handed out live in the store's arena: until the crank ends.
 */
#pragma once

#include "base/err.h"
#include "kernel/devices.h"
#include "kernel/kernel.h"
#include "kernel/stats.h"
#include "store/kv.h"

struct warehouse;
struct slog;

/* krefs in the order they were first added, each once (a JavaScript Set). */
struct kref_set {
    kref *items;
    size_t count, cap;
    uint32_t *slots; /* open addressing: index + 1 into items */
    size_t slot_count;
};

bool kref_set_add(struct kref_set *s, kref k); /* false: it was there */
void kref_set_clear(struct kref_set *s);
void kref_set_fini(struct kref_set *s);

/* What one delivery has got itself into; reset before each. */
struct delivery_fate {
    bool illegal;               /* a fatal syscall: abort and terminate */
    struct capdata illegal_info;
    bool exiting;               /* syscall.exit: terminate after the crank */
    bool exit_reject;
    struct capdata exit_info;
};

struct kernel {
    struct store *store;
    struct vat_port port;
    struct kernel_sink sink;
    struct warehouse *warehouse;
    struct slog *slog;   /* NULL: nobody listens */
    struct device_host host;
    struct device **devices; /* in the order of their names */
    size_t device_count;
    kref vat_admin_root; /* KREF_INVALID in a store without vats */
    bool zygotes;        /* forks enabled in this store */

    /* in memory, as upstream */
    struct stats stats;          /* saved when hashes are emitted, reloaded by a rollback */
    struct kref_set maybe_free;  /* survives a rollback */
    vat_id *terminated;          /* cache of vats.terminated; not rolled back */
    vat_id *dead;                /* the same ones, in ascending order */
    size_t terminated_count;

    /* of the delivery under way */
    vat_id speaking; /* to whom; n == 0: none is */
    struct delivery_fate fate;

    bool panicked;
    struct err panic;
};

struct arena *kernel_arena(struct kernel *k);
void kernel_note_text(struct kernel *k, struct span text);
#define kernel_note(k, ...) kernel_note_text((k), arena_printf(kernel_arena(k), __VA_ARGS__))
void kernel_step_label(struct kernel *k, const char *label);
/* Remember the first panic; the crank loop looks after the crank. */
#define kernel_panic(k, exit, ...) \
    ((k)->panicked ? (void)0 : ((k)->panicked = true, (void)err_set(&(k)->panic, exit, __VA_ARGS__)))

/* Save the statistics and emit hashes (upstream's kernelKeeper.emitCrankHashes). */
void kernel_emit_hashes(struct kernel *k, char crankhash[SHA256_HEX + 1],
                        char activityhash[SHA256_HEX + 1]);
/* Roll the store back, and the statistics with it. */
void kernel_rollback(struct kernel *k, enum savepoint sp);
/* After a crank that the world broke: forget what memory holds beyond the store, and end
 * every machine, since one of them may be ahead. */
void kernel_reload(struct kernel *k);

/* Text put together byte by byte: what a vat wrote may hold a NUL, which %.*s would stop at. */
struct span span_join(struct kernel *k, const char *head, struct span middle, const char *tail);

/* -- keys ------------------------------------------------------------------------- */

struct span key_vat(struct kernel *k, vat_id v, const char *field);        /* v7.options  */
struct span key_vat_in(struct kernel *k, vat_id v, const char *field, struct span rest);
struct span key_clist_kref(struct kernel *k, vat_id v, kref r);            /* v7.c.ko12   */
struct span key_clist_vref(struct kernel *k, vat_id v, struct span name);  /* v7.c.o+3    */
struct span key_kref(struct kernel *k, kref r, const char *field);         /* ko12.owner  */
struct span key_device(struct kernel *k, device_id d, const char *field, struct span rest);

bool state_has(struct kernel *k, struct span key);
/* The value of a key that must be there (ours: a broken store ends the process). */
struct span state_need(struct kernel *k, struct span key);
uint64_t state_need_u64(struct kernel *k, struct span key);
void state_set_u64(struct kernel *k, struct span key, uint64_t value);
/* Read a counter and step it: allocates an id. */
uint64_t state_next(struct kernel *k, struct span key);

/* A value that holds a JSON text this kernel, or upstream's, wrote. */
struct jval state_json(struct kernel *k, struct span key);

/* A JSON array of strings. */
struct strings {
    size_t count;
    struct span *items;
};
struct strings state_strings(struct kernel *k, struct span key);
void state_set_strings(struct kernel *k, struct span key, const struct strings *s);
struct strings strings_with(struct kernel *k, const struct strings *s, struct span more);
struct strings strings_without(struct kernel *k, const struct strings *s, struct span gone);
/* Strings being collected: grows by doubling. */
struct string_list {
    struct strings of;
    size_t room;
};
void string_list_add(struct kernel *k, struct string_list *l, struct span item);
bool strings_have(const struct strings *s, struct span item);
/* Put an item into a sorted list, at its place; false: it is there already. */
bool strings_insert(struct kernel *k, struct strings *sorted, struct span item);
/* By UTF-16 code units, as Array.prototype.sort() does. */
void strings_sort(struct strings *s);
/* Comma separated, as upstream keeps subscribers, slots and pins. */
struct strings state_commas(struct kernel *k, struct span text);
struct span strings_commas(struct kernel *k, const struct strings *s);

struct span span_of_vat(struct kernel *k, vat_id v);
struct span span_of_kref(struct kernel *k, kref r);

/* Walk the keys that start with `prefix`, in byte order: start with *key = prefix.
 * The walk looks at the store afresh each time, so keys may come and go meanwhile. */
bool state_next_key(struct kernel *k, struct span prefix, struct span *key);
