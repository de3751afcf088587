#!/bin/bash
# Builds the image as a user would, runs it, asks it, stops it. No registry is
# needed: the base is made from the machine's own package mirror. Everything
# runs in a storage, in namespaces and in a network of its own, and is gone
# afterwards. Exit status 77: it cannot run here, and one line says why.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)

skip() {
    echo "container: cannot run here: $*"
    exit 77
}

say() {
    printf '%4d s  %s\n' "$SECONDS" "$*"
}

[ "$(id -u)" = 0 ] || skip 'needs root'
PATH=$PATH:/usr/sbin:/sbin:/usr/lib/podman
for program in buildah podman crun netavark mmdebstrap iptables catatonit \
    dig; do
    command -v $program >/dev/null || skip "no $program"
done
unshare --mount --pid --net --fork true 2>/dev/null || skip 'no namespaces'

work=$(mktemp -d)
libpod_groups() {
    find /sys/fs/cgroup -maxdepth 2 -name libpod_parent 2>/dev/null | sort
}
groups_before=$(libpod_groups)
finish() {
    libpod_groups | comm -23 - <(echo "$groups_before") |
        while read -r group; do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
        done
    rm -rf --one-file-system "$work"
}
trap finish EXIT

mkdir "$work/storage" "$work/state" "$work/tmp" "$work/etc"
driver=vfs
grep -qw overlay /proc/filesystems && driver=overlay
cat >"$work/storage.conf" <<CONF
[storage]
driver = "$driver"
graphroot = "$work/storage"
runroot = "$work/state"
CONF
# The sysctl is what Docker sets by itself.
cat >"$work/containers.conf" <<CONF
[containers]
default_sysctls = ["net.ipv4.ip_unprivileged_port_start=0"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "$work/tmp/libpod"
CONF
export CONTAINERS_STORAGE_CONF=$work/storage.conf
export CONTAINERS_CONF=$work/containers.conf
export TMPDIR=$work/tmp

# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' | head -n 1)
[ -n "$mirror" ] || skip 'no Debian mirror is configured'
mmdebstrap --quiet --variant=minbase trixie "$work/base.tar" \
    "deb $mirror trixie main" >/dev/null 2>&1 ||
    skip 'the Debian mirror does not answer'
podman import -q --change 'CMD ["bash"]' \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$work/base.tar" debian:trixie-slim >/dev/null 2>&1
rm "$work/base.tar"
say 'base image made'

# The OCI format has no health check.
buildah bud --pull-never --isolation chroot --format docker \
    -t localhost/dotstub:0.1.0 "$source" >"$work/build.log" 2>&1 || {
    tail -n 30 "$work/build.log"
    exit 1
}
say "image built: $(podman images --format '{{.Size}}' localhost/dotstub:0.1.0)"

unshare --mount --pid --net --ipc --uts --fork --kill-child \
    --propagation private -- bash "$here/inside.sh" "$here" "$work/etc"
say 'image ran'
