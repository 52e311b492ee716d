/* value.h -- passable data as readable JSON, and back.
 *
 * Plain data is plain JSON.  What JSON lacks is a record with one "@" key:
 *
 *   {"@ref":"ko12","iface":"counter"}   a reference; a promise is {"@ref":"kp40"}
 *   {"@undefined":true}                 (at the top, in text: undefined)
 *   {"@bigint":"7"}  {"@number":"NaN"}  {"@symbol":"@@asyncIterator"}
 *   {"@error":{"name":"Error","message":"no"}}
 *   {"@tagged":"copySet","payload":[…]}
 *
 * and a record whose own key begins with "@" has one "@" more there.  All but tagged data
 * can also be given as arguments.  A symbol goes by its name if it is registered
 * (Symbol.for), by "@@" and its name if it is a property of Symbol, and by "@@@@x" if it is
 * registered as "@@x", as upstream's marshal has it.
 *
 * What is read may also say "#" for "@" and "slot" for "ref", as upstream's tests and tools
 * write references ({"#slot":"ko12"}); so keys that begin with "#" are doubled like those
 * with "@".
 */
#pragma once

#include "base/json.h"
#include "kernel/marshal.h"

void value_put(struct buf *b, const struct pass *value);
/* One line for people: `Error: message` for an error, else its JSON. */
void value_put_reason(struct buf *b, const struct pass *value);

/* Checks that a reference exists, and gives it as the kernel writes it, in `a`. */
typedef int value_resolve(void *ctx, struct arena *a, struct span ref,
                          struct span *kref_text, struct err *e);

/* fails  EXIT_USAGE an unknown form; what `resolve` fails with. */
int value_from_json(struct arena *a, struct jval v, value_resolve *resolve, void *ctx,
                    const struct pass **out, struct err *e) MUST_CHECK;

/* The name of a method: the text itself, or a symbol, written {"@symbol":NAME} and nothing
 * else; so no method of a name that begins with {"@symbol" can be called.
 * fails  EXIT_USAGE what begins so and is no symbol. */
int value_method(struct arena *a, struct span text, const struct pass **out,
                 struct err *e) MUST_CHECK;
