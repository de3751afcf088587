#!/bin/sh
# Runs every libFuzzer program of a build folder for some seconds:
#
#   tests/run_fuzzers.sh FOLDER SECONDS
#
# New inputs go to FOLDER/corpus/<target>; what crashed a target is kept in
# FOLDER/crashes. The seeds are those that the fuzz suite replays,
# tests/fuzz/<room>/corpus/<name> for fuzz_<room>_<name>.
set -eu

cd "$(dirname "$0")/.."
folder=$1
seconds=$2
ninja -C "$folder" --quiet
targets=$(find "$folder/tests/fuzz" -type f -perm -u+x -name 'fuzz_*' | sort)
if [ -z "$targets" ]; then
    echo "no fuzz targets in $folder" >&2
    exit 1
fi
mkdir -p "$folder/crashes"
failed=0
for target in $targets; do
    name=$(basename "$target")
    room=${name#fuzz_}
    room=${room%%_*}
    found=$folder/corpus/$name
    seeds=$folder/seeds/$name
    mkdir -p "$found" "$seeds"
    tests/fuzz/unhex.py "tests/fuzz/$room/corpus/${name#fuzz_"${room}"_}" \
        "$seeds" >/dev/null
    log=$folder/crashes/$name.log
    if "$target" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$folder/crashes/$name-" "$found" "$seeds" \
        >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "$name: $runs runs in $seconds s, nothing found"
    else
        tail -n 50 "$log"
        echo "$name: FAILED; the input is in $folder/crashes"
        failed=1
    fi
done
exit $failed
