#!/bin/bash
# Two builds, of copies of the source in folders of different names, below and
# beside them, at different times: the programs must be the same octets.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CCACHE_DISABLE=1

# build SOURCE BUILD
build() {
    mkdir -p "$work/$1"
    (cd "$source" && tar -c meson.build meson_options.txt src config docs \
        completions deps/*.wrap deps/packagefiles) | tar -x -C "$work/$1"
    if ! {
        meson setup "$work/$2" "$work/$1" -Dbuildtype=release -Ddebug=true \
            -Db_lto=true -Dtests=false && ninja -C "$work/$2" dotstub
    } >"$work/log" 2>&1; then
        tail -n 20 "$work/log"
        exit 1
    fi
}

build one one/build
build other/place/of/it elsewhere
first=$work/one/build/dotstub
second=$work/elsewhere/dotstub
cmp "$first" "$second" || {
    echo 'FAILED: two builds differ'
    for path in "$work/one" "$work/other" "$work/elsewhere"; do
        grep -c "$path" "$first" "$second" || :
    done
    exit 1
}
if grep -q "$work" "$first"; then
    echo 'FAILED: the program names the folder that it was built in'
    exit 1
fi
sha256sum "$first" | cut -d ' ' -f 1
