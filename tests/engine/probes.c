#include "engine/probes.h"

#include "base/json.h"
#include "engine/setup.h"

/* Messages name host functions (through dladdr) or what the vat called; positions of parse
 * errors; values that cannot be what they should.  Before lockdown, so nothing is censored. */
static const char *const probes[] = {
    "new RegExp('(')",
    "new RegExp('a', 'zz')",
    "/(?<n>a)(?<n>b)/",
    "'x'.repeat(-1)",
    "'x'.normalize('nope')",
    "(1).toFixed(101)",
    "(1).toString(99)",
    "new Array(-1)",
    "[].reduce((a, b) => a)",
    "Array.from.call(null, 7)",
    "null.x",
    "undefined.f()",
    "({}).f()",
    "x",
    "let y = y",
    "const c = 1; c = 2",
    "Object.defineProperty(Object.freeze({}), 'a', { value: 1 })",
    "'use strict'; Object.freeze([1]).push(2)",
    "Symbol() + ''",
    "BigInt(1.5)",
    "1n + 1",
    "2n ** -1n",
    "JSON.parse('{\"a\":')",
    "JSON.parse('[1,]')",
    "const a = {}; a.a = a; JSON.stringify(a)",
    "JSON.stringify(1n)",
    "new Proxy({}, null)",
    "new Proxy({}, { ownKeys: () => [1] }); Object.keys(new Proxy({}, { ownKeys: () => [1] }))",
    "Reflect.construct(1)",
    "new (class A { constructor() { this.x; } static #p = 1; m() { return A.q.#p; } })().m()",
    "class B extends null {}; new B()",
    "class C extends Object { constructor() { this.x = 1; } }; new C()",
    "new Map([1])",
    "new WeakMap([[1, 2]])",
    "new WeakRef(1)",
    "new FinalizationRegistry(1)",
    "Map.prototype.get.call({}, 1)",
    "Promise()",
    "new Promise(1)",
    "function* g() {}; new g()",
    "[...1]",
    "const [p] = {}; p",
    "new DataView(new ArrayBuffer(1), 2)",
    "new Uint16Array(new ArrayBuffer(3))",
    "new ArrayBuffer(-1)",
    "Atomics.wait(new Int32Array(8), 0, 0)",
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)",
    "new Date(NaN).toISOString()",
    "decodeURIComponent('%')",
    "'abc'.matchAll(/b/)",
    "eval('1 +')",
    "eval('var var')",
    "eval('\"unterminated')",
    "eval('a => { return }}')",
    "import.meta",
    "issueCommand()",
    "issueCommand(1)",
    "resetMeter()",
    "harden()",
    "harden(Object.create(null, { a: { get() { throw Error('no'); } } })); harden(1)",
    "setImmediate()",
    "new TextDecoder('latin1')",
    "new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))",
    "TextDecoder()",
    "new TextDecoder().decode(1)",
    "new TextEncoder().encodeInto('a')",
    "TextEncoder.prototype.encode.call(1, 'a')",
    "Base64.decode('*')",
    "Base64.encode(1)",
    "print(Symbol())",
    "performance.now.call()()",
    "new Compartment(1)",
    "lockdown(); lockdown()",
    "Date.now()",
    "throw Error('mine')",
    "throw 7",
    "throw { toString() { return 'odd'; } }",
    "(function f() { f(...'ab'); }).call().x",
    "(() => { try { null.x } finally { undefined.y } })()",
    "Object.setPrototypeOf(Object.preventExtensions({}), {})",
    "Intl",
};

int probes_count(void)
{
    return sizeof probes / sizeof probes[0];
}

static void put_reply(int i, const struct buf *reply, bool alive, int code, struct buf *lines)
{
    buf_printf(lines, "message.%d ", i);
    json_put_string(lines, span_of(probes[i]));
    buf_puts(lines, " -> ");
    if (!alive) buf_printf(lines, "exit %d", code);
    else if (reply->p[0] == '!') json_put_string(lines, buf_span(reply));
    else buf_puts(lines, "no error");
    buf_putc(lines, '\n');
}

/* Each in a process of its own: some end it. */
static void run_probe(const char *binary, int i, struct buf *lines)
{
    struct driver d;
    struct buf reply = { 0 }, command = { 0 };
    driver_start(&d, binary, NULL, -1);
    buf_printf(&command, "e%s", probes[i]);
    bool alive = driver_command(&d, buf_span(&command), &reply);
    int code = driver_stop(&d);
    put_reply(i, &reply, alive, code, lines);
    buf_fini(&reply);
    buf_fini(&command);
}

void probes_run(const char *binary, struct buf *lines)
{
    for (int i = 0; i < probes_count(); i++) run_probe(binary, i, lines);
}
