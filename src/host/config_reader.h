/* config_reader.h -- reading a config file with errors that say where.
 *
 * Private to config*.c.  A `place` is a value together with the path of keys that leads
 * to it ("vats.alice.creationOptions"); every complaint goes through config_fail(), which
 * turns the place into "FILE:LINE:COLUMN: PATH: …".
 */
#pragma once

#include "host/bundler.h"
#include "host/config.h"

struct config_reader {
    struct arena *a;
    const char *file;
    const char *dir;        /* of the file, absolute */
    struct span text;       /* with comments blanked out */
    bool dev;               /* bundling from source: devDependencies count */
    struct bundler bundler; /* for what has a sourceSpec */
};

struct place {
    struct jval value;
    struct span path;
};

/* A key that may stand in an object.  One with `refused` may not, and that is why. */
struct config_key {
    const char *name;
    const char *refused;
};

struct member {
    struct span key;
    struct place at;
};

/* Replace each // comment by spaces, in place, so that positions stay. */
void config_blank_comments(char *text, size_t n);

int config_fail(const struct config_reader *r, struct place at, enum exit_code exit,
                struct err *e, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Put the place in front of an error that came from below. */
int config_while(const struct config_reader *r, struct place at, struct err *e);

/* A member; its value is JSON_NONE if absent. */
struct place config_at(const struct config_reader *r, struct place object, const char *key);
static inline bool config_has(struct place p)
{
    return json_type(p.value) != JSON_NONE;
}

/* The members of an object, in the order of the file.  Not an object, or a name that
 * stands there twice, is an error; JSON_NONE has no members. */
int config_members(const struct config_reader *r, struct place object, struct member **out,
                   size_t *count, struct err *e) MUST_CHECK;
/* The same, allowing only the names in `keys` (ended by a NULL name). */
int config_check_keys(const struct config_reader *r, struct place object,
                      const struct config_key *keys, struct err *e) MUST_CHECK;
/* The name of a vat or a device (`what`): not empty, and without half a surrogate pair, which
 * upstream does not find again either (store/kv.h). */
int config_check_name(const struct config_reader *r, const struct member *m, const char *what,
                      struct err *e) MUST_CHECK;

/* Typed members.  An absent one leaves *out as it is. */
int config_bool(const struct config_reader *r, struct place object, const char *key,
                bool *out, struct err *e) MUST_CHECK;
int config_string(const struct config_reader *r, struct place object, const char *key,
                  struct span *out, struct err *e) MUST_CHECK;
int config_count(const struct config_reader *r, struct place object, const char *key,
                 int64_t least, int64_t *out, struct err *e) MUST_CHECK;
/* A count, or "never". */
int config_reap(const struct config_reader *r, struct place object, const char *key,
                int64_t *out, struct err *e) MUST_CHECK;

/* -- bundles (config_bundle.c) ----------------------------------------------------- */

struct config_bundle {
    struct span name; /* absent unless in config.bundles */
    struct span id;
    struct span text;
    const char *from; /* the file, or where in the config */
};

/* The named bundles, then every other one as it is met. */
struct config_bundles {
    size_t count, room, named;
    struct config_bundle *list;
};

int config_read_named_bundles(struct config_reader *r, struct place bundles,
                              struct config_bundles *all, struct err *e) MUST_CHECK;
/* Exactly one of bundle, bundleSpec, sourceSpec, bundleName; its bundle joins `all`. */
int config_read_descriptor(struct config_reader *r, struct place descriptor,
                           struct config_bundles *all, struct config_bundle *out,
                           struct err *e) MUST_CHECK;
int config_system_bundle(const struct config_reader *r, const char *dir, const char *name,
                         struct config_bundles *all, struct span *id,
                         struct err *e) MUST_CHECK;
/* In the order of struct genesis: all of them by ID, then the named ones again, by name. */
void config_sort_bundles(const struct config_reader *r, const struct config_bundles *all,
                         struct config *out);

/* -- vats and devices (config_vat.c, config_device.c) -------------------------------- */

struct config_flags {
    bool zygotes, add_vat_admin, add_comms, add_vattp, add_timer;
};

int config_read_vats(struct config_reader *r, struct place root,
                     const struct config_options *o, const struct config_flags *flags,
                     struct config_bundles *bundles, struct genesis *g,
                     struct err *e) MUST_CHECK;
int config_read_devices(struct config_reader *r, struct place root,
                        const struct config_options *o, const struct config_flags *flags,
                        struct config_bundles *bundles, struct genesis *g,
                        struct err *e) MUST_CHECK;
/* managerType and defaultManagerType: only XS workers. */
int config_manager_type(const struct config_reader *r, struct place object, const char *key,
                        struct err *e) MUST_CHECK;
