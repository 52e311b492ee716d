#!/bin/sh
# The command line itself: help, version, usage errors, completion, the man page.
. tests/e2e/lib.sh

# -- help ------------------------------------------------------------------------------

verbs=$("$zygote" help --json | node -e '
    const v = JSON.parse(require("fs").readFileSync(0, "utf8"));
    console.log(v.verbs.map(x => x.name).join(" "))')

expect "help" 0 "$zygote" help
for verb in $verbs; do prints "  $verb "; done
expect "--help is help" 0 "$zygote" --help
prints "usage: zygote"
expect "-h is help" 0 "$zygote" -h
prints "usage: zygote"
for verb in $verbs; do
    expect "$verb --help" 0 "$zygote" "$verb" --help
    prints "usage: zygote $verb"
    prints "--json"
    expect "help $verb" 0 "$zygote" help "$verb"
    prints "usage: zygote $verb"
done
expect "help --json" 0 "$zygote" help --json
json stdout 'v.schema === 1 && v.verbs.every(x => x.summary && Array.isArray(x.options))'
expect "help lines are at most 80 columns wide" 0 "$zygote" help fork
[ "$(awk '{ gsub(/[\200-\277]/, "") } length > 80' "$out" | wc -l)" = 0 ] || complain "too wide"

expect "version" 0 "$zygote" version
prints "zygote $(node -p 'require("./package.json").version')"
expect "--version" 0 "$zygote" --version
prints "zygote "
expect "version --json" 0 "$zygote" --json version
json stdout 'v.schema === 1 && v.version === require("./package.json").version'

# -- usage errors ------------------------------------------------------------------------

expect "no verb" 2 "$zygote"
says "no verb"
says "hint: zygote help"
silent
expect "unknown verb" 2 "$zygote" sned
says 'unknown verb "sned"; did you mean "send"?'
expect "unknown verb, nothing near" 2 "$zygote" frobnicate
says 'unknown verb "frobnicate"'
if grep -q 'did you mean' "$err"; then complain "a far suggestion"; fi
expect "unknown long option" 2 "$zygote" ps --jsno
says "unknown option --jsno; did you mean --json?"
expect "unknown short option" 2 "$zygote" ps -Z
says "unknown option -Z"
expect "option of another verb" 2 "$zygote" ps --cranks 3
says "--cranks is not an option of ps"
expect "option without its value" 2 "$zygote" ps -C
says "--dir needs STORE"
expect "value for a switch" 2 "$zygote" ps --json=yes
says "--json takes no value"
expect "too few arguments" 2 "$zygote" send alice
says "send: too few arguments; usage: zygote send TARGET METHOD"
expect "too many arguments" 2 "$zygote" ps all
says "ps: too many arguments"
expect "not a number" 2 "$zygote" run --cranks many
says "--cranks must be a whole number, 1 or more, not many"
expect "zero children" 2 "$zygote" fork v1 -n 0
says "--count must be a whole number"
expect "too many children" 2 "$zygote" fork v1 -n 1000001
says "--count must be at most 1000000"
expect "json and plain" 2 "$zygote" --json --plain ps
json stderr 'v.error.exit === 2'
expect "unknown verb under --json" 2 "$zygote" sned --json
json stderr 'v.error.code === "UNKNOWN_VERB" && v.error.exit === 2 && v.error.hint === "zygote help"'
silent
expect "help for an unknown verb" 2 "$zygote" help sned
says 'unknown verb "sned"'

# -- options anywhere ---------------------------------------------------------------------

expect "-C before the verb" 3 "$zygote" -C "$dir/none" ps
says "$dir/none: no store there"
expect "-C behind the verb, glued" 3 "$zygote" ps -C"$dir/none"
says "$dir/none: no store there"
expect "--dir=" 3 "$zygote" ps "--dir=$dir/none"
says "$dir/none: no store there"
expect "ZYGOTE_STORE" 3 env ZYGOTE_STORE="$dir/named" "$zygote" ps
says "$dir/named: no store there"
expect "the default store" 3 sh -c 'cd "$1" && "$2" ps' sh "$dir" "$zygote"
says "zygote-store: no store there"

# -- output that cannot be written ---------------------------------------------------------

expect "a full disk" 1 sh -c '"$1" help >/dev/full' sh "$zygote"
says "cannot write to standard output"

# -- completion ---------------------------------------------------------------------------

expect "completion bash" 0 "$zygote" completion bash
for verb in $verbs; do prints "$verb"; done
bash -n "$out" || complain "bash does not parse it"
cat >"$dir/try.bash" <<'EOF'
source "$1"
COMP_WORDS=(zygote fork --na) COMP_CWORD=2
_zygote
echo "${COMPREPLY[*]}"
COMP_WORDS=(zygote zy) COMP_CWORD=1
_zygote
echo "${COMPREPLY[*]}"
EOF
cp "$out" "$dir/zygote.bash"
expect "bash completes" 0 bash "$dir/try.bash" "$dir/zygote.bash"
prints "--name"
prints "zygotify"
for shell in zsh fish; do
    expect "completion $shell" 0 "$zygote" completion $shell
    for verb in $verbs; do prints "$verb"; done
    if command -v $shell >/dev/null; then $shell -n "$out" || complain "$shell does not parse it"; fi
done
expect "completion for another shell" 2 "$zygote" completion tcsh
says "no completion for tcsh"

# -- the man page -----------------------------------------------------------------------------

# Verbs and options of zygote(1), as `help --json` names them, and back.
"$zygote" help --json >"$dir/help.json"
expect "the man page names the same verbs and options" 0 node -e '
    const fs = require("fs");
    const help = JSON.parse(fs.readFileSync(process.argv[1], "utf8"));
    const man = fs.readFileSync("man/zygote.1", "utf8");
    const section = name => man.split(`.Ss ${name}\n`)[1].split(/^\.S[sh] /m)[0];
    const all = text => new Set([...text.matchAll(/Fl -([a-z][a-z-]*)/g)].map(m => m[1]));
    const same = (what, have, want) => {
        const odd = [...want].filter(x => !have.has(x)).concat([...have].filter(x => !want.has(x)));
        if (odd.length) { console.error(`${what}: ${odd.join(" ")}`); process.exitCode = 1; }
    };
    const entries = section("Verbs").split(/^\.It Cm /m).slice(1);
    same("verbs", new Set(entries.map(x => x.match(/^[\w-]+/)[0])), new Set(help.verbs.map(v => v.name)));
    same("options", all(section("Options of every verb")), new Set(help.options.map(o => o.name)));
    const global = new Set(help.options.map(o => o.name));
    for (const entry of entries) {
        const name = entry.match(/^[\w-]+/)[0];
        const verb = help.verbs.find(v => v.name === name);
        const own = new Set([...all(entry)].filter(o => !global.has(o)));
        same(`options of ${name}`, own, new Set(verb.options.map(o => o.name)));
    }
    for (const code of [0, 1, 2, 3, 4, 5, 6, 8, 9])
        if (!man.includes(`.It ${code}\n`)) { console.error(`exit ${code}`); process.exitCode = 1; }
' "$dir/help.json"
if command -v groff >/dev/null; then
    expect "the man page formats without a warning" 0 groff -mdoc -Tutf8 -ww man/zygote.1
    [ ! -s "$err" ] || complain "warnings"
fi

finish
