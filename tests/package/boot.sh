#!/bin/bash
# Boots the systemd of a root folder as PID 1 of namespaces of its own, below a
# control group of its own, runs a command beside it, and takes all down.
#
#   boot.sh ROOT COMMAND...
set -euo pipefail

root=$1
shift

groups=
for mount in /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ "$(stat -fc %T $mount 2>/dev/null)" = cgroup2fs ]; then
        groups=$mount
        break
    fi
done
[ -n "$groups" ] || {
    echo 'no control groups of version 2'
    exit 77
}
group=$groups/dotstub-boot.$$
mkdir "$group"
init=
finish() {
    [ -z "$init" ] || kill -9 "$init" 2>/dev/null || :
    wait 2>/dev/null || : # for the last process of the group
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
}
trap finish EXIT

# shellcheck disable=SC2016 # for the inner shell
prepare='
    root=$0
    ip link set lo up
    mount --bind "$root" "$root"
    cd "$root"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs -o mode=755 tmpfs dev
    for device in null zero full random urandom tty; do
        touch dev/$device
        mount --bind /dev/$device dev/$device
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    mount -t tmpfs tmpfs dev/shm
    exec chroot . env -i container=other \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --show-status=no
'
# shellcheck disable=SC2016
sh -c 'echo $$ >"$0/cgroup.procs"
    exec unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child \
        --propagation private -- sh -euc "$1" "$2"' \
    "$group" "$prepare" "$root" </dev/null >/dev/null 2>&1 &
outer=$!
for _ in $(seq 100); do
    init=$(tr -d ' ' <"/proc/$outer/task/$outer/children" 2>/dev/null) || :
    [ -n "$init" ] && [ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ] &&
        break
    sleep 0.1
done
[ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ] || {
    echo 'systemd does not start here'
    exit 77
}
enter=(nsenter -t "$init" -m -p -n -i -u -C chroot "$root")
for _ in $(seq 100); do
    state=$("${enter[@]}" systemctl is-system-running 2>/dev/null) || :
    case $state in
    running | degraded) break ;;
    esac
    sleep 0.1
done
"${enter[@]}" "$@"
