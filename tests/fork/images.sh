#!/bin/sh
# Images in the cache that are not what they were: one line says so, the run succeeds.
. tests/e2e/lib.sh
export ZYGOTE_CACHE="$dir/cache"
z() { "$zygote" -C "$dir/store" "$@"; }

expect "a family" 0 z run -q js/demo/demo.json
expect "its demo" 0 z send -q bootstrap demo
want='{"heap":103,"stored":103}'
read_early() { z send bootstrap read '"early"'; }
expect "a child answers" 0 read_early
prints "$want"
expect "there are images" 0 test -n "$(ls "$dir"/cache/*.image)"

cp -a "$dir/cache" "$dir/good"

# Each image is damaged so; the child answers, standard error has one line for each
# damaged image that was used, and all of them are made anew.
damage() {
    what=$1
    shift
    rm -rf "$dir/cache"
    cp -a "$dir/good" "$dir/cache"
    for image in "$dir"/cache/*.image; do
        chmod u+w "$image"
        "$@" "$image" 2>/dev/null
    done
    expect "$what" 0 read_early
    prints "$want"
    says "image"
    lines=$(grep -c image "$err")
    [ "$(grep -vc forked "$err")" = "$lines" ] || complain "other lines than those of images"
    [ "$lines" -le "$(ls "$dir"/cache/*.image | wc -l)" ] || complain "more lines than images"
    expect "$what: and again, silently" 0 read_early
    prints "$want"
    [ ! -s "$err" ] || complain "something on standard error"
}
edit() { printf '\377\377\377\377' | dd of="$1" bs=1 seek=200000 conv=notrunc; }
damage "truncated images" truncate -s 100000
damage "empty images" truncate -s 0
damage "edited images" edit
damage "longer images" truncate -s +4096
damage "images that others can write to" chmod 0666
expect "no images" 0 rm -rf "$dir/cache"
expect "a cache that went away" 0 read_early
prints "$want"
expect "the store is sound" 0 z audit
finish
