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
expect "a directory for a config" 1 "$zygote" -C "$store" init "$dir"
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
refused_root "limit to come" 2 'limits.maxVats: not in this release' '"limits": { "maxVats": 4 }'
refused_root "a JavaScript device" 2 'devices.timer: devices in JavaScript cannot run here' \
    '"devices": { "timer": { "sourceSpec": "./timer.js" } }'
refused_root "no vat-admin" 2 'addVatAdmin: a vat-admin vat is required' '"addVatAdmin": false'
refused_root "bundle format" 8 'bundleFormat: "getExport" is not supported' \
    '"bundleFormat": "getExport"'
refused_root "arguments" 2 'bootstrapArgs: must be an array' '"bootstrapArgs": {}'
refused_root "a bundle that names a bundle" 2 'bundles.x.bundleName: a bundle cannot name another' \
    '"bundles": { "x": { "bundleName": "y" } }'

# -- vats --------------------------------------------------------------------------------------

refused_vat "no bundle" 2 'vats.b: needs exactly one of bundle, bundleSpec, bundleName; it has none' \
    '{}'
refused_vat "two bundles" 2 'it has several' "{\"bundleSpec\": \"$vat\", \"bundleName\": \"x\"}"
refused_vat "unknown key of a vat" 2 'vats.b.parameter: unknown key; did you mean "parameters"?' \
    "{\"bundleSpec\": \"$vat\", \"parameter\": {}}"
refused_vat "setup vat" 2 'vats.b.setup: setup() is what a vat in an XS worker cannot have' \
    "{\"setup\": \"x\"}"
refused_vat "parameters" 2 'vats.b.parameters: must be an object' \
    "{\"bundleSpec\": \"$vat\", \"parameters\": [1]}"
refused_vat "sourceSpec says what to run" 2 \
    "run \`npx @endo/bundle-source $dir/src/vat-b.js > $dir/vat-b.bundle.json\`" \
    '{"sourceSpec": "src/vat-b.js"}'
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
  "addVattp": true, "addTimer": true, "limits": { "maxVatsOnline": 5 } }
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
