#!/bin/bash
# The part of check.sh that runs in namespaces of its own: podman finds a whole
# network to itself, port 53 is free, and all containers die with us.
#
#   inside.sh FOLDER-OF-THIS-SCRIPT FOLDER-FOR-CONFIGURATION
set -euo pipefail

here=$1
etc=$2
image=localhost/dotstub:test
gateway=10.88.0.1 # the host, as podman's default network shows it

umount /sys/fs/cgroup/unified 2>/dev/null || : # crun refuses a hybrid tree
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ip link set lo up

fail() {
    echo "FAILED: $*"
    podman logs stub 2>&1 | tail -n 20
    exit 1
}

python=/usr/bin/python3
[ -x $python ] || python=python3
chmod 755 "$(dirname "$etc")" "$etc"
# On every address: the gateway's own appears with the first container.
coproc upstream { exec $python "$here/upstream.py" "$etc" 0.0.0.0 8853; }
read -r -t 10 word <&"${upstream[0]}" && [ "$word" = ready ]
chmod 644 "$etc/ca.pem"
cat >"$etc/dotstub.yaml" <<CONF
listen: [0.0.0.0, "::"]
servers:
  - $gateway:8853#dot.example
ca_file: /etc/dotstub/ca.pem
CONF

[[ $(podman run --rm $image version) == *dotstub* ]] || fail 'version'
podman run --rm $image check -c /etc/dotstub/dotstub.yaml ||
    fail 'the configuration of the image is not valid'

podman run -d --name stub \
    -p 127.0.0.1:53:53/udp -p 127.0.0.1:53:53/tcp \
    -v "$etc/dotstub.yaml:/etc/dotstub/dotstub.yaml:ro" \
    -v "$etc/ca.pem:/etc/dotstub/ca.pem:ro" \
    --read-only --cap-drop ALL --security-opt no-new-privileges --memory 64m \
    $image >/dev/null || fail 'it does not start'

ask() {
    dig -r @127.0.0.1 +tries=3 +time=2 "$@"
}
for how in +notcp +tcp; do
    answer=$(ask $how www.example A) || fail "no answer with $how"
    [[ $answer == *'status: NOERROR'* && $answer == *'ANSWER: 2'* ]] ||
        fail "not the answer of the server, with $how: $answer"
done
echo "answers over UDP and TCP"

pid=$(podman inspect -f '{{.State.Pid}}' stub)
read -r _ user _ < <(grep '^Uid:' "/proc/$pid/status")
read -r _ caps < <(grep '^CapEff:' "/proc/$pid/status")
[ "$user" = 65534 ] || fail "runs as user $user"
[[ $caps =~ ^0+$ ]] || fail "has capabilities $caps"
echo "runs as user $user without capabilities," \
    "$(grep '^VmRSS:' "/proc/$pid/status" | tr -s '\t ' ' ')"

podman stop -t 5 stub >/dev/null
status=$(podman inspect -f '{{.State.ExitCode}}' stub)
[ "$status" = 0 ] || fail "ended with $status when it was stopped"
echo 'stops cleanly'
