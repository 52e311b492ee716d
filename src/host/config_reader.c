/* config_reader.c -- reading a config file with errors that say where. */
#include "host/config_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf.h"
#include "host/suggest.h"

void config_blank_comments(char *text, size_t n)
{
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (text[i] == '\n') {
            in_string = false; /* not JSON; the parser will say so at the right place */
        } else if (!in_string && text[i] == '/' && i + 1 < n && text[i + 1] == '/') {
            while (i < n && text[i] != '\n')
                text[i++] = ' ';
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where the key of a member's value starts; the value itself if it has none. */
static const char *key_start(struct span text, const char *value)
{
    const char *p = value;
    while (p > text.p && is_blank(p[-1]))
        p--;
    if (p == text.p || p[-1] != ':')
        return value;
    p--;
    while (p > text.p && is_blank(p[-1]))
        p--;
    p--; /* the closing quote */
    while (p > text.p) {
        p--;
        size_t slashes = 0;
        while (p - slashes > text.p && p[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        if (*p == '"' && slashes % 2 == 0)
            return p;
    }
    return value;
}

static struct span describe(const struct config_reader *r, struct place at)
{
    struct span raw = json_raw(at.value);
    unsigned line = 1, column = 1;
    if (raw.p == NULL)
        return arena_printf(r->a, "%s: %.*s", r->file, SPAN_ARG(at.path));
    const char *where = at.path.n == 0 ? raw.p : key_start(r->text, raw.p);
    for (const char *p = r->text.p; p < where; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return arena_printf(r->a, "%s:%u:%u%s%.*s", r->file, line, column,
                        at.path.n == 0 ? "" : ": ", SPAN_ARG(at.path));
}

int config_fail(const struct config_reader *r, struct place at, enum exit_code exit,
                struct err *e, const char *fmt, ...)
{
    char what[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    struct span where = describe(r, at);
    return err_set(e, exit, "%.*s: %s", SPAN_ARG(where), what);
}

int config_while(const struct config_reader *r, struct place at, struct err *e)
{
    struct span where = describe(r, at);
    return err_while(e, "%.*s", SPAN_ARG(where));
}

/* A key as it is shown in a path: as is, or quoted where that would be unclear. */
static struct span join(struct arena *a, struct span path, struct span key)
{
    bool plain = key.n > 0 && key.n < 200;
    for (size_t i = 0; i < key.n; i++)
        plain =
            plain && (unsigned char)key.p[i] > ' ' && key.p[i] != 0x7f && key.p[i] != '"';
    struct buf b = { 0 };
    buf_put(&b, path);
    if (path.n > 0)
        buf_putc(&b, '.');
    if (plain)
        buf_put(&b, key);
    else
        json_put_string(&b, key.n < 200 ? key : (struct span){ key.p, 200 });
    struct span out = arena_copy(a, buf_span(&b));
    buf_fini(&b);
    return out;
}

struct place config_at(const struct config_reader *r, struct place object, const char *key)
{
    return (struct place){ json_get(object.value, key),
                           join(r->a, object.path, span_of(key)) };
}

int config_members(const struct config_reader *r, struct place object, struct member **out,
                   size_t *count, struct err *e)
{
    enum json_type type = json_type(object.value);
    if (type != JSON_NONE && type != JSON_OBJECT)
        return config_fail(r, object, EXIT_USAGE, e, "must be an object");
    size_t n = json_len(object.value);
    struct member *list = ARENA_ARRAY(r->a, struct member, n + 1);
    struct jval v = json_first(object.value);
    for (size_t i = 0; i < n; i++, v = json_next(v)) {
        list[i].key = json_key_at(object.value, i, r->a);
        list[i].at = (struct place){ v, join(r->a, object.path, list[i].key) };
        for (size_t k = 0; k < i; k++) {
            if (span_eq(list[k].key, list[i].key))
                return config_fail(r, list[i].at, EXIT_USAGE, e, "stands here twice");
        }
    }
    *out = list;
    *count = n;
    return 0;
}

static int check_key(const struct config_reader *r, const struct member *m,
                     const struct config_key *keys, struct err *e)
{
    struct suggest s = suggest_for(m->key);
    for (const struct config_key *k = keys; k->name != NULL; k++) {
        if (span_is(m->key, k->name)) {
            if (k->refused == NULL)
                return 0;
            return config_fail(r, m->at, EXIT_USAGE, e, "%s", k->refused);
        }
        if (k->refused == NULL)
            suggest_offer(&s, k->name);
    }
    return config_fail(r, m->at, EXIT_USAGE, e, "unknown key%s%s%s",
                       s.best != NULL ? "; did you mean \"" : "",
                       s.best != NULL ? s.best : "", s.best != NULL ? "\"?" : "");
}

int config_check_keys(const struct config_reader *r, struct place object,
                      const struct config_key *keys, struct err *e)
{
    struct member *m;
    size_t n;
    if (config_members(r, object, &m, &n, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (check_key(r, &m[i], keys, e) != 0)
            return -1;
    }
    return 0;
}

int config_check_name(const struct config_reader *r, const struct member *m, const char *what,
                      struct err *e)
{
    if (m->key.n == 0)
        return config_fail(r, m->at, EXIT_USAGE, e, "a %s needs a name that is not empty", what);
    if (utf_has_surrogate(m->key))
        return config_fail(r, m->at, EXIT_USAGE, e,
                           "half of a surrogate pair cannot be in the name of a %s", what);
    return 0;
}

int config_bool(const struct config_reader *r, struct place object, const char *key,
                bool *out, struct err *e)
{
    struct place p = config_at(r, object, key);
    enum json_type type = json_type(p.value);
    if (type == JSON_NONE)
        return 0;
    if (type != JSON_TRUE && type != JSON_FALSE)
        return config_fail(r, p, EXIT_USAGE, e, "must be true or false");
    *out = type == JSON_TRUE;
    return 0;
}

int config_string(const struct config_reader *r, struct place object, const char *key,
                  struct span *out, struct err *e)
{
    struct place p = config_at(r, object, key);
    if (!config_has(p))
        return 0;
    struct span s = json_str(p.value, r->a);
    if (s.p == NULL)
        return config_fail(r, p, EXIT_USAGE, e, "must be a string");
    if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL)
        return config_fail(r, p, EXIT_USAGE, e, "must be a string that is not empty");
    *out = s;
    return 0;
}

int config_count(const struct config_reader *r, struct place object, const char *key,
                 int64_t least, int64_t *out, struct err *e)
{
    struct place p = config_at(r, object, key);
    uint64_t n;
    if (!config_has(p))
        return 0;
    if (!json_u64(p.value, &n) || (int64_t)n < least)
        return config_fail(r, p, EXIT_USAGE, e,
                           "must be a whole number, %" PRId64 " or more", least);
    *out = (int64_t)n;
    return 0;
}

int config_reap(const struct config_reader *r, struct place object, const char *key,
                int64_t *out, struct err *e)
{
    struct place p = config_at(r, object, key);
    uint64_t n;
    if (!config_has(p))
        return 0;
    if (json_is(p.value, "never")) {
        *out = REAP_NEVER;
    } else if (json_u64(p.value, &n)) {
        *out = (int64_t)n;
    } else {
        return config_fail(r, p, EXIT_USAGE, e, "must be a whole number or \"never\"");
    }
    return 0;
}
