"""Machines joined by cables: dotstub's, and servers' that can vanish.

Each machine is a network namespace, each cable a pair of veth links. The
servers run in this process, their sockets in their namespaces; a socket stays
where it was made, so inside() makes them in a thread that went there.
"""
import ctypes
import os
import subprocess
import threading

from lib.process import Process, wait_until

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
# The address of each server's link, and one that nobody has.
_MAC = '02:00:00:00:00:{:02x}'
_NOBODY = '02:00:00:00:ff:ff'


def is_possible():
    """May we make namespaces, and go there with a thread?"""
    return os.geteuid() == 0 and subprocess.run(
        ['unshare', '--net', 'ip', 'link', 'add', 'here', 'type', 'veth',
         'peer', 'name', 'there'], capture_output=True, check=False
    ).returncode == 0


class Machine:
    """A network namespace, held by a process that sleeps."""

    def __init__(self, log_file):
        self.process = Process(['unshare', '--net', 'sleep', '86400'],
                               log_file)
        self.pid = self.process.pid
        ours = os.readlink('/proc/self/ns/net')

        def is_apart():
            assert self.process.is_running(), self.process.log()
            return os.readlink(f'/proc/{self.pid}/ns/net') != ours
        wait_until(is_apart, 5, 'a network namespace')
        self.prefix = ['nsenter', '-t', str(self.pid), '--net']
        self.ip('link set lo up')

    def ip(self, command):
        subprocess.run([*self.prefix, 'ip', *command.split()], check=True,
                       capture_output=True, timeout=60)

    def inside(self, call):
        """call() in a thread that is on this machine; its value."""
        result = []

        def run():
            with open(f'/proc/{self.pid}/ns/net') as f:
                if _libc.setns(f.fileno(), _CLONE_NEWNET) != 0:
                    result.append(OSError(ctypes.get_errno(), 'setns'))
                    return
            try:
                result.append(call())
            except BaseException as e:  # raised by the caller's thread
                result.append(e)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    def stop(self):
        self.process.stop()


class Wan:
    """One machine for dotstub, and count others, each on a cable of its own
    called to0, to1 … here and cable at its other end."""

    def __init__(self, folder, count):
        self.machine = Machine(folder / 'machine.log')
        self.prefix = self.machine.prefix
        self.far = [Machine(folder / f'far{i}.log') for i in range(count)]
        for i, far in enumerate(self.far):
            self._plug(i, far)

    def _plug(self, i, far):
        self.machine.ip(f'link add to{i} type veth peer name cable '
                        f'address {_MAC.format(i)} netns {far.pid}')
        self.machine.ip(f'addr add {self.own_address(i)}/29 dev to{i}')
        far.ip(f'addr add {self.address(i)}/29 dev cable')
        far.ip('link set cable up')
        self.machine.ip(f'link set to{i} up')
        # The kernel is not to find out that nobody is there.
        self.machine.ip(f'neigh replace {self.address(i)} lladdr '
                        f'{_MAC.format(i)} dev to{i} nud permanent')

    @staticmethod
    def own_address(i, spare=0):
        """dotstub's machine's on cable i; there are a few spare ones."""
        return f'198.51.100.{8 * i + 2 + spare}'

    @staticmethod
    def address(i):
        """The server's."""
        return f'198.51.100.{8 * i + 1}'

    def renumber(self, i):
        """dotstub's machine has another address on cable i."""
        self.machine.ip(f'addr del {self.own_address(i)}/29 dev to{i}')
        self.machine.ip(f'addr add {self.own_address(i, 1)}/29 dev to{i}')

    def vanish(self, i):
        """What goes to server i is dropped, silently."""
        self.far[i].ip(f'link set cable address {_NOBODY}')

    def come_back(self, i):
        self.far[i].ip(f'link set cable address {_MAC.format(i)}')

    def unplug(self, i):
        """The cable of server i is pulled at its end."""
        self.far[i].ip('link set cable down')

    def plug(self, i):
        self.far[i].ip('link set cable up')

    def cut(self):
        """All links of dotstub's machine go down …"""
        for i in range(len(self.far)):
            self.machine.ip(f'link set to{i} down')

    def mend(self):
        """… and up again."""
        for i in range(len(self.far)):
            self.machine.ip(f'link set to{i} up')
            self.machine.ip(f'neigh replace {self.address(i)} lladdr '
                            f'{_MAC.format(i)} dev to{i} nud permanent')

    def stop(self):
        for machine in [self.machine, *self.far]:
            machine.stop()
