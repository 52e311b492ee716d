/* bundle_check.c -- from a bundle's JSON text to the archive in it.  No store is needed. */
#include "store/compartments.h"

/* -- base64 --------------------------------------------------------------------- */

/* Strictly: no white space, padding where it belongs, no bits beyond the end. */
static bool base64_decode(struct span text, struct buf *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char padding[] = "==";
    signed char value[256];
    memset(value, -1, sizeof value);
    for (int i = 0; i < 64; i++)
        value[(unsigned char)alphabet[i]] = (signed char)i;
    if (text.n % 4 != 0) return false;
    size_t pad = 0;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == padding[pad])
        pad++;
    size_t n = text.n - pad;
    uint32_t bits = 0;
    unsigned have = 0;
    char *to = buf_room(out, text.n / 4 * 3 + 1);
    for (size_t i = 0; i < n; i++) {
        signed char v = value[(unsigned char)text.p[i]];
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        *to++ = (char)(bits >> have);
        out->n++;
    }
    return (bits & ((1U << have) - 1)) == 0;
}

int bundle_unpack(struct jval bundle, struct arena *a, struct buf *zip, struct span *id,
                  struct bundle_info *info, struct err *e)
{
    struct span sha512 = json_str(json_get(bundle, "endoZipBase64Sha512"), a);
    struct span base64 = json_str(json_get(bundle, "endoZipBase64"), a);
    if (sha512.p == NULL || base64.p == NULL)
        return err_set(e, EXIT_INCOMPATIBLE, "bundle: endoZipBase64 without its %s",
                       sha512.p == NULL ? "endoZipBase64Sha512" : "endoZipBase64");
    int rc = base64_decode(base64, zip)
                 ? compartments_check(buf_span(zip), sha512, a, info, e)
                 : err_set(e, EXIT_INTEGRITY, "its endoZipBase64 is not base64");
    if (rc != 0) return err_while(e, "bundle");
    *id = arena_printf(a, "b1-%.*s", SPAN_ARG(sha512));
    return 0;
}

/* -- checking ------------------------------------------------------------------- */

/* Just moduleFormat, endoZipBase64 and endoZipBase64Sha512, all strings. */
static bool is_plain(struct jval bundle, struct arena *a)
{
    static const char *const names[] = { "moduleFormat", "endoZipBase64",
                                         "endoZipBase64Sha512" };
    for (size_t i = 0; i < json_len(bundle); i++) {
        struct span key = json_key_at(bundle, i, a);
        bool known = false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            known = known || span_is(key, names[k]);
        if (!known) return false;
    }
    return true;
}

static int check(struct jval bundle, bool strictly, struct span alleged, struct arena *a,
                 struct bundle_info *out, struct err *e)
{
    struct span format = json_str(json_get(bundle, "moduleFormat"), a);
    if (format.p == NULL)
        return err_set(e, EXIT_INCOMPATIBLE, "bundle: no moduleFormat: not a bundle");
    if (!span_is(format, "endoZipBase64"))
        return err_set(e, EXIT_INCOMPATIBLE,
                       "bundle: moduleFormat %.*s, which has no hash to be known by; only "
                       "endoZipBase64 has",
                       (int)(format.n < 80 ? format.n : 80), format.p);
    if (strictly && !is_plain(bundle, a))
        return err_set(e, EXIT_INCOMPATIBLE,
                       "bundle: something besides moduleFormat, endoZipBase64 and "
                       "endoZipBase64Sha512 is in it");
    struct buf zip = { 0 };
    int rc = bundle_unpack(bundle, a, &zip, &out->id, out, e);
    out->zip_bytes = zip.n;
    buf_fini(&zip);
    if (rc == 0 && alleged.p != NULL && !span_eq(alleged, out->id))
        return err_set(e, EXIT_INTEGRITY,
                       "the alleged bundle ID %.*s does not match the actual one, %.*s",
                       (int)(alleged.n < 140 ? alleged.n : 140), alleged.p,
                       SPAN_ARG(out->id));
    return rc;
}

int bundle_check(struct span json_text, bool strictly, struct span alleged, struct arena *a,
                 struct bundle_info *info, struct err *e)
{
    struct bundle_info found = { 0 };
    struct jval bundle;
    if (json_parse(a, json_text, &bundle, e) != 0) {
        e->exit = EXIT_INCOMPATIBLE;
        return err_while(e, "bundle");
    }
    if (check(bundle, strictly, alleged, a, &found, e) != 0) return -1;
    if (info != NULL) *info = found;
    return 0;
}
