"""A private network, mount and process namespace: port 53 is free in it, and
/etc/resolv.conf says what the test wants. Needs no privilege where the kernel
lets users make namespaces.
"""
import pathlib
import subprocess

from lib.process import PATIENCE_S, Process, wait_until

_SET_UP = '''set -e
ip link set lo up
# Addresses that are not loopback's, or AI_ADDRCONFIG asks for nothing.
ip addr add 192.0.2.200/32 dev lo
ip addr add fd00::200/128 dev lo nodad
for file in resolv.conf nsswitch.conf; do
    target=$(readlink -f /etc/$file || echo /etc/$file)
    if [ -e "$target" ]; then mount --bind "$1/$file" "$target"; fi
done
: > "$1/ready"
exec sleep 86400
'''


def is_possible():
    return subprocess.run(
        ['unshare', '--user', '--map-root-user', '--net', '--mount', '--pid',
         '--fork', 'ip', 'link', 'set', 'lo', 'up'],
        capture_output=True, check=False).returncode == 0


class Namespace:
    """Lives until stop(); run programs in it with prefix + argv."""

    def __init__(self, folder, nameserver='127.0.0.1', options=''):
        self.folder = pathlib.Path(folder) / 'namespace'
        self.folder.mkdir()
        (self.folder / 'resolv.conf').write_text(
            f'nameserver {nameserver}\n{options}\n')
        (self.folder / 'nsswitch.conf').write_text('hosts: files dns\n')

    def start(self):
        self.process = Process(
            ['unshare', '--user', '--map-root-user', '--net', '--mount',
             'sh', '-c', _SET_UP, 'sh', self.folder], self.folder / 'log')

        def is_ready():
            assert self.process.is_running(), self.process.log()
            return (self.folder / 'ready').exists()
        wait_until(is_ready, 5, 'the namespace is made')
        self.prefix = ['nsenter', '-t', str(self.process.pid), '--user',
                       '--net', '--mount', '--preserve-credentials']
        return self

    def stop(self):
        self.process.stop()

    def run(self, *argv, timeout_s=PATIENCE_S):
        """Standard output and error together, and the exit code."""
        done = subprocess.run([*self.prefix, *map(str, argv)],
                              stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT, timeout=timeout_s)
        return done.stdout.decode(errors='replace'), done.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
