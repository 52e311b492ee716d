/* Bundles from anybody: JSON -> base64 -> zip -> compartment map -> modules.  The input is
 * taken as a bundle's text, and as the archive in one (without a hash to hold it against, so
 * that a changed map is read, too).
 *
 *     make build/fuzz/fuzz_bundle && build/fuzz/fuzz_bundle NEW-DIR tests/fuzz/corpus/bundle
 *     build/tests/fuzz/fuzz_bundle tests/fuzz/corpus/bundle      (the corpus only)
 */
#include <stddef.h>
#include <stdint.h>

#include "store/compartments.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_info(const struct bundle_info *info, size_t bytes)
{
    size_t sum = 0;
    INVARIANT(info->module_count > 0);
    INVARIANT(info->entry.package.p != NULL && info->entry.module.p != NULL);
    for (size_t i = 0; i < info->module_count; i++) {
        INVARIANT(info->modules[i].file.p != NULL && info->modules[i].parser.p != NULL);
        INVARIANT(info->modules[i].bytes <= bytes);
        sum += info->modules[i].bytes;
    }
    INVARIANT(sum <= (size_t)256 << 20);
}

static bool same(struct span a, struct span b)
{
    return (a.p == NULL) == (b.p == NULL) && span_eq(a, b);
}

/* What is taken has an entry, and the same one whoever asks; what is refused says why. */
static void try_archive(struct span zip, struct arena *a)
{
    struct bundle_info info = { 0 };
    struct bundle_entry entry = { 0 };
    struct err e = { 0 };
    int rc = compartments_check(zip, SPAN_NONE, a, &info, &e);
    if (rc == 0) {
        check_info(&info, zip.n);
        INVARIANT(compartments_entry(zip, a, &entry, &e) == 0);
        INVARIANT(same(entry.package, info.entry.package));
        INVARIANT(same(entry.version, info.entry.version));
        INVARIANT(same(entry.module, info.entry.module));
    } else {
        INVARIANT(e.text[0] != '\0' && e.exit != EXIT_OK);
        if (compartments_entry(zip, a, &entry, &e) == 0)
            INVARIANT(entry.package.p != NULL && entry.module.p != NULL);
    }
}

/* What run time takes, a config takes, by the same ID; and no other ID. */
static void try_bundle(struct span text, struct arena *a)
{
    struct bundle_info loose = { 0 }, strict = { 0 };
    struct err e = { 0 };
    int rc = bundle_check(text, false, SPAN_NONE, a, &loose, &e);
    int again = bundle_check(text, true, SPAN_NONE, a, &strict, &e);
    INVARIANT(rc == 0 || again != 0);
    if (rc != 0) return;
    check_info(&loose, loose.zip_bytes);
    INVARIANT(bundle_check(text, false, loose.id, a, NULL, &e) == 0);
    INVARIANT(bundle_check(text, false, SPAN("b1-"), a, NULL, &e) != 0);
    if (again == 0) INVARIANT(span_eq(loose.id, strict.id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = { (const char *)data, size };
    struct arena a;
    arena_init(&a);
    try_bundle(input, &a);
    try_archive(input, &a);
    arena_fini(&a);
    return 0;
}
