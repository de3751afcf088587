"""The program under test: a configuration, a process, its addresses."""
import functools
import json
import os
import pathlib
import signal

from lib import client
from lib.ports import free_port
from lib.process import PATIENCE_S, Process, wait_bound, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
# Whose tests are about "sandbox: off" too; all others run locked in.
MAY_BE_OPEN = ('test_sandbox.py', 'test_dnstap.py')


def find_binary():
    """$DOTSTUB_BIN, or the usual build folder's."""
    path = os.environ.get('DOTSTUB_BIN') or REPOSITORY / 'build' / 'dotstub'
    return str(pathlib.Path(path).resolve())


def config_text(values):
    """JSON of each value is YAML too."""
    return ''.join(f'{key}: {json.dumps(value)}\n'
                   for key, value in values.items())


@functools.cache
def is_sanitized(binary):
    """A build with a sanitizer does not lock itself in."""
    octets = pathlib.Path(binary).read_bytes()
    return b'__asan_init' in octets or b'__tsan_init' in octets


def must_be_locked_in(binary):
    """In a test, unless whoever runs it has switched it off for all."""
    file = os.environ.get('PYTEST_CURRENT_TEST', '').partition('::')[0]
    return (file != '' and os.path.basename(file) not in MAY_BE_OPEN
            and os.environ.get('DOTSTUB_SANDBOX') != 'off'
            and not is_sanitized(binary))


def is_locked_in(pid):
    """As the kernel has it: no privileges, and none to be had. A program that
    was named before it (prefix) may have it as its child."""
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
    child = children.read_text().split() if children.exists() else []
    if child:
        return is_locked_in(child[0])
    held = dict(line.split(':\t', 1) for line in pathlib.Path(
        f'/proc/{pid}/status').read_text().splitlines() if ':\t' in line)
    return held['NoNewPrivs'] == '1' and int(held['CapEff'], 16) == 0


class Dotstub:
    """One running dotstub.

    servers   entries as in the file ("127.0.0.1:853#dot.example"), mappings,
              or dotd servers
    config    further keys; listen is made up if not given
    """

    def __init__(self, folder, servers, ca_file=None, *, label='dotstub',
                 port=None, binary=None, prefix=(), env=None, pass_fds=(),
                 **config):
        self.folder = pathlib.Path(folder)
        self.port = port or free_port('127.0.0.1', '::1')
        entries = [getattr(s, 'entry', s) for s in servers]
        values = {'listen': [f'127.0.0.1:{self.port}'],
                  'servers': entries or None}
        if ca_file:
            values['ca_file'] = str(ca_file)
        values['workers'] = 1
        values['cache_size'] = 0
        values['control'] = str(self.folder / f'{label}.sock')
        values.update(config)
        self.config_file = self.folder / f'{label}.yaml'
        self.values = values
        self.config_file.write_text(config_text(
            {k: v for k, v in values.items() if v is not None}))
        self.binary = str(binary or find_binary())
        self.argv = [*prefix, self.binary, 'run', '-c', self.config_file]
        self.env = {**os.environ, **(env or {})}
        self.pass_fds = pass_fds
        self.log_file = self.folder / f'{label}.log'
        self.process = None
        self._log_len = 0  # of earlier processes

    def start(self, wait=True):
        self._log_len = len(self.log())
        self.process = Process(self.argv, self.log_file, env=self.env,
                               pass_fds=self.pass_fds)
        if wait:
            self.wait_listening()
        return self

    def wait_listening(self, port=None, timeout_s=5):
        """All of its sockets are open, and it says so. (The ports alone may
        be those of its first worker, or of another machine, on which it was
        before its prefix took it where it belongs.)"""
        port = port or self.port

        def is_ready():
            if not self.process.is_running():
                raise AssertionError(f'{self.argv[0]} ended:\n{self.log()}')
            return 'listening on' in self.log()[self._log_len:]
        wait_until(is_ready, timeout_s,
                   lambda: f'it is ready:\n{self.log()}')
        wait_bound(self.process, [('udp', port), ('tcp', port)], timeout_s)
        if must_be_locked_in(self.binary):
            assert is_locked_in(self.pid), f'its sandbox is off:\n{self.log()}'

    def stop(self):
        return self.process.stop() if self.process else None

    def terminate(self):
        self.process.signal(signal.SIGTERM)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.process.log() if self.process else ''

    # ---- asking it

    def udp(self, name, kind='A', timeout_s=PATIENCE_S, **options):
        with client.Udp(self.port) as c:
            return c.ask(client.query(name, kind, **options), timeout_s)

    def tcp(self, name, kind='A', timeout_s=PATIENCE_S, **options):
        with client.Tcp(self.port) as c:
            return c.ask(client.query(name, kind, **options), timeout_s)

    def ask(self, transport, name, kind='A', **options):
        return {'udp': self.udp, 'tcp': self.tcp}[transport](
            name, kind, **options)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
