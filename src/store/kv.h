/* kv.h -- the kvStore: every piece of kernel state as key and value.
 *
 * Reads and writes go through a table in memory whose values are the truth (S1); SQLite
 * is behind it and is brought up to date before a range scan and at commit.  Each
 * kv_set and kv_delete of a consensus key feeds the crankhash in call order, with no
 * folding of repeats (upstream's swingStore.js).
 *
 * Keys: "local.…" is kept but not hashed; "host.…" is the host's: kv_set refuses it.
 *
 * Keys and values are WTF-8 (base/json.h), and a lone surrogate fares as it does between
 * swing-store, Node and SQLite: it is kept as it is, so that what was set under such a key is
 * found under it; in the crankhash it is one U+FFFD; in a value that is read, three.
 */
#pragma once

#include "store/store.h"

/* False if the key is absent; `value` (may be NULL) is written only on true. */
bool kv_get(struct store *s, struct span key, struct span *value);
void kv_set(struct store *s, struct span key, struct span value);
/* Set a long value that changes a little at a time.  The crankhash covers `change`, which
 * together with the old value must determine the new one, in place of the value; so only
 * where hashes need not be upstream's. */
void kv_set_as(struct store *s, struct span key, struct span value, struct span change);
/* Set for every key that starts with `from` one that starts with `to` and goes on alike, to
 * the same value: in the order of keys, and hashed, as if each were kv_get and kv_set.
 * call  when nothing starts with `to`. */
struct kv_copied {
    uint64_t keys, bytes; /* bytes: of what follows `to`, and of values */
};
struct kv_copied kv_copy(struct store *s, struct span from, struct span to);
/* Deleting what is not there is allowed, and hashed all the same. */
void kv_delete(struct store *s, struct span key);
/* The smallest key above `prev`, in byte order, as it is kept.  (Upstream's getNextKey reads
 * it back: a key with a lone surrogate comes as another, which need not be there.  Where that
 * can be told, wtf8_read_back() is for the caller.) */
bool kv_next_key(struct store *s, struct span prev, struct span *key);

/* The host's own keys ("host.…"), never hashed. */
void kv_host_set(struct store *s, struct span key, struct span value);
void kv_host_delete(struct store *s, struct span key);
