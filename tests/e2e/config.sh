#!/bin/sh
# Configs: each key works or is refused by name, in one line that says where.
. tests/e2e/lib.sh

bundles=$build/bundles
vat=$bundles/minimal-alice.json
store=$dir/store

# NAME RC TEXT: `init` of the config on standard input says TEXT in one line, and leaves
# nothing behind.
refused() {
    cat >"$dir/config.json"
    expect "$1" "$2" "$zygote" -C "$store" init "$dir/config.json"
    says "$3"
    silent
    [ "$(grep -vc '^hint: ' "$err")" = 1 ] || complain "not one line"
    [ ! -e "$store" ] || complain "a store was left behind"
    rm -rf "$store"
}

# The same, of one vat: NAME RC TEXT VAT.
refused_vat() {
    refused "$1" "$2" "$3" <<EOF
{ "bootstrap": "b", "vats": { "b": $4 } }
EOF
}

# One more root key: NAME RC TEXT MEMBER.
refused_root() {
    refused "$1" "$2" "$3" <<EOF
{ "bootstrap": "b", "vats": { "b": { "bundleSpec": "$vat" } },
  $4 }
EOF
}

# -- files ---------------------------------------------------------------------------------

expect "no such config" 3 "$zygote" -C "$store" init "$dir/none.json"
says "config: no such file: $dir/none.json"
expect "a directory without bootstrap.js" 3 "$zygote" -C "$store" init "$dir"
says "config: no bootstrap.js in $dir"
expect "neither file nor directory" 1 "$zygote" -C "$store" init /dev/null
says "is not a regular file"
refused "not JSON: line and column" 2 "config.json: line 2 column 20: " <<'EOF'
{
  "bootstrap": "b" "vats": {}
}
EOF
refused "empty" 2 "config.json: line 1 column 1: " </dev/null
refused "cut short" 2 "config.json: line " <<'EOF'
{ "bootstrap": "b", "vats": {
EOF
refused "a trailing comma" 2 "config.json: line 1 column " <<'EOF'
{ "bootstrap": "b", }
EOF
refused "not an object" 2 "config.json:1:1: a config must be a JSON object" <<'EOF'
[]
EOF
refused "a slash is no comment" 2 "config.json: line 1 column 3: " <<'EOF'
{ / "bootstrap": "b" }
EOF

# -- the root --------------------------------------------------------------------------------

refused "no bootstrap" 2 'no "bootstrap": name the vat' <<EOF
{ "vats": { "b": { "bundleSpec": "$vat" } } }
EOF
refused "bootstrap is not among the vats" 2 'config.json:1:3: bootstrap: no "a" in vats' <<EOF
{ "bootstrap": "a", "vats": { "b": { "bundleSpec": "$vat" } } }
EOF
refused_root "unknown key" 2 'config.json:2:3: bootstarp: unknown key; did you mean "bootstrap"?' \
    '"bootstarp": "b"'
refused_root "unknown key with odd characters" 2 '"a\nb": unknown key' '"a\nb": 1'
refused_root "a key twice" 2 'config.json:2:3: bootstrap: stands here twice' '"bootstrap": "b"'
refused_root "wrong type" 2 'zygotes: must be true or false' '"zygotes": "yes"'
refused_root "local is refused" 2 \
    'defaultManagerType: "local" needs Node: vats here are XS workers; use "xs-worker"' \
    '"defaultManagerType": "local"'
refused_root "node-subprocess is refused" 2 'needs Node' '"defaultManagerType": "node-subprocess"'
refused_root "unknown manager" 2 'unknown manager type' '"defaultManagerType": "wasm"'
refused_root "reap interval" 2 'defaultReapInterval: must be a whole number or "never"' \
    '"defaultReapInterval": -1'
refused_root "snapshot interval" 2 'snapshotInterval: must be a whole number, 1 or more' \
    '"snapshotInterval": 1.5'
refused_root "unknown limit" 2 'limits.maxVatsOnlin: unknown key; did you mean "maxVatsOnline"?' \
    '"limits": { "maxVatsOnlin": 4 }'
refused_root "no vat at all" 2 'limits.maxVats: must be a whole number, 1 or more' \
    '"limits": { "maxVats": 0 }'
refused_root "fewer vats than there are" 2 'limits.maxVats: is too few: the config itself has 2 vats' \
    '"limits": { "maxVats": 1 }'
refused_root "a limit that upstream has not" 2 'limits.maxVats: is for stores whose vats can be forked' \
    '"zygotes": false, "limits": { "maxVats": 4 }'
refused_root "a limit of each vat" 2 'limits.maxForks: it is said of each vat: createVat(cap, { maxForks: 3 })' \
    '"limits": { "maxForks": 4 }'
refused_root "no vat-admin" 2 'addVatAdmin: a vat-admin vat is required' '"addVatAdmin": false'
refused_root "bundle format" 8 'bundleFormat: "getExport" is not supported' \
    '"bundleFormat": "getExport"'
refused_root "arguments" 2 'bootstrapArgs: must be an array' '"bootstrapArgs": {}'
refused_root "a bundle that names a bundle" 2 'bundles.x.bundleName: a bundle cannot name another' \
    '"bundles": { "x": { "bundleName": "y" } }'

# -- vats --------------------------------------------------------------------------------------

refused_vat "no bundle" 2 'vats.b: needs exactly one of bundle, bundleSpec, sourceSpec, bundleName; it has none' \
    '{}'
refused_vat "two bundles" 2 'it has several' "{\"bundleSpec\": \"$vat\", \"bundleName\": \"x\"}"
refused_vat "unknown key of a vat" 2 'vats.b.parameter: unknown key; did you mean "parameters"?' \
    "{\"bundleSpec\": \"$vat\", \"parameter\": {}}"
refused_vat "setup vat" 2 'vats.b.setup: setup() is what a vat in an XS worker cannot have' \
    "{\"setup\": \"x\"}"
refused_vat "parameters" 2 'vats.b.parameters: must be an object' \
    "{\"bundleSpec\": \"$vat\", \"parameters\": [1]}"
refused_vat "unknown bundleName" 2 'vats.b.bundleName: no "x" in bundles' '{"bundleName": "x"}'
refused_vat "no such bundle file" 3 "vats.b.bundleSpec: no such file: $dir/none.json" \
    '{"bundleSpec": "none.json"}'
for option in '"managerType": "local"' '"managerType": "node-subprocess"' '"enableSetup": true' \
    '"useTranscript": false' '"nodeOptions": []' '"reapIntervall": 3' '"critical": 1'; do
    key=$(echo "$option" | cut -d '"' -f 2)
    refused_vat "creationOptions $option" 2 "vats.b.creationOptions.$key: " \
        "{\"bundleSpec\": \"$vat\", \"creationOptions\": {$option}}"
done
refused "a system vat's name" 2 'vats.vatAdmin: this vat is added by the system' <<EOF
{ "bootstrap": "vatAdmin", "vats": { "vatAdmin": { "bundleSpec": "$vat" } } }
EOF

# -- bundles -----------------------------------------------------------------------------------

echo '{"moduleFormat":"getExport","source":"x"}' >"$dir/b.json"
refused_vat "unknown bundle format" 8 \
    "vats.b.bundleSpec: $dir/b.json: moduleFormat \"getExport\" is not supported" \
    '{"bundleSpec": "b.json"}'
echo 'export const x = 1;' >"$dir/b.js"
refused_vat "source for a bundle" 8 "$dir/b.js is not a bundle" '{"bundleSpec": "b.js"}'
echo '[]' >"$dir/b.json"
refused_vat "an array for a bundle" 8 "not a bundle" '{"bundleSpec": "b.json"}'
refused_vat "an inline bundle" 8 'vats.b.bundle: not a bundle: it has no moduleFormat' '{"bundle": {}}'
echo '{"moduleFormat":"endoZipBase64","endoZipBase64":""}' >"$dir/b.json"
refused_vat "no hash" 8 "without a proper endoZipBase64Sha512" '{"bundleSpec": "b.json"}'
node -e '
    const fs = require("fs");
    const b = JSON.parse(fs.readFileSync(process.argv[1], "utf8"));
    fs.writeFileSync(process.argv[2] + "/id.json", JSON.stringify({ ...b, id: "b1-0" }));
    const zip = Buffer.from(b.endoZipBase64, "base64");
    zip[zip.length >> 1] ^= 1;
    b.endoZipBase64 = zip.toString("base64");
    fs.writeFileSync(process.argv[2] + "/edited.json", JSON.stringify(b));
    const sha = "0".repeat(128);
    fs.writeFileSync(process.argv[2] + "/sha.json", JSON.stringify({ ...b, endoZipBase64Sha512: sha }));
    ' "$vat" "$dir"
refused_vat "an id that is not the bundle's" 5 "the bundle's id is not that of" '{"bundleSpec": "id.json"}'
refused_vat "a hash that is not the bundle's" 5 "" '{"bundleSpec": "sha.json"}'

# -- sources -----------------------------------------------------------------------------------

# A folder of its own, with the packages of this one.
src=$dir/src
mkdir -p "$src/lib"
ln -s "$PWD/node_modules" "$src/node_modules"
cat >"$src/vat.js" <<'EOF'
import { Far } from '@endo/far';
import { hi } from './lib/hi.js';
export const buildRootObject = () => Far('root', { bootstrap: () => hi });
EOF
echo "export const hi = 'one';" >"$src/lib/hi.js"
cat >"$src/package.json" <<'EOF'
{ "name": "src", "version": "1.0.0", "type": "module", "dependencies": { "@endo/far": "*" } }
EOF
echo '{ "bootstrap": "b", "vats": { "b": { "sourceSpec": "./vat.js" } } }' >"$src/config.json"
export ZYGOTE_CACHE="$dir/cache"
no_node() { env ZYGOTE_NODE="$dir/no-node" "$@"; }

# NAME RC TEXT SPEC: as refused, of a vat with this sourceSpec in $src.
refused_source() {
    cat >"$src/bad.json" <<EOF
{ "bootstrap": "b", "vats": { "b": { "sourceSpec": "$4" } } }
EOF
    expect "$1" "$2" "$zygote" -C "$store" init "$src/bad.json"
    says "bad.json:1:38: vats.b.sourceSpec: "
    says "$3"
    [ "$(wc -l <"$err")" = 1 ] || complain "not one line"
    [ ! -e "$store" ] || complain "a store was left behind"
}

expect "a source without Node" 3 no_node "$zygote" -C "$store" init "$src/config.json"
says "vats.b.sourceSpec: bundling from source needs Node, and there is no program"
expect "a source" 0 "$zygote" -C "$store" run --result "$src/config.json"
prints '"one"'
rm -rf "$store"
expect "kept: no Node is needed" 0 no_node "$zygote" -C "$store" run --result "$src/config.json"
prints '"one"'
rm -rf "$store"
touch -d '2001-01-01' "$src/lib/hi.js" "$src/vat.js"
expect "kept by content, not by time" 0 no_node "$zygote" -C "$store" init "$src/config.json"
rm -rf "$store"
echo "export const hi = 'two';" >"$src/lib/hi.js"
touch -d '2001-01-01' "$src/lib/hi.js"
expect "a change of the same size, at the same time" 3 no_node "$zygote" -C "$store" init \
    "$src/config.json"
expect "made anew" 0 "$zygote" -C "$store" run --result "$src/config.json"
prints '"two"'
rm -rf "$store"
sed 's/vat.js/lib\/hi.js/' "$src/config.json" >"$src/lib.json"
expect "a source in a folder below" 0 "$zygote" -C "$store" init "$src/lib.json"
rm -rf "$store"
echo '{ "name": "lib", "type": "module" }' >"$src/lib/package.json"
expect "a package.json where there was none" 3 no_node "$zygote" -C "$store" init "$src/lib.json"
rm "$src/lib/package.json"
expect "and away again" 0 no_node "$zygote" -C "$store" init "$src/lib.json"
rm -rf "$store"
for kept in "$dir"/cache/bundles/*.json; do
    echo '{' >"$kept"
done
expect "kept files that are broken" 3 no_node "$zygote" -C "$store" init "$src/config.json"
"$zygote" -q -C "$dir/s1" init "$src/config.json" &
"$zygote" -q -C "$dir/s2" init "$src/config.json" &
wait
expect "two at once" 0 test -f "$dir/s1/swingstore.sqlite" -a -f "$dir/s2/swingstore.sqlite"
[ -z "$(find "$dir/cache/bundles" -type f ! -name '*.json')" ] || complain "a file was left behind"
expect "what two wrote is whole" 0 no_node "$zygote" -C "$store" init "$src/config.json"
rm -rf "$store"
sed 's/{ "bootstrap"/{ "bundleCachePath": "other", "bootstrap"/' "$src/config.json" >"$src/other.json"
expect "another cache" 0 sh -c "cd '$dir' && exec '$zygote' -C '$store' init '$src/other.json'"
[ -n "$(find "$dir/other" -name '*.json')" ] || complain "nothing is kept there"
rm -rf "$store"

refused_source "no such source" 3 "no such file: $src/none.js" './none.js'
refused_source "no such package" 3 "no such file: $src/@none/none/x.js" '@none/none/x.js'
echo 'export const x = (' >"$src/bad.js"
refused_source "a source that does not parse" 1 'cannot bundle ./bad.js: ' './bad.js'
echo "import './none.js';" >"$src/bad.js"
refused_source "a source that imports nothing" 1 'cannot bundle ./bad.js: ' './bad.js'
says "none.js"
refused_source "a name with shell characters" 3 'no such file: ' './$(touch x);touch x.js'
[ ! -e x ] && [ ! -e "$src/x" ] || complain "a shell ran"
cp "$src/config.json" "$src/vat.js" "$build/bundle-source.mjs" "$dir"
expect "no bundle-source" 3 env ZYGOTE_BUNDLER="$dir/bundle-source.mjs" \
    "$zygote" -C "$store" init "$dir/config.json"
says "no @endo/bundle-source in $dir or above"
says "npm install @endo/bundle-source"
expect "no bundler" 3 env ZYGOTE_BUNDLER="$dir/none.mjs" "$zygote" -C "$store" init "$dir/config.json"
says "no bundler at $dir/none.mjs"
echo 'process.exit(3);' >"$dir/broken.mjs"
expect "a bundler that ends" 1 env ZYGOTE_BUNDLER="$dir/broken.mjs" \
    "$zygote" -C "$store" init "$src/config.json"
says "vats.b.sourceSpec: node failed (exit code 3)"
cat >"$dir/lying.mjs" <<'EOF'
process.stdin.on('data', () => console.log(JSON.stringify({ bundle: { moduleFormat: 'endoZipBase64',
    endoZipBase64: 'UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==', endoZipBase64Sha512: '00' }, inputs: [] })));
EOF
expect "a bundler that lies" 5 env ZYGOTE_BUNDLER="$dir/lying.mjs" \
    "$zygote" -C "$store" init "$src/config.json"
says "what @endo/bundle-source made of ./vat.js: bundle: bad zip"

# -- zygote bundle -------------------------------------------------------------------------------

b=$dir/made.json
expect "bundle make" 0 sh -c "cd '$src' && exec '$zygote' bundle make ./vat.js -o '$b'"
id=$(cat "$out")
expect "its ID" 0 "$zygote" bundle check "$b" "$id"
prints "$id"
expect "bundle make, to standard output" 0 sh -c "cd '$src' && exec '$zygote' bundle make vat.js"
[ "$(cat "$out")" = "$(cat "$b")" ] || complain "another bundle"
expect "bundle check with another ID" 5 "$zygote" bundle check "$b" b1-00
says "the alleged bundle ID b1-00 does not match"
expect "bundle inspect" 0 "$zygote" --json bundle inspect "$b"
json stdout 'v.bundleID.startsWith("b1-") && v.package === "src" && v.entry === "./vat.js" &&
    v.modules.filter(m => m.module === "src-v1.0.0/lib/hi.js" && m.parser === "pre-mjs-json").length === 1'
expect "bundle inspect, for people" 0 "$zygote" --plain bundle inspect "$b"
prints "src-v1.0.0/lib/hi.js"
expect "a store to install into" 0 "$zygote" -C "$store" init "$src/config.json"
expect "bundle install" 0 "$zygote" -C "$store" bundle install "$bundles/demo-counter.json"
counter=$(cat "$out")
expect "bundle install, again" 0 "$zygote" -C "$store" --json bundle install "$bundles/demo-counter.json" "$counter"
json stdout 'v.installed === false && v.bundleID.startsWith("b1-")'
expect "it is in the store" 0 "$build/tests/e2e/sql" "$store" "SELECT count(*) FROM bundles WHERE bundleID = '$counter'"
prints 1
sed 's/"endoZipBase64":"..../&AAAA/' "$b" >"$dir/spoilt.json"
expect "a spoilt bundle is not installed" 5 "$zygote" -C "$store" bundle install "$dir/spoilt.json"
expect "no such action" 2 "$zygote" bundle wrap "$b"
expect "an option of another action" 2 "$zygote" bundle check --dev "$b"
expect "no such bundle" 3 "$zygote" bundle check "$dir/none.json"
rm -rf "$store"

# -- a folder of vats --------------------------------------------------------------------------

mkdir "$src/base"
sed 's/\.\/lib/..\/lib/' "$src/vat.js" >"$src/base/bootstrap.js"
cp "$src/base/bootstrap.js" "$src/base/vat-alice.js"
ln -s vat-alice.js "$src/base/vat-link.js"
expect "a folder of vats" 0 "$zygote" -C "$store" run --result "$src/base" argument
prints '"two"'
expect "its vats" 0 "$zygote" -C "$store" --json ps
json stdout 'v.vats.map(x => x.name).join() === "alice,bootstrap,vatAdmin"'
expect "the folder again" 0 "$zygote" -q -C "$store" run "$src/base"
[ ! -s "$err" ] || complain "something on standard error"
cp "$src/base/bootstrap.js" "$src/base/vat-bob.js"
expect "the folder, changed" 0 "$zygote" -C "$store" run "$src/base"
says "is not what $store was made from"
rm -rf "$store"

# -- devices -------------------------------------------------------------------------------------

# NAME RC TEXT DEVICE: a config with this device, called "mine".
refused_device() {
    cat >"$src/bad.json" <<EOF
{ "bootstrap": "b", "vats": { "b": { "bundleSpec": "$vat" } },
  "devices": { "mine": $4 } }
EOF
    expect "$1" "$2" "$zygote" -C "$store" init "$src/bad.json"
    says "bad.json:2:"
    says ": devices.mine"
    says "$3"
    [ "$(wc -l <"$err")" = 1 ] || complain "not one line"
    [ ! -e "$store" ] || complain "a store was left behind"
}
devices=@agoric/swingset-vat/src/devices
refused_device "a device of one's own" 2 \
    "src 1.0.0 (./vat.js) is not a device of @agoric/swingset-vat 0.33.0" \
    '{ "sourceSpec": "./vat.js" }'
says "(known: bridge, bundle, command, loopbox, mailbox, timer, vatAdmin)"
refused_device "the plugin device" 2 "is the plugin device" \
    "{ \"sourceSpec\": \"$devices/plugin/device-plugin.js\" }"
refused_device "a vat for a device" 2 "(./src/vats/vattp/vat-vattp.js) is not a device of" \
    "{ \"bundleSpec\": \"$bundles/sys-vattp.json\" }"
refused_device "vat-admin by another name" 2 "works only by the name of vatAdmin" \
    "{ \"bundleSpec\": \"$bundles/sys-vatAdminDevice.json\" }"
mkdir -p "$dir/old/src/devices/timer"
echo '{ "name": "@agoric/swingset-vat", "version": "0.32.2", "type": "module" }' >"$dir/old/package.json"
echo 'export const buildRootDeviceNode = 1;' >"$dir/old/src/devices/timer/device-timer.js"
refused_device "another version's timer" 2 \
    "@agoric/swingset-vat 0.32.2 (./src/devices/timer/device-timer.js) is of another version" \
    "{ \"sourceSpec\": \"$dir/old/src/devices/timer/device-timer.js\" }"
refused_device "options of a device" 2 ".creationOptions.critical: unknown key" \
    "{ \"sourceSpec\": \"$devices/timer/device-timer.js\", \"creationOptions\": { \"critical\": true } }"
refused_root "the vat-admin device twice" 2 'devices.vatAdmin: this device is added by the system' \
    "\"devices\": { \"vatAdmin\": { \"bundleSpec\": \"$bundles/sys-vatAdminDevice.json\" } }"
refused "another device as vatAdmin" 2 'devices.vatAdmin: that is the timer device' <<EOF
{ "bootstrap": "vatAdmin", "addVatAdmin": false, "vats": { "vatAdmin": { "bundleSpec": "$vat" } },
  "devices": { "vatAdmin": { "sourceSpec": "$PWD/node_modules/$devices/timer/device-timer.js" } } }
EOF

# -- what is accepted ----------------------------------------------------------------------------

# NAME: init of the config on standard input works.
accepted() {
    cat >"$dir/config.json"
    expect "$1" 0 "$zygote" -C "$store" init "$dir/config.json"
    silent
    [ -f "$store/swingstore.sqlite" ] || complain "no store"
    rm -rf "$store"
}

accepted "every key there is, with comments" <<EOF
// a comment
{ "bootstrap": "b", // "another"
  "bootstrapArgs": ["x", 1],
  "vats": {
    "b": { "bundleSpec": "$vat", "parameters": { "url": "http://example.org//x" },
           "creationOptions": { "critical": true, "managerType": "xs-worker", "reapInterval": 3,
             "reapGCKrefs": "never", "neverReap": false, "enablePipelining": false,
             "enableDisavow": false, "enableSetup": false, "useTranscript": true } },
    "c": { "bundleName": "n", "parameters": null } },
  "bundles": { "n": { "bundleSpec": "$vat" } },
  "devices": {},
  "defaultManagerType": "xsnap", "defaultReapInterval": "never", "defaultReapGCKrefs": 5,
  "snapshotInitial": 2, "snapshotInterval": 20, "relaxDurabilityRules": false,
  "pinBootstrapRoot": true, "includeDevDependencies": false, "bundleFormat": "endoZipBase64",
  "bundleCachePath": "cache", "zygotes": true, "addVatAdmin": true, "addComms": false,
  "addVattp": true, "addTimer": true, "keepTranscripts": false, "keepSnapshots": true,
  "limits": { "maxVatsOnline": 5, "maxVats": 9 } }
EOF
accepted "upstream's vat-admin vat, brought along" <<EOF
{ "bootstrap": "b", "zygotes": false, "addVatAdmin": false,
  "vats": { "b": { "bundleSpec": "$vat" },
            "vatAdmin": { "bundleSpec": "$bundles/sys-vatAdmin.json" } },
  "devices": { "vatAdmin": { "bundleSpec": "$bundles/sys-vatAdminDevice.json" } } }
EOF

expect "no system bundles" 3 env ZYGOTE_BUNDLES="$dir/nowhere" "$zygote" -C "$store" init "$dir/config.json"
says "no system bundles in $dir/nowhere (\$ZYGOTE_BUNDLES)"

finish
