"""Real DoT servers from packages, serving the zone on loopback.

Each is started in the foreground in a folder of its own, with its own
certificate, on a free port; nothing is read from or written to the system's
configuration of the program.
"""
import pathlib
import shutil
import socket
import ssl

import dns.message
import dns.rcode

from lib.client import framed, query
from lib.ports import free_port
from lib.process import Process, wait_until
from lib.zone import TEXT


class Missing(Exception):
    """The program is not installed."""


def find(program):
    path = shutil.which(program) or shutil.which(
        program, path='/usr/sbin:/usr/local/sbin:/sbin')
    if path is None:
        raise Missing(f'{program} is not installed')
    return path


class RealServer:
    """leaf: the certificate, a certs.Leaf. server.entry goes to dotstub."""

    program = None

    def __init__(self, folder, leaf, name='dot.example', port=0):
        self.folder = pathlib.Path(folder) / type(self).__name__.lower()
        self.folder.mkdir(exist_ok=True)
        self.leaf = leaf
        self.port = port or free_port()
        self.entry = f'127.0.0.1:{self.port}#{name}'
        self.process = None

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self):
        argv = [find(self.program), *self.arguments()]
        self.process = Process(argv, self.folder / 'log', cwd=self.folder)
        wait_until(self._answers, 10, lambda: f'{self.program} answers:\n'
                   + self.process.log(), step_s=0.02)
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def _answers(self):
        if not self.process.is_running():
            raise AssertionError(f'{self.program} ended:\n'
                                 + self.process.log())
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1) as raw:
                with context.wrap_socket(raw) as tls:
                    tls.sendall(framed(query('www.example')))
                    size = int.from_bytes(_exactly(tls, 2), 'big')
                    response = dns.message.from_wire(_exactly(tls, size))
                    return response.rcode() == dns.rcode.NOERROR
        except OSError:
            return False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def _exactly(sock, count):
    data = b''
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise OSError('closed')
        data += chunk
    return data


class Nsd(RealServer):
    program = 'nsd'
    settings = ''

    def arguments(self):
        self.write('zone', TEXT)
        config = self.write('nsd.conf', f'''server:
  ip-address: 127.0.0.1@{self.port}
  port: {self.port}
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: ""
  xfrdfile: "{self.folder}/xfrd"
  zonelistfile: "{self.folder}/zonelist"
  xfrdir: "{self.folder}"
  tcp-count: 200
  rrl-ratelimit: 0
  tls-service-key: "{self.leaf.key_file}"
  tls-service-pem: "{self.leaf.chain_file}"
  tls-port: {self.port}
  {self.settings}
remote-control:
  control-enable: no
zone:
  name: "example."
  zonefile: "{self.folder}/zone"
''')
        return ['-d', '-c', config]


class Plain:
    """Before one of the others: over plain UDP and TCP, for a resolver to ask.
    """

    def arguments(self):
        arguments = super().arguments()
        path = arguments[-1]
        path.write_text('\n'.join(
            line for line in path.read_text().splitlines()
            if 'tls-' not in line and 'do-udp' not in line) + '\n')
        return arguments

    def _answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 1) as s:
                s.sendall(framed(query('www.example')))
                return bool(_exactly(s, 2))
        except OSError:
            return False


class PlainNsd(Plain, Nsd):
    pass


class Unbound(RealServer):
    program = 'unbound'

    def arguments(self):
        self.write('zone', TEXT)
        config = self.write('unbound.conf', f'''server:
  verbosity: 1
  use-syslog: no
  logfile: ""
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{self.folder}"
  interface: 127.0.0.1@{self.port}
  port: {self.port}
  tls-port: {self.port}
  do-udp: no
  tls-service-key: "{self.leaf.key_file}"
  tls-service-pem: "{self.leaf.chain_file}"
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  incoming-num-tcp: 200
remote-control:
  control-enable: no
auth-zone:
  name: "example."
  zonefile: "{self.folder}/zone"
  for-downstream: yes
  for-upstream: yes
''')
        return ['-d', '-p', '-c', config]


class PlainUnbound(Plain, Unbound):
    pass


class Relay(RealServer):
    """A server that asks an NSD of its own for the zone."""

    def start(self):
        self.origin = PlainNsd(self.folder, self.leaf)
        self.origin.start()
        try:
            return super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        super().stop()
        self.origin.stop()


class Kresd(Relay):
    """Knot Resolver."""

    program = 'kresd'

    def arguments(self):
        config = self.write('kresd.conf', f'''
net.ipv6 = false
net.listen('127.0.0.1', {self.port}, {{ kind = 'tls' }})
net.tls('{self.leaf.chain_file}', '{self.leaf.key_file}')
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
cache.open(10 * MB, 'lmdb://{self.folder}/cache')
policy.add(policy.all(policy.STUB('127.0.0.1@{self.origin.port}')))
''')
        return ['-n', '-c', config, self.folder]


class Bind(RealServer):
    program = 'named'

    def arguments(self):
        self.write('zone', TEXT)
        config = self.write('named.conf', f'''
tls dot {{
  key-file "{self.leaf.key_file}";
  cert-file "{self.leaf.chain_file}";
}};
options {{
  directory "{self.folder}";
  pid-file none; session-keyfile none; lock-file none;
  managed-keys-directory "{self.folder}";
  listen-on {{ none; }};
  listen-on-v6 {{ none; }};
  listen-on port {self.port} tls dot {{ 127.0.0.1; }};
  recursion no; dnssec-validation no; notify no;
  allow-query {{ any; }};
}};
controls {{ }};
zone "example." {{ type primary; file "{self.folder}/zone"; }};
''')
        return ['-g', '-n', '1', '-c', config]


class Dnsdist(Relay):
    """A load balancer."""

    program = 'dnsdist'

    def arguments(self):
        config = self.write('dnsdist.conf', f'''
addTLSLocal('127.0.0.1:{self.port}', '{self.leaf.chain_file}',
            '{self.leaf.key_file}', {{provider='openssl'}})
newServer({{address='127.0.0.1:{self.origin.port}', healthCheckMode='up'}})
setSecurityPollSuffix('')
setACL({{'127.0.0.0/8'}})
''')
        return ['--supervised', '--disable-syslog', '-C', config]


ALL = {c.__name__.lower(): c for c in (Nsd, Unbound, Kresd, Bind, Dnsdist)}
