/* rom_file.h -- a vat at rest as a file: what is in it, reading it, writing it.
 *
 * A rom is a zip of stored files, in this order:
 *
 *   manifest.json    what follows, and the size and SHA-256 of the other three
 *   heap             the heap snapshot, as XS wrote it
 *   vatstore.jsonl   ["KEY","VALUE"] a line, keys in byte order
 *   bundle.json      the bundle that the vat runs
 *
 *   {"schema":1, "kind":"zygote-rom", "name":NAME or null, "engine":"XS …",
 *    "boot":[BUNDLEID…],  lockdown and supervisor, which are not in it
 *    "bundle":BUNDLEID, "metered":…, "reapDirtThreshold":{…}, "reapDirt":{…},
 *    "nextIDs":{"o":…,"p":…,"d":…},
 *    "vatParameters":null or {"body":…,"slots":[VREF or null…]},
 *    "clist":[[VREF,"R" or "_"]…],  exports; of an import also what it was, for people
 *    "lineage":[{"vatID":…,"incarnation":…,"position":…,"snapshotID":…}…],  itself first
 *    "members":[{"name":…,"bytes":…,"sha256":…}…]}
 *
 * There are no promises in the c-list, and no names of the store that it came from but in
 * "lineage" and in what an import was: nothing depends on either.
 *
 * A rom is a function of the vat: one vat at rest gives one file, whose SHA-256 names it.
 * The other way round one rom has one spelling: what is read must come out again, byte by
 * byte, when it is written, so there is nothing in a file but what is said here.
 */
#pragma once

#include "base/json.h"
#include "base/hash.h"
#include "kernel/capdata.h"

enum { ROM_SCHEMA = 1, ROM_LINEAGE_MAX = 1000, ROM_WAS_MAX = 200 };

/* In byte order of the vref.  An import that is not reachable is one that the vat only
 * recognizes: nothing can be it anywhere else, and it counts as retired. */
struct rom_row {
    struct span vref;
    bool reachable;
    struct span was; /* imports only; whatever the writer said */
};

struct rom_entry {
    struct span key, value;
};

struct rom_ancestor {
    struct span vat;
    uint64_t incarnation, position;
    struct span snapshot;
};

struct rom {
    struct span name;   /* SPAN_NONE: none */
    struct span engine; /* rom_engine of the heap */
    size_t boot_count;
    struct span *boot;
    struct span bundle_id;
    bool metered;
    struct span reap_dirt_threshold, reap_dirt; /* JSON texts */
    uint64_t next_o, next_p, next_d;
    bool has_parameters;
    struct vat_capdata parameters; /* a slot that the vat has given up: SPAN_NONE */
    size_t row_count;
    struct rom_row *rows;
    size_t ancestor_count;
    struct rom_ancestor *ancestors;
    size_t entry_count;
    struct rom_entry *entries;
    struct span heap;
    struct span bundle; /* JSON text */
};

bool rom_row_is_import(const struct rom_row *row);
/* A device node, or an object that is reachable: who loads the rom has to say what it is. */
bool rom_row_is_wanted(const struct rom_row *row);

/* NULL: the vat has nothing of that name. */
const struct rom_row *rom_find_row(const struct rom *r, struct span name);

/* Which engine reads a heap ("XS 13.3.0, 32-byte slots, xsnap 1"); absent if it is none. */
struct span rom_engine(struct arena *a, struct span heap);
/* The same, of the engine of this build. */
struct span rom_engine_here(void);

/* Append the file.  fails  EXIT_FAILED it would be too large */
int rom_write(const struct rom *r, struct buf *out, struct err *e) MUST_CHECK;
/* Read one, which may come from anybody; what comes back is checked in itself, and borrows
 * from `file`.  (That its bundle is one, is for who installs it to check.)
 * fails  EXIT_INTEGRITY it is no rom, or a damaged one
 *        EXIT_INCOMPATIBLE of another schema */
int rom_read(struct arena *a, struct span file, struct rom *out, struct err *e) MUST_CHECK;
