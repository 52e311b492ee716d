/* jsvalue.h -- what JavaScript does with the values that devices are given. */
#pragma once

#include "kernel/marshal.h"

bool jsvalue_truthy(const struct pass *v);
/* a === b; of records, arrays and errors, that they are one node. */
bool jsvalue_same(const struct pass *a, const struct pass *b);
/* `${v}`; false if it throws. */
bool jsvalue_text(struct arena *a, const struct pass *v, struct span *out);
/* Nat(v), below 2^120; false if it throws, or v is larger (our limit). */
typedef __int128 natural;
bool jsvalue_nat(const struct pass *v, natural *out);
/* The same below 2^64. */
bool jsvalue_u64(const struct pass *v, uint64_t *out);

/* JSON.stringify(v).  `bigints`: they are written as strings; else they throw. */
enum jsvalue_json { JSVALUE_JSON = 0, JSVALUE_JSON_UNDEFINED, JSVALUE_JSON_THROWS };
enum jsvalue_json jsvalue_to_json(struct buf *b, const struct pass *v, bool bigints);
/* JSON.parse(text); NULL if it throws. */
const struct pass *jsvalue_from_json(struct arena *a, struct span text);

/* A copy in `a`; remotables are not copied, being themselves. */
const struct pass *jsvalue_copy(struct arena *a, const struct pass *v);
const struct pass *jsvalue_bigint(struct arena *a, natural n);
const struct pass *jsvalue_record1(struct arena *a, const char *key, const struct pass *value);
/* A record with one member set. */
const struct pass *jsvalue_with(struct arena *a, const struct pass *record, struct span key,
                              const struct pass *value);
const struct pass *jsvalue_member(const struct pass *record, struct span key);
