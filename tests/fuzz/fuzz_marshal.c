/* Bodies from anybody: what decodes encodes, and that decodes to the same again.
 *
 * The first byte says how many slots there are; the rest is the body.
 *
 *     make fuzz FUZZ=marshal                                    (libFuzzer, clang)
 *     build/tests/fuzz/fuzz_marshal tests/fuzz/corpus/marshal   (with plain.c: the corpus)
 */
#include <stddef.h>
#include <stdint.h>

#include "kernel/marshal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two values that kunser(kser()) does not leave alone: a registered symbol "@@…\n" gets
 * another "@@" each time (see decode_symbol()); and where a slot is first met, which is
 * where its interface is written, differs between reading and writing for names like "9"
 * and "10". */
static bool may_change(const struct pass *p, bool any_slots)
{
    if (p->style == PASS_SYMBOL) return span_starts(p->text, SPAN("@@"));
    for (size_t i = 0; i < p->count; i++) {
        bool index = p->keys != NULL && p->keys[i].n > 0 && p->keys[i].p[0] >= '0'
                     && p->keys[i].p[0] <= '9';
        if ((index && any_slots) || may_change(p->items[i], any_slots)) return true;
    }
    return false;
}

static void check_slots(const struct vat_capdata *data)
{
    for (size_t i = 0; i < data->count; i++)
        INVARIANT(data->slots[i].n == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct span texts[] = { { "ko1", 3 }, { "kp2", 3 }, { "ko3", 3 }, { "kd4", 3 } };
    struct vat_capdata in = { .slots = texts }, once, twice;
    const struct pass *value = NULL, *again = NULL;
    const char *why = NULL;
    struct capdata k = { .count = 0 };
    kref slots[4], found = { .kind = KREF_DEVICE };
    struct arena a;

    if (size == 0) return 0;
    arena_init(&a);
    in.count = data[0] % 5;
    in.body = (struct span){ (const char *)data + 1, size - 1 };
    bool ok = marshal_decode(&a, &in, &value, &why);
    INVARIANT(ok == (why == NULL) && ok == (value != NULL));

    k = (struct capdata){ in.body, in.count, slots };
    for (size_t i = 0; i < in.count; i++)
        INVARIANT(kref_parse(texts[i], &slots[i]));
    INVARIANT(marshal_single_slot(&a, &k, &found) == ok);
    INVARIANT(marshal_method(&a, in.body).p != NULL);

    if (ok) {
        marshal_encode(&a, value, &once);
        INVARIANT(once.count <= in.count);
        check_slots(&once);
        if (!marshal_decode(&a, &once, &again, &why))
            BUG("what was encoded does not decode");
        marshal_encode(&a, again, &twice);
        INVARIANT(span_eq(once.body, twice.body) || may_change(value, once.count > 0));
        INVARIANT(once.count == twice.count);
        for (size_t i = 0; i < once.count; i++) {
            INVARIANT(span_eq(once.slots[i], twice.slots[i]));
        }
    }

    /* As names, too. */
    vref v;
    kref name;
    if (vref_parse(in.body, &v)) INVARIANT(v.kind != KREF_INVALID && v.text.n == in.body.n);
    if (kref_parse(in.body, &name)) {
        struct id_text t = kref_text(name);
        INVARIANT(span_eq(span_of(t.s), in.body));
    }
    arena_fini(&a);
    return 0;
}
