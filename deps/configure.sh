#!/bin/sh
# Makes a build folder, or leaves the one that is there as it is:
#
#   deps/configure.sh FOLDER without-tests|with-tests [meson option]...
#
# A folder that was made without the tests gets them when they are asked for;
# nobody takes them away again, so that nothing is configured twice.
set -eu

folder=$1
tests=$2
shift 2
case $tests in
with-tests) tests=true ;;
*) tests=false ;;
esac
cd "$(dirname "$0")/.."

# Meson's words are worth reading only when it fails.
run() {
    said=$(meson setup "$@" 2>&1) || {
        echo "$said" | tail -n 12 >&2
        exit 1
    }
}

if [ ! -f "$folder/build.ninja" ]; then
    echo "set-up: configuring $folder"
    run "$folder" -Dtests=$tests "$@"
elif [ $tests = true ] && ! grep -q '"name": "tests", "value": true' \
    "$folder/meson-info/intro-buildoptions.json"; then
    echo "set-up: adding the tests to $folder"
    run --reconfigure "$folder" -Dtests=true
fi
