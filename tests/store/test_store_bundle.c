/* test_store_bundle.c -- bundles: what goes in comes out, and what lies is refused. */
#include "lib/bundles.h"

#include <stdio.h>

#include "store/bundle.h"

static struct store *fresh(void)
{
    struct store *s = NULL;
    struct err e = { 0 };
    if (store_open(NULL, STORE_CREATE, &s, &e) != 0) fail_msg("%s", e.text);
    return s;
}

static void refused(struct store *s, struct span json, enum exit_code code,
                    const char *says)
{
    struct span id = SPAN("untouched");
    struct err e = { 0 };
    assert_int_equal(bundle_add(s, json, &id, &e), -1);
    if (strstr(e.text, says) == NULL) fail_msg("'%s' does not say '%s'", e.text, says);
    assert_int_equal(e.exit, code);
    assert_span_is(id, "untouched");
}

static void comes_back(struct store *s, struct span id, struct span want)
{
    struct buf got = { 0 };
    struct err e = { 0 };
    if (bundle_get(s, id, &got, &e) != 0) fail_msg("%s", e.text);
    assert_true(span_eq(buf_span(&got), want));
    buf_fini(&got);
}

static void round_trip(void)
{
    struct store *s = fresh();
    struct sample m;
    struct span id;
    struct err e = { 0 };
    struct buf want = { 0 };
    make_sample(&m, false);
    for (int i = 0; i < 2; i++) {
        if (bundle_add(s, buf_span(&m.json), &id, &e) != 0) fail_msg("%s", e.text);
        assert_true(span_starts(id, SPAN("b1-")));
        assert_span_is(span_from(id, 3), m.sha512);
        assert_true(bundle_has(s, id));
    }
    buf_printf(&want,
               "{\"moduleFormat\":\"endoZipBase64\",\"endoZipBase64Sha512\":\"%s\","
               "\"endoZipBase64\":\"",
               m.sha512);
    put_base64(&want, buf_span(&m.zip));
    buf_puts(&want, "\"}");
    comes_back(s, id, buf_span(&want));
    buf_fini(&want);
    free_sample(&m);
    store_close(s);
}

TEST(a_zip_comes_back)
{
    round_trip();
}

TEST(a_nested_bundle_comes_back)
{
    struct store *s = fresh();
    struct span id;
    struct err e = { 0 };
    const char *compact = "{\"moduleFormat\":\"nestedEvaluate\",\"source\":\"1 + 1\\n\"}";
    char hash[SHA256_HEX + 1];
    sha256_hex(span_of(compact), hash);
    if (bundle_add(s,
                   SPAN(" { \"moduleFormat\" : \"nestedEvaluate\",\n"
                        "\"source\": \"1 + \\u0031\\u000a\" } "),
                   &id, &e) != 0)
        fail_msg("%s", e.text);
    assert_true(span_starts(id, SPAN("b0-")));
    assert_span_is(span_from(id, 3), hash);
    comes_back(s, id, span_of(compact));
    store_close(s);
}

TEST(what_is_not_a_bundle)
{
    struct store *s = fresh();
    struct buf got = { 0 };
    struct err e = { 0 };
    refused(s, SPAN("{\"moduleFormat\":\"getExport\",\"source\":\"\"}"), EXIT_INCOMPATIBLE,
            "'getExport'");
    refused(s, SPAN("{\"moduleFormat\":\"endoScript\"}"), EXIT_INCOMPATIBLE,
            "'endoScript'");
    refused(s, SPAN("{}"), EXIT_INCOMPATIBLE, "no moduleFormat");
    refused(s, SPAN("[1]"), EXIT_INCOMPATIBLE, "no moduleFormat");
    refused(s, SPAN("{\"moduleFormat\":"), EXIT_USAGE, "bundle: ");
    refused(s, SPAN("{\"moduleFormat\":\"endoZipBase64\"}"), EXIT_INCOMPATIBLE, "Sha512");
    assert_false(bundle_has(s, SPAN("b1-00")));
    assert_int_equal(bundle_get(s, SPAN("b1-00"), &got, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(got.n, 0);
    store_close(s);
}

TEST(bad_base64)
{
    static const char *const bad[] = { "A",    "AA",   "AAA",        "AAAA=", "A===",
                                       "AA=A", "AB==", "AAF=",       "AA A",  "AAA\\n",
                                       "AA-_", "====", "AAAA\\u00e9" };
    struct store *s = fresh();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf json = { 0 };
        buf_printf(&json,
                   "{\"moduleFormat\":\"endoZipBase64\",\"endoZipBase64\":\"%s\","
                   "\"endoZipBase64Sha512\":\"00\"}",
                   bad[i]);
        refused(s, buf_span(&json), EXIT_INTEGRITY, "not base64");
        buf_fini(&json);
    }
    store_close(s);
}

static void refuse_zip(struct store *s, const struct file *files, size_t n,
                       const char *sha512, const char *says)
{
    struct buf zip = { 0 }, json = { 0 };
    make_zip(&zip, files, n);
    bundle_of(&json, buf_span(&zip), sha512);
    refused(s, buf_span(&json), EXIT_INTEGRITY, says);
    buf_fini(&zip);
    buf_fini(&json);
}

TEST(contents_that_lie)
{
    struct store *s = fresh();
    struct sample m;
    make_sample(&m, false);
    struct file map = { "compartment-map.json", buf_span(&m.map), false };
    struct file module = { "a/main.js", span_of(MODULE), false };
    struct file other = { "a/main.js", SPAN("export const evil = 1;"), false };
    struct file packed = { "a/main.js", span_of(MODULE), true };
    struct file more = { "a/more.js", SPAN("1"), false };
    const char *hash = m.sha512, *zeros = "0000";
    refuse_zip(s, (struct file[]){ map, module }, 2, zeros, "not 0000");
    refuse_zip(s, (struct file[]){ map, other }, 2, hash, "module a/main.js");
    refuse_zip(s, (struct file[]){ map }, 1, hash, "no file");
    refuse_zip(s, (struct file[]){ map, more }, 2, hash, "no file a/main.js");
    refuse_zip(s, (struct file[]){ module }, 1, hash, "no file compartment-map.json");
    refuse_zip(s, (struct file[]){ map, module, more }, 3, hash, "not named");
    refuse_zip(s, (struct file[]){ map, packed }, 2, hash, "checksum");
    refuse_zip(s, (struct file[]){ map, module, other }, 3, hash, "module a/main.js");
    refuse_zip(s, (struct file[]){ module, map }, 1, hash, "no file compartment-map.json");
    /* A map that gives its module no hash vouches for nothing. */
    struct file map2 = {
        "compartment-map.json",
        SPAN("{\"entry\":{\"compartment\":\"a\",\"module\":\"m\"},\"compartments\":{\"a\":{"
             "\"name\":\"a\",\"label\":\"a\",\"location\":\"a\",\"modules\":{\"m\":{"
             "\"location\":\"main.js\",\"parser\":\"text\"}}}}}"),
        false
    };
    char map2_hash[SHA512_HEX + 1];
    sha512_hex(map2.content, map2_hash);
    refuse_zip(s, (struct file[]){ map2, module }, 2, map2_hash, "module a/main.js");
    struct file not_json = { "compartment-map.json", SPAN("{"), false };
    sha512_hex(not_json.content, map2_hash);
    refuse_zip(s, (struct file[]){ not_json, module }, 2, map2_hash,
               "compartment-map.json");
    free_sample(&m);
    store_close(s);
}

/* The entry of a stored bundle: whose map says ENTRY, in a compartment called NAME. */
static int entry_of(const char *name, const char *package, struct arena *a,
                    struct bundle_entry *out, struct err *e)
{
    struct store *s = fresh();
    struct buf map = { 0 }, zip = { 0 }, json = { 0 };
    char module_hash[SHA512_HEX + 1], hash[SHA512_HEX + 1];
    struct span id;
    sha512_hex(span_of(MODULE), module_hash);
    buf_printf(&map,
               "{\"tags\":[],\"entry\":{\"compartment\":\"%s\",\"module\":\"./m.js\"},"
               "\"compartments\":{\"%s\":{\"name\":\"%s\",\"label\":\"x\",\"location\":"
               "\"%s\",\"modules\":{\"./m.js\":{\"location\":\"m.js\",\"parser\":\"json\","
               "\"sha512\":\"%s\"}}}}}",
               name, name, package, name, module_hash);
    sha512_hex(buf_span(&map), hash);
    struct span file = arena_printf(a, "%s/m.js", name);
    const struct file files[] = { { "compartment-map.json", buf_span(&map), false },
                                  { file.p, span_of(MODULE), false } };
    make_zip(&zip, files, 2);
    bundle_of(&json, buf_span(&zip), hash);
    if (bundle_add(s, buf_span(&json), &id, e) != 0) fail_msg("%s", e->text);
    int rc = bundle_entry_module(s, id, a, out, e);
    buf_fini(&map);
    buf_fini(&zip);
    buf_fini(&json);
    store_close(s);
    return rc;
}

TEST(where_the_code_starts)
{
    static const struct {
        const char *compartment, *package, *version;
    } cases[] = {
        { "@agoric/swingset-vat-v0.33.0", "@agoric/swingset-vat", "0.33.0" },
        { "a-v1.0.0-rc.1-n12", "a", "1.0.0-rc.1" },
        { "a-v1.0.0-next", "a", "1.0.0-next" },
        { "a", "a", NULL },
        { "b-v1.0.0", "a", NULL },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bundle_entry got = { 0 };
        struct err e = { 0 };
        if (entry_of(cases[i].compartment, cases[i].package, &a, &got, &e) != 0)
            fail_msg("%s", e.text);
        assert_span_is(got.package, cases[i].package);
        assert_span_is(got.module, "./m.js");
        if (cases[i].version == NULL)
            assert_null(got.version.p);
        else
            assert_span_is(got.version, cases[i].version);
    }
    struct store *s = fresh();
    struct bundle_entry got;
    struct err e = { 0 };
    struct span id;
    assert_int_equal(bundle_entry_module(s, SPAN("b1-00"), &a, &got, &e), -1);
    assert_int_equal(e.exit, EXIT_NOT_FOUND);
    assert_int_equal(bundle_add(s, SPAN("{\"moduleFormat\":\"nestedEvaluate\"}"), &id, &e), 0);
    assert_int_equal(bundle_entry_module(s, id, &a, &got, &e), -1);
    assert_int_equal(e.exit, EXIT_INCOMPATIBLE);
    store_close(s);
    arena_fini(&a);
}

/* Cut anywhere it is refused; with any byte changed it is refused or means the same. */
static void maul(void)
{
    struct store *s = fresh();
    struct sample m;
    make_sample(&m, false);
    for (size_t n = 0; n < m.zip.n; n++) {
        struct buf json = { 0 };
        struct span id;
        struct err e = { 0 };
        bundle_of(&json, (struct span){ m.zip.p, n }, m.sha512);
        assert_int_equal(bundle_add(s, buf_span(&json), &id, &e), -1);
        assert_int_equal(e.exit, EXIT_INTEGRITY);
        buf_fini(&json);
    }
    for (size_t at = 0; at < m.zip.n; at++) {
        static const unsigned char change[] = { 1, 0x80, 0xff };
        for (size_t i = 0; i < sizeof change; i++) {
            struct buf json = { 0 };
            struct span id;
            struct err e = { 0 };
            m.zip.p[at] = (char)(m.zip.p[at] ^ change[i]);
            bundle_of(&json, buf_span(&m.zip), m.sha512);
            if (bundle_add(s, buf_span(&json), &id, &e) == 0)
                assert_span_is(span_from(id, 3), m.sha512);
            else
                assert_int_equal(e.exit, EXIT_INTEGRITY);
            m.zip.p[at] = (char)(m.zip.p[at] ^ change[i]);
            buf_fini(&json);
        }
    }
    free_sample(&m);
    store_close(s);
}

TEST(a_mauled_zip)
{
    maul();
}

/* -- the real ones -------------------------------------------------------------- */

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) return false;
    size_t n;
    do {
        n = fread(buf_room(out, 1 << 16), 1, 1 << 16, f);
        out->n += n;
    } while (n > 0);
    fclose(f);
    return true;
}

TEST(lockdown_has_its_published_hash)
{
    struct buf text = { 0 }, hash = { 0 };
    struct span id;
    struct err e = { 0 };
    static const char dist[] = "node_modules/@agoric/xsnap-lockdown/dist/";
    char path[128];
    snprintf(path, sizeof path, "%slockdown.bundle", dist);
    if (!read_file(path, &text)) skip();
    snprintf(path, sizeof path, "%slockdown.bundle.sha256", dist);
    assert_true(read_file(path, &hash));
    struct store *s = fresh();
    if (bundle_add(s, buf_span(&text), &id, &e) != 0) fail_msg("%s", e.text);
    assert_true(span_eq(span_from(id, 3), (struct span){ hash.p, SHA256_HEX }));
    comes_back(s, id, buf_span(&text));
    buf_fini(&text);
    buf_fini(&hash);
    store_close(s);
}

TEST(the_zcf_bundle_is_taken)
{
    struct buf text = { 0 };
    struct span id;
    struct err e = { 0 };
    static const char prefix[] = "export default ";
    if (!read_file("node_modules/@agoric/zoe/bundles/bundle-contractFacet.js", &text))
        skip();
    struct span json = span_from(buf_span(&text), sizeof prefix - 1);
    while (json.n > 0 && json.p[json.n - 1] != '}')
        json.n--;
    struct store *s = fresh();
    if (bundle_add(s, json, &id, &e) != 0) fail_msg("%s", e.text);
    assert_true(bundle_has(s, id));
    buf_fini(&text);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zip_comes_back),
        cmocka_unit_test(a_nested_bundle_comes_back),
        cmocka_unit_test(what_is_not_a_bundle),
        cmocka_unit_test(bad_base64),
        cmocka_unit_test(contents_that_lie),
        cmocka_unit_test(where_the_code_starts),
        cmocka_unit_test(a_mauled_zip),
        cmocka_unit_test(lockdown_has_its_published_hash),
        cmocka_unit_test(the_zcf_bundle_is_taken),
    };
    return cmocka_run_group_tests_name("store: bundles", tests, NULL, NULL);
}
