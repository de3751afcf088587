#!/bin/sh
# Makes a build folder, or leaves the one that is there as it is:
#
#   deps/configure.sh FOLDER without-tests|with-tests [meson option]...
#   deps/configure.sh FOLDER prefix PREFIX
#
# A folder that was made without the tests gets them when they are asked for;
# nobody takes them away again, so that nothing is configured twice. The second
# form is for a folder that is there.
set -eu

folder=$1
what=$2
shift 2
cd "$(dirname "$0")/.."

# Meson's words are worth reading only when it fails.
run() {
    said=$(meson setup "$@" 2>&1) || {
        echo "$said" | tail -n 12 >&2
        exit 1
    }
}

# Has the folder this option with this value, written as in JSON?
has() {
    grep -qF "\"name\": \"$1\", \"value\": $2," \
        "$folder/meson-info/intro-buildoptions.json"
}

case $what in
prefix)
    has prefix "\"$1\"" || run --reconfigure "$folder" -Dprefix="$1"
    exit
    ;;
with-tests) tests=true ;;
*) tests=false ;;
esac

if [ ! -f "$folder/build.ninja" ]; then
    echo "set-up: configuring $folder"
    run "$folder" -Dtests=$tests "$@"
elif [ $tests = true ] && ! has tests true; then
    echo "set-up: adding the tests to $folder"
    run --reconfigure "$folder" -Dtests=true
fi
