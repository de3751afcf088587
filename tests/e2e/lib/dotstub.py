"""The program under test: a configuration, a process, its addresses."""
import json
import os
import pathlib
import signal

from lib import client
from lib.ports import free_port
from lib.process import PATIENCE_S, Process, wait_bound, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def find_binary():
    """$DOTSTUB_BIN, or the usual build folder's."""
    path = os.environ.get('DOTSTUB_BIN') or REPOSITORY / 'build' / 'dotstub'
    return str(pathlib.Path(path).resolve())


def config_text(values):
    """JSON of each value is YAML too."""
    return ''.join(f'{key}: {json.dumps(value)}\n'
                   for key, value in values.items())


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
        self.argv = [*prefix, binary or find_binary(), 'run', '-c',
                     self.config_file]
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
