#!/bin/sh
# Makes what a release consists of, besides the source and the packages: one
# static program, its checksum, and the list of what is in it.
#
#   deps/release.sh FOLDER
set -eu

cd "$(dirname "$0")/.."
out=${1:-dist}
build="build-release"

deps/setup.sh static
deps/configure.sh $build without-tests -Dbuildtype=release -Db_lto=true \
    -Dstatic_deps=true -Dadmin=enabled -Dseccomp=enabled -Dsystemd=disabled \
    -Dc_link_args=-static-pie
ninja -C $build --quiet dotstub

version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build | head -n 1)
name=dotstub-$version-linux-$(uname -m)
mkdir -p "$out"
strip -o "$out/$name" $build/dotstub
"$out/$name" version
deps/sbom.py $build "$out/$name" >"$out/$name.cdx.json"
(cd "$out" && sha256sum "$name" "$name.cdx.json" >"$name.sha256")
ls -l "$out"
