#!/bin/bash
# The part of check.sh that runs in namespaces of its own: podman finds a whole
# network to itself, port 53 is free, and all containers die with us.
#
#   inside.sh FOLDER-OF-THIS-SCRIPT FOLDER-FOR-CONFIGURATION
set -euo pipefail

here=$1
etc=$2
image=localhost/dotstub:0.1.0
gateway=10.88.0.1 # the host, as podman's default network shows it

umount /sys/fs/cgroup/unified 2>/dev/null || : # crun refuses a hybrid tree
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ip link set lo up
# Servers that the sidecar example names: here they are our own.
ip addr add 9.9.9.9/32 dev lo
ip addr add 10.96.0.10/32 dev lo

# There is no systemd to run health checks by, which it says every time.
podman() {
    command podman "$@" 2> >(grep -v 'unable to get systemd connection' >&2)
}

fail() {
    echo "FAILED: $*"
    podman logs stub 2>&1 | tail -n 20
    exit 1
}

python=/usr/bin/python3
[ -x $python ] || python=python3
chmod 755 "$(dirname "$etc")" "$etc"
coproc upstream { exec $python "$here/upstream.py" "$etc"; }
read -r -t 10 word <&"${upstream[0]}" && [ "$word" = ready ]
chmod 644 "$etc/ca.pem"
cat >"$etc/dotstub.yaml" <<CONF
listen: [0.0.0.0, "::"]
servers:
  - $gateway:8853#dot.example
ca_file: /etc/dotstub/ca.pem
CONF

image_size=$(podman image inspect -f '{{.Size}}' $image)
((image_size < 8 << 20)) || fail "the image has $image_size octets"
[ "$(podman image inspect -f '{{.User}}' $image)" = 65534:65534 ] ||
    fail 'the image does not name its user by number'
echo "the image has $image_size octets"

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

state_of() {
    podman inspect -f '{{.State.Health.Status}}' stub
}
pid=$(podman inspect -f '{{.State.Pid}}' stub)
podman healthcheck run stub || fail 'a good one is not healthy'
[ "$(state_of)" = healthy ] || fail "a good one is $(state_of)"
kill -STOP "$pid"
for _ in {1..8}; do # the first few seconds do not count
    if podman healthcheck run stub >/dev/null 2>&1; then
        fail 'one that does not answer is healthy'
    fi
    [ "$(state_of)" = unhealthy ] && break
done
[ "$(state_of)" = unhealthy ] || fail "one that hangs is $(state_of)"
kill -CONT "$pid"
podman healthcheck run stub || fail 'one that answers again is not healthy'
echo 'health check: healthy, unhealthy, healthy again'

read -r _ user _ < <(grep '^Uid:' "/proc/$pid/status")
read -r _ caps < <(grep '^CapEff:' "/proc/$pid/status")
[ "$user" = 65534 ] || fail "runs as user $user"
[[ $caps =~ ^0+$ ]] || fail "has capabilities $caps"
echo "runs as user $user without capabilities," \
    "$(grep '^VmRSS:' "/proc/$pid/status" | tr -s '\t ' ' ')"

podman stop -t 5 stub >/dev/null
status=$(podman inspect -f '{{.State.ExitCode}}' stub)
[ "$status" = 0 ] || fail "ended with $status when it was stopped"
podman rm stub >/dev/null
echo 'stops cleanly'

# ---- from the environment, without any file

podman run -d --name stub --cap-drop ALL \
    -p 127.0.0.1:53:53/udp -p 127.0.0.1:53:53/tcp \
    -v "$etc/ca.pem:/ca.pem:ro" \
    -e DOTSTUB_LISTEN=0.0.0.0 -e DOTSTUB_CA_FILE=/ca.pem \
    -e DOTSTUB_SERVERS="$gateway:8853#dot.example" -e DOTSTUB_WORKERS=1 \
    $image run -c /nowhere.yaml >/dev/null || fail 'it does not start'
[ "$(ask +short only4.example A)" = 192.0.2.4 ] || fail 'not the environment'
podman exec stub /usr/bin/dotstub health -c /nowhere.yaml >/dev/null ||
    fail 'health does not read the environment'
podman exec stub /usr/bin/dotstub stats >/dev/null ||
    fail 'it cannot be asked by the control socket'
podman rm -f -t 5 stub >/dev/null
echo 'configured by the environment alone'

# ---- where the port cannot be had, the sysctl is named

said=$(podman run --rm --sysctl net.ipv4.ip_unprivileged_port_start=1024 \
    $image 2>&1) && fail 'port 53 was free for it after all'
[[ $said == *'sysctl net.ipv4.ip_unprivileged_port_start=0'* ]] ||
    fail "the sysctl is not named: $said"
echo 'the error for port 53 names the sysctl'

# ---- the sidecar example

folder=$(mktemp -d)
$python "$here/pod.py" "$here/../../examples/kubernetes/sidecar/pod.yaml" \
    "$etc/ca.pem" >"$folder/pod.yaml"
cd "$folder"
podman kube play --build=false pod.yaml >play.log 2>&1 || {
    cat play.log
    fail 'the pod does not start'
}
app='app-with-dotstub-app'
stub='app-with-dotstub-dotstub'
pod_fail() {
    podman logs $stub 2>&1 | tail -n 20
    podman logs $app 2>&1 | tail -n 5
    cat "$etc/seen"
    fail "$@"
}
in_app() {
    podman exec $app "$@"
}
for _ in {1..50}; do
    [ -n "$(in_app getent ahostsv4 www.example.org)" ] && break
    sleep 0.1
done
[[ $(in_app getent ahostsv4 www.example.org) == 192.0.2.80* ]] ||
    pod_fail 'no public name'
# As programs of the cluster write it: the search list completes it.
[[ $(in_app getent ahostsv4 web) == 10.96.7.7* ]] ||
    pod_fail 'no short name of the cluster'
[[ $(in_app getent hosts 10.96.7.7) == *web.default.svc.cluster.local* ]] ||
    pod_fail 'no reverse name of the cluster'
in_app getent ahostsv4 nobody.invalid && pod_fail 'a special name is there'
sleep 0.3 # seen is written anew
grep -q '^tls www.example.org A$' "$etc/seen" || pod_fail 'not over TLS'
grep -q '^udp web.default.svc.cluster.local A$' "$etc/seen" ||
    pod_fail 'not to the DNS of the cluster'
if grep -E '^tls .*(cluster.local|arpa|invalid)' "$etc/seen"; then
    pod_fail 'a name of the cluster went to the internet'
fi
if grep -E '^(udp|tcp) .*example.org' "$etc/seen"; then
    pod_fail 'a public name left in clear text'
fi
pid=$(podman inspect -f '{{.State.Pid}}' $stub)
status=$(cat "/proc/$pid/status")
for line in 'Uid:\s65534' 'CapEff:\s0+$' 'CapBnd:\s0+$' 'NoNewPrivs:\s1' \
    'Seccomp:\s2'; do
    grep -qP "^$line" <<<"$status" || pod_fail "not $line in the sidecar"
done
podman kube down pod.yaml >/dev/null 2>&1
echo 'the sidecar: public names over TLS, names of the cluster to its DNS'
