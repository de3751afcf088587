#!/bin/bash
# Builds the Debian package, lints it, installs it in a fresh root, boots a real
# systemd there and uses it, then removes it. Nothing of this machine changes.
# Exit status 77: it cannot run here, and one line says why.
#
#   check.sh [FOLDER]      the package stays in FOLDER
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)

skip() {
    echo "package: cannot run here: $*"
    exit 77
}

say() {
    printf '%4d s  %s\n' "$SECONDS" "$*"
}

[ "$(id -u)" = 0 ] || skip 'needs root'
PATH=$PATH:/usr/sbin:/sbin
for program in dpkg-buildpackage dh lintian mmdebstrap unshare nsenter ip; do
    command -v $program >/dev/null || skip "no $program"
done
unshare --mount --pid --net --cgroup --fork true 2>/dev/null ||
    skip 'no namespaces'
# shellcheck disable=SC1091
. /etc/os-release
[ "${ID:-}" = debian ] || skip 'this is not Debian'
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' "Codename: $VERSION_CODENAME" |
    head -n 1)
[ -n "$mirror" ] || skip 'no Debian mirror is configured'

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"
mkdir "$work/dotstub" "$work/root"
if git -C "$source" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$source" ls-files -z --cached --others --exclude-standard
else
    (cd "$source" && find . -path './build*' -prune -o -type f -print0)
fi | (cd "$source" && tar -c --null --ignore-failed-read -T - 2>/dev/null) |
    tar -x -C "$work/dotstub"

mmdebstrap --quiet --variant=minbase --skip=cleanup/apt/lists \
    --include=systemd,systemd-sysv,bind9-dnsutils "$VERSION_CODENAME" \
    "$work/root" "deb $mirror $VERSION_CODENAME main" \
    >"$work/root.log" 2>&1 &
root_made=$!

(cd "$work/dotstub" && dpkg-buildpackage -b -uc -us) >"$work/build.log" 2>&1 || {
    tail -n 30 "$work/build.log"
    exit 1
}
package=$(echo "$work"/dotstub_*.deb)
say "built: $(basename "$package"), $(stat -c %s "$package") octets"
if [ -n "${1:-}" ]; then
    cp "$work"/*.deb "$1"
fi
lintian --fail-on error,warning "$work"/dotstub_*.changes ||
    {
        echo 'FAILED: lintian'
        exit 1
    }
say 'lintian has nothing to say'

wait $root_made || skip 'the Debian mirror does not answer'
say 'a root made'
cp "$package" "$work/root/var/tmp/dotstub.deb"
cp "$here/inside.sh" "$work/root/var/tmp/"
chroot "$work/root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    install /var/tmp/dotstub.deb >"$work/install.log" 2>&1 || {
    tail -n 20 "$work/install.log"
    exit 1
}
chroot "$work/root" dotstub version >/dev/null
chroot "$work/root" dotstub check
for file in usr/share/man/man8/dotstub.8.gz etc/dotstub/dotstub.yaml \
    usr/share/bash-completion/completions/dotstub; do
    [ -s "$work/root/$file" ] || {
        echo "FAILED: no /$file"
        exit 1
    }
done
say 'installed'

status=0
"$here/boot.sh" "$work/root" /bin/bash /var/tmp/inside.sh || status=$?
[ $status != 77 ] || skip 'no systemd'
[ $status = 0 ] || exit 1
say 'used below systemd'

chroot "$work/root" dpkg --purge dotstub >"$work/purge.log" 2>&1
left=$(find "$work/root/etc" "$work/root/usr" "$work/root/var/lib" \
    "$work/root/var/log" -name '*dotstub*' ! -path '*/systemd/deb-systemd*')
[ -z "$left" ] || {
    echo "FAILED: left after the purge: $left"
    exit 1
}
say 'purged'
