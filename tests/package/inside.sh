#!/bin/bash
# The part of check.sh that runs beside a real systemd: what the package's units
# do.
set -euo pipefail

fail() {
    echo "FAILED: $*"
    systemctl --no-pager status dotstub.service dotstub.socket || :
    journalctl --no-pager -u dotstub 2>/dev/null | tail -n 20 || :
    exit 1
}

until_true() {
    local what=$1
    shift
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    fail "not within 10 s: $what"
}

# answers ADDRESS PORT DATA: over UDP and TCP
answers() {
    local transport
    for transport in +notcp +tcp; do
        [ "$(dig +short +time=2 +tries=1 "$transport" -p "$2" "@$1" \
            printer.lan)" = "$3" ] || return 1
    done
}

of_process() {
    awk -v key="$1:" '$1 == key { print $2 }' \
        "/proc/$(systemctl show -P MainPID dotstub)/status"
}

is_locked_in() {
    [ "$(of_process Uid)" != 0 ] || fail 'it runs as root'
    [ "$(of_process CapEff)" = 0000000000000000 ] || fail 'it has capabilities'
    [ "$(of_process Seccomp)" = 2 ] || fail 'it has no filter'
    [ "$(of_process NoNewPrivs)" = 1 ] || fail 'it may gain privileges'
}

was_restarted() {
    [ "$(systemctl show -P NRestarts dotstub)" != 0 ]
}

# Nothing by surprise.
for unit in dotstub.service dotstub.socket; do
    [ "$(systemctl is-enabled $unit 2>&1)" = disabled ] || fail "$unit is enabled"
    [ "$(systemctl is-active $unit 2>&1)" = inactive ] || fail "$unit runs"
done

config=/etc/dotstub/dotstub.yaml
cat >>$config <<'CONF'
records: [printer.lan A 192.0.2.77]
cache_file: /var/lib/dotstub/cache
query_log: /var/log/dotstub/queries
sandbox: kill
CONF
mkdir -p /run/systemd/system/dotstub.service.d
printf '[Service]\nWatchdogSec=1s\nRestartSec=0\n' \
    >/run/systemd/system/dotstub.service.d/test.conf
systemctl daemon-reload

# By itself, on the port of the configuration.
systemctl start dotstub || fail 'it does not start'
answers 127.0.0.1 5300 192.0.2.77 || fail 'no answer'
is_locked_in
dotstub stats >/dev/null || fail 'the control socket'
sed -i 's/192\.0\.2\.77/192.0.2.78/' $config
systemctl reload dotstub || fail 'reload'
answers 127.0.0.1 5300 192.0.2.78 || fail 'not the new record'
sed -i 's/^records:/no_such_key:/' $config
if systemctl reload dotstub 2>/dev/null; then
    fail 'a reload of a bad file succeeds'
fi
sed -i 's/^no_such_key:/records:/' $config
answers 127.0.0.1 5300 192.0.2.78 || fail 'no answer after a bad reload'
[ "$(systemctl show -P NRestarts dotstub)" = 0 ] || fail 'it was restarted'
systemctl stop dotstub
[ "$(systemctl show -P Result dotstub)" = success ] || fail 'the end'
[ -s /var/lib/dotstub/cache ] || fail 'no cache file'
[ -s /var/log/dotstub/queries ] || fail 'no query log'
[ ! -e /run/dotstub ] || fail '/run/dotstub is left'
echo 'started, reloaded, stopped'

# On port 53, through the socket unit; the first query starts it.
systemctl enable -q --now dotstub.socket || fail 'the socket unit'
[ "$(systemctl is-active dotstub)" = inactive ] || fail 'it runs already'
answers 127.0.0.1 53 192.0.2.78 || fail 'no answer on port 53'
answers ::1 53 192.0.2.78 || fail 'no answer on ::1'
is_locked_in
systemctl restart dotstub
answers 127.0.0.1 53 192.0.2.78 || fail 'no answer after a restart'
systemctl reload dotstub || fail 'reload on sockets'
answers ::1 53 192.0.2.78 || fail 'no answer after a reload'
echo 'activated by its sockets'

# Longer than the watchdog's time, then not at all.
sleep 2
[ "$(systemctl show -P NRestarts dotstub)" = 0 ] || fail 'the watchdog bites'
kill -STOP "$(systemctl show -P MainPID dotstub)"
until_true 'the watchdog' was_restarted
answers 127.0.0.1 53 192.0.2.78 || fail 'no answer after the watchdog'
systemctl disable -q --now dotstub.socket dotstub.service 2>/dev/null
[ "$(systemctl is-active dotstub)" = inactive ] || fail 'it runs on'
echo 'watched'
