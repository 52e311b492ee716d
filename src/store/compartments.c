/* compartments.c -- is a bundle what its hash says?
 *
 * The modules are walked as an importer would: from the entry, along what each imports.
 * A list, not recursion, and each module once; so a hostile map costs no more than it is
 * long.
 */
#include "store/compartments.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "store/zip.h"

enum { LOADED_BYTES_MAX = 256 << 20 /* of modules; real bundles have a few MB */ };

/* One compartment's name for a module, and what the map says it is. */
struct place {
    struct map_entry m; /* key: compartment and specifier, as place_key() */
    struct jval module;
};

struct compartment {
    struct map_entry m; /* key: name */
    struct span location;
    struct jval modules;
};

/* A module to be loaded. */
struct job {
    struct job *next;
    const struct compartment *home;
    struct span specifier;
};

struct archive {
    struct zip zip;
    struct arena *a; /* for as long as the check */
    struct jval map;
    struct map compartments, places;
    struct map met; /* keys of places that were loaded, or tried */
    size_t loaded;  /* bytes of modules */
    struct job *jobs, **jobs_end;
    size_t module_count, module_room;
    struct bundle_module *modules;
};

static int bad_map(struct err *e, const char *what)
{
    return err_set(e, EXIT_INTEGRITY, "bad compartment map: %s", what);
}

static struct span shown(struct span s)
{
    return (struct span){ s.p, s.n < 200 ? s.n : 200 };
}

static bool is_string(struct jval object, const char *key)
{
    return json_type(json_get(object, key)) == JSON_STRING;
}

static bool is_absent_or(struct jval object, const char *key, enum json_type one,
                         enum json_type other)
{
    enum json_type type = json_type(json_get(object, key));
    return type == JSON_NONE || type == one || type == other;
}

/* Has an object no members but those listed (NULL behind the last)? */
static bool only(struct jval object, struct arena *a, const char *const *names)
{
    for (size_t i = 0; i < json_len(object); i++) {
        struct span key = json_key_at(object, i, a);
        bool known = false;
        for (size_t k = 0; names[k] != NULL && !known; k++)
            known = span_is(key, names[k]);
        if (!known) return false;
    }
    return true;
}

/* -- the compartment map ----------------------------------------------------------- */

/* Texts from the map may hold any character, NUL too. */
static struct span join(struct arena *a, struct span x, const char *between, struct span y)
{
    struct buf b = { 0 };
    buf_put(&b, x);
    buf_puts(&b, between);
    buf_put(&b, y);
    struct span out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return out;
}

static struct span place_key(struct arena *a, struct span compartment, struct span specifier)
{
    struct span both = join(a, compartment, "", specifier);
    return join(a, arena_printf(a, "%zu", compartment.n), ":", both);
}

static struct place *find_place(struct archive *z, struct span compartment,
                                struct span specifier)
{
    struct span key = place_key(z->a, compartment, specifier);
    return (struct place *)map_find(&z->places, key, map_hash(&z->places, key));
}

static struct compartment *find_compartment(struct archive *z, struct span name)
{
    return (struct compartment *)map_find(&z->compartments, name,
                                          map_hash(&z->compartments, name));
}

/* The last of several members of one name counts, as in JavaScript. */
static struct map_entry *insert(struct map *m, struct arena *a, struct span key, size_t size)
{
    uint64_t hash = map_hash(m, key);
    struct map_entry *found = map_find(m, key, hash);
    if (found != NULL) return found;
    struct map_entry *made = arena_alloc(a, size);
    memset(made, 0, size);
    *made = (struct map_entry){ key, hash };
    map_insert(m, made);
    return made;
}

static int add_module(struct archive *z, struct span compartment, struct jval module,
                      struct err *e)
{
    if (json_type(module) != JSON_OBJECT ||
        !is_absent_or(module, "deferredError", JSON_STRING, JSON_STRING) ||
        !is_absent_or(module, "retained", JSON_TRUE, JSON_FALSE) ||
        !is_absent_or(module, "createdBy", JSON_STRING, JSON_STRING))
        return bad_map(e, "a module is not described as one");
    struct span key = place_key(z->a, compartment, json_name(module, z->a));
    struct place *p = (struct place *)insert(&z->places, z->a, key, sizeof *p);
    p->module = module;
    return 0;
}

static int add_compartment(struct archive *z, struct jval v, struct err *e)
{
    static const char *const keys[] = { "location", "name", "label", "modules", NULL };
    if (json_type(v) != JSON_OBJECT || !is_string(v, "location") || !is_string(v, "name") ||
        !is_string(v, "label") || json_type(json_get(v, "modules")) != JSON_OBJECT)
        return bad_map(e, "a compartment lacks location, name, label or modules");
    if (!only(v, z->a, keys)) return bad_map(e, "a compartment has an unknown property");
    struct span name = arena_copy(z->a, json_name(v, z->a));
    struct compartment *c = (struct compartment *)insert(&z->compartments, z->a, name, sizeof *c);
    if (c->location.p != NULL) return bad_map(e, "two compartments of one name");
    c->location = arena_copy(z->a, json_str(json_get(v, "location"), z->a));
    c->modules = json_get(v, "modules");
    for (struct jval m = json_first(c->modules); json_type(m) != JSON_NONE; m = json_next(m)) {
        if (add_module(z, name, m, e) != 0) return -1;
    }
    return 0;
}

static int check_tags(struct jval tags, struct err *e)
{
    if (json_type(tags) != JSON_NONE && json_type(tags) != JSON_ARRAY)
        return bad_map(e, "tags are not an array");
    for (struct jval t = json_first(tags); json_type(t) != JSON_NONE; t = json_next(t)) {
        if (json_type(t) != JSON_STRING) return bad_map(e, "a tag is not a string");
    }
    return 0;
}

static int index_map(struct archive *z, struct err *e)
{
    static const char *const root_keys[] = { "tags", "entry", "compartments", NULL };
    static const char *const entry_keys[] = { "compartment", "module", NULL };
    struct jval entry = json_get(z->map, "entry");
    struct jval all = json_get(z->map, "compartments");
    if (json_type(z->map) != JSON_OBJECT || json_type(entry) != JSON_OBJECT ||
        json_type(all) != JSON_OBJECT)
        return bad_map(e, "no entry, or no compartments");
    if (!only(z->map, z->a, root_keys) || !only(entry, z->a, entry_keys))
        return bad_map(e, "an unknown property");
    if (!is_string(entry, "compartment") || !is_string(entry, "module"))
        return bad_map(e, "the entry lacks compartment or module");
    if (check_tags(json_get(z->map, "tags"), e) != 0) return -1;
    for (struct jval c = json_first(all); json_type(c) != JSON_NONE; c = json_next(c)) {
        if (add_compartment(z, c, e) != 0) return -1;
    }
    return 0;
}

static int read_map(struct archive *z, struct span text, struct err *e)
{
    if (span_starts(text, SPAN("\xef\xbb\xbf"))) text = span_from(text, 3); /* as TextDecoder */
    if (json_parse(z->a, text, &z->map, e) == 0) return 0;
    e->exit = EXIT_INTEGRITY;
    return err_while(e, "compartment-map.json");
}

/* -- the walk ---------------------------------------------------------------------- */

static void queue(struct archive *z, const struct compartment *home, struct span specifier)
{
    struct job *j = ARENA_NEW(z->a, struct job);
    *j = (struct job){ NULL, home, specifier };
    *z->jobs_end = j;
    z->jobs_end = &j->next;
}

/* What an import means, seen from a module: relative to it, or a name of the compartment's.
 * (Upstream: resolve() of node-module-specifier.js.) */
static int resolve(struct archive *z, struct span spec, struct span referrer,
                   struct span *out, struct err *e)
{
    if (span_starts(spec, SPAN("/")) || span_starts(spec, SPAN("file://"))) {
        *out = spec;
        return 0;
    }
    if (!span_starts(referrer, SPAN("./")))
        return bad_map(e, "a module that imports is not called ./something");
    struct span first = { spec.p, 0 };
    while (first.n < spec.n && spec.p[first.n] != '/') first.n++;
    bool relative = span_is(first, ".") || span_is(first, "..");
    while (relative && referrer.p[referrer.n - 1] != '/') referrer.n--;
    struct span path = relative ? join(z->a, referrer, "", spec) : spec;
    char *to = arena_alloc(z->a, path.n + 3);
    size_t n = 0;
    if (relative) to[n++] = '.';
    for (size_t at = 0; at <= path.n; at++) {
        size_t end = at;
        while (end < path.n && path.p[end] != '/') end++;
        struct span part = { path.p + at, end - at };
        at = end;
        if (part.n == 0 || span_is(part, ".")) continue;
        if (span_is(part, "..")) {
            if (n == 0) return bad_map(e, "an import leads out of its package");
            while (n > 0 && to[n - 1] != '/') n--;
            n -= n > 0;
            continue;
        }
        if (n > 0) to[n++] = '/';
        memcpy(to + n, part.p, part.n);
        n += part.n;
    }
    *out = (struct span){ to, n };
    return 0;
}

static int queue_imports(struct archive *z, const struct job *j, struct jval imports,
                         struct err *e)
{
    if (json_type(imports) != JSON_ARRAY) return bad_map(e, "a module does not list its imports");
    for (struct jval i = json_first(imports); json_type(i) != JSON_NONE; i = json_next(i)) {
        struct span spec = json_str(i, z->a), full = SPAN_NONE;
        if (spec.p == NULL) return bad_map(e, "an import is not a string");
        if (resolve(z, spec, j->specifier, &full, e) != 0) return -1;
        queue(z, j->home, full);
    }
    return 0;
}

static void note_module(struct archive *z, struct span file, struct span parser, size_t bytes)
{
    if (z->module_count == z->module_room) {
        size_t room = z->module_room == 0 ? 64 : 2 * z->module_room;
        struct bundle_module *more = ARENA_ARRAY(z->a, struct bundle_module, room);
        if (z->module_count > 0) memcpy(more, z->modules, z->module_count * sizeof *more);
        z->modules = more;
        z->module_room = room;
    }
    z->modules[z->module_count++] = (struct bundle_module){ file, parser, bytes };
}

static int check_hash(struct span path, struct span content, struct jval module,
                      struct err *e)
{
    char got[SHA512_HEX + 1];
    sha512_hex(content, got);
    if (json_is(json_get(module, "sha512"), got)) return 0;
    return err_set(e, EXIT_INTEGRITY, "module %.*s does not have the hash the map gives it",
                   SPAN_ARG(shown(path)));
}

/* Upstream makes a name for people of it, which must not lead out of the package. */
static bool is_inside(struct span specifier)
{
    size_t depth = 0;
    for (size_t at = 0; at <= specifier.n; at++) {
        size_t end = at;
        while (end < specifier.n && specifier.p[end] != '/') end++;
        struct span part = { specifier.p + at, end - at };
        if (at == 0 && !span_is(part, ".")) return false;
        if (span_is(part, "..")) {
            if (depth-- == 0) return false;
        } else if (part.n > 0 && !span_is(part, ".")) {
            depth++;
        }
        at = end;
    }
    return true;
}

static int load_file(struct archive *z, const struct job *j, const struct compartment *home,
                     struct jval module, struct err *e)
{
    struct span parser = json_str(json_get(module, "parser"), z->a);
    struct span location = json_str(json_get(module, "location"), z->a), content;
    if (parser.p == NULL || location.p == NULL)
        return bad_map(e, "a module that is imported has no file");
    bool compiled = span_is(parser, "pre-mjs-json") || span_is(parser, "pre-cjs-json");
    if (!compiled && !span_is(parser, "json") && !span_is(parser, "text") &&
        !span_is(parser, "bytes"))
        return err_set(e, EXIT_INTEGRITY, "bad compartment map: unknown parser \"%.*s\"",
                       SPAN_ARG(shown(parser)));
    struct span path = join(z->a, home->location, "/", location);
    if (zip_read(&z->zip, path, &content, e) != 0) return -1;
    if (content.n > LOADED_BYTES_MAX - z->loaded) return bad_map(e, "it loads too much");
    z->loaded += content.n;
    if (check_hash(path, content, module, e) != 0) return -1;
    if (!is_inside(j->specifier)) return bad_map(e, "a module is not called ./something");
    note_module(z, path, parser, content.n);
    if (!compiled) return 0;
    struct jval record;
    if (span_starts(content, SPAN("\xef\xbb\xbf"))) content = span_from(content, 3);
    if (json_parse(z->a, content, &record, e) != 0) {
        e->exit = EXIT_INTEGRITY;
        return err_while(e, "module %.*s", SPAN_ARG(shown(path)));
    }
    return queue_imports(z, j, json_get(record, "imports"), e);
}

/* Another name for a module, maybe of another compartment's. */
static bool is_alias(struct jval module)
{
    return json_type(json_get(module, "exit")) == JSON_NONE &&
           json_type(json_get(module, "compartment")) != JSON_NONE &&
           json_type(json_get(module, "module")) != JSON_NONE;
}

static int follow(struct archive *z, struct jval module, struct err *e)
{
    struct span there = json_str(json_get(module, "compartment"), z->a);
    struct span specifier = json_str(json_get(module, "module"), z->a);
    const struct compartment *c = there.p == NULL ? NULL : find_compartment(z, there);
    if (c == NULL || specifier.p == NULL)
        return bad_map(e, "a module is of a compartment that is not there");
    queue(z, c, specifier);
    return 0;
}

static int load(struct archive *z, const struct job *j, struct err *e)
{
    struct span key = place_key(z->a, j->home->m.key, j->specifier);
    size_t met = z->met.n;
    insert(&z->met, z->a, key, sizeof(struct map_entry));
    if (z->met.n == met) return 0;
    struct place *p = find_place(z, j->home->m.key, j->specifier);
    if (p != NULL && json_type(json_get(p->module, "deferredError")) == JSON_NONE &&
        is_alias(p->module))
        return follow(z, p->module, e);
    /* The file is found through the compartment of that name as location, most often the
     * same. */
    const struct compartment *home = find_compartment(z, j->home->location);
    if (home != j->home) p = home == NULL ? NULL : find_place(z, home->m.key, j->specifier);
    if (p == NULL)
        return err_set(e, EXIT_INTEGRITY, "bad compartment map: no module %.*s in %.*s",
                       SPAN_ARG(shown(j->specifier)), SPAN_ARG(shown(j->home->m.key)));
    if (json_type(json_get(p->module, "deferredError")) != JSON_NONE)
        return 0; /* an error for when it is run */
    return load_file(z, j, home, p->module, e);
}

static int walk(struct archive *z, struct err *e)
{
    struct jval entry = json_get(z->map, "entry");
    const struct compartment *home =
        find_compartment(z, json_str(json_get(entry, "compartment"), z->a));
    if (home == NULL) return bad_map(e, "the entry's compartment is not there");
    z->jobs_end = &z->jobs;
    queue(z, home, json_str(json_get(entry, "module"), z->a));
    for (struct job *j = z->jobs; j != NULL; j = j->next) {
        if (load(z, j, e) != 0) return -1;
    }
    return z->zip.unread == 0
               ? 0
               : err_set(e, EXIT_INTEGRITY, "bad zip: a file in it is not named by its "
                                            "compartment map, or never imported");
}

/* -- the entry --------------------------------------------------------------------- */

/* "@agoric/swingset-vat-v0.33.0" is "@agoric/swingset-vat" at "0.33.0"; a second copy of
 * the same version has "-n1" behind it. */
static struct span version_of(struct span compartment, struct span package)
{
    struct span v = compartment;
    if (!span_starts(v, package)) return SPAN_NONE;
    v = span_from(v, package.n);
    if (!span_starts(v, SPAN("-v"))) return SPAN_NONE;
    v = span_from(v, 2);
    size_t end = v.n;
    while (end > 0 && v.p[end - 1] >= '0' && v.p[end - 1] <= '9') end--;
    if (end < v.n && end > 2 && memcmp(v.p + end - 2, "-n", 2) == 0) v.n = end - 2;
    return v;
}

static int find_entry(struct archive *z, struct arena *a, struct bundle_entry *out,
                      struct err *e)
{
    struct jval entry = json_get(z->map, "entry"), all = json_get(z->map, "compartments");
    struct span compartment = json_str(json_get(entry, "compartment"), z->a);
    struct span module = json_str(json_get(entry, "module"), z->a), package = SPAN_NONE;
    for (struct jval c = json_first(all); json_type(c) != JSON_NONE; c = json_next(c)) {
        if (span_eq(json_name(c, z->a), compartment)) package = json_str(json_get(c, "name"), z->a);
    }
    if (compartment.p == NULL || module.p == NULL || package.p == NULL)
        return bad_map(e, "no entry");
    package = arena_copy(a, package);
    *out = (struct bundle_entry){ .package = package,
                                  .version = version_of(arena_copy(a, compartment), package),
                                  .module = arena_copy(a, module) };
    return 0;
}

/* -- the whole --------------------------------------------------------------------- */

static int open_map(struct archive *z, struct span zip, struct span sha512, struct err *e)
{
    struct span text;
    char got[SHA512_HEX + 1];
    if (zip_open(&z->zip, zip, e) != 0 ||
        zip_read(&z->zip, SPAN("compartment-map.json"), &text, e) != 0)
        return -1;
    sha512_hex(text, got);
    if (sha512.p != NULL && !span_is(sha512, got))
        return err_set(e, EXIT_INTEGRITY,
                       "its compartment map has the hash %.12s…, not %.*s…", got,
                       (int)(sha512.n < 12 ? sha512.n : 12), sha512.p);
    return read_map(z, text, e);
}

static int check(struct archive *z, struct span zip, struct span sha512, struct err *e)
{
    if (open_map(z, zip, sha512, e) != 0) return -1;
    if (z->zip.unread == 0) return bad_map(e, "a map of no file");
    return index_map(z, e) != 0 ? -1 : walk(z, e);
}

static void tell(struct archive *z, struct arena *a, struct bundle_info *info)
{
    struct bundle_module *list = ARENA_ARRAY(a, struct bundle_module, z->module_count + 1);
    for (size_t i = 0; i < z->module_count; i++) {
        list[i] = z->modules[i];
        list[i].file = arena_copy(a, list[i].file);
        list[i].parser = arena_copy(a, list[i].parser);
    }
    info->modules = list;
    info->module_count = z->module_count;
}

static void begin(struct archive *z, struct arena *a)
{
    *z = (struct archive){ .a = a };
    arena_init(a);
    map_init(&z->compartments);
    map_init(&z->places);
    map_init(&z->met);
    map_init(&z->zip.files);
    arena_init(&z->zip.arena);
}

static void end(struct archive *z)
{
    zip_close(&z->zip);
    map_fini(&z->met);
    map_fini(&z->places);
    map_fini(&z->compartments);
    arena_fini(z->a);
}

int compartments_check(struct span zip, struct span sha512, struct arena *a,
                  struct bundle_info *info, struct err *e)
{
    struct arena mine;
    struct archive z;
    begin(&z, &mine);
    int rc = check(&z, zip, sha512, e);
    if (rc == 0 && info != NULL) {
        rc = find_entry(&z, a, &info->entry, e);
        if (rc == 0) tell(&z, a, info);
    }
    end(&z);
    return rc;
}

int compartments_entry(struct span zip, struct arena *a, struct bundle_entry *out, struct err *e)
{
    struct arena mine;
    struct archive z;
    begin(&z, &mine);
    int rc = open_map(&z, zip, SPAN_NONE, e) != 0 ? -1 : find_entry(&z, a, out, e);
    end(&z);
    return rc;
}
