"""Start DNS-over-TLS forwarders (dotstub and its peers) and DoT upstreams on loopback.

Run with Debian's Python (/usr/bin/python3; needs python3-cryptography).

    ca = make_ca(tmp)
    crt = issue_cert(ca, 'dot.example', ['127.0.0.1'])
    with DotUpstream('nsd', 20853, crt.cert, crt.key) as up, \
         PEERS['unbound'](20053, [Upstream('127.0.0.1', 20853, 'dot.example')], ca.pem) as p:
        print(query('127.0.0.1', 20053, 'a.some-name.net'))

Every process started here is ended by pid on stop(), at interpreter exit, and (when started
from the main thread) by the kernel if this process dies.
"""
import atexit
import base64
import ctypes
import datetime
import ipaddress
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

CLK_TCK = os.sysconf('SC_CLK_TCK')
PAGE_KIB = os.sysconf('SC_PAGE_SIZE') // 1024


class Unsupported(Exception):
    """The peer cannot do what was asked for (or is not installed)."""


class StartError(Exception):
    """The process ended, or did not answer in time; the message holds the end of its log."""


@dataclass
class Upstream:
    addr: str
    port: int
    name: str           # TLS authentication name


# ---------------------------------------------------------------- DNS wire helpers

def encode_name(name):
    out = b''
    for label in name.rstrip('.').split('.'):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b'\0'


def make_query(name, qtype=1, qid=None, edns=None, rd=True):
    """A query message. edns: None, or the UDP payload size to announce."""
    if qid is None:
        qid = random.getrandbits(16)
    msg = struct.pack('!6H', qid, 0x0100 if rd else 0, 1, 0, 0, 0 if edns is None else 1)
    msg += encode_name(name) + struct.pack('!2H', qtype, 1)
    if edns is not None:
        msg += b'\0' + struct.pack('!2HIH', 41, edns, 0, 0)
    return msg


def rcode(msg):
    return msg[3] & 15


def recv_exact(sock, n):
    buf = b''
    while len(buf) < n:
        part = sock.recv(n - len(buf))
        if not part:
            raise ConnectionError('peer closed the connection')
        buf += part
    return buf


def recv_tcp(sock):
    return recv_exact(sock, struct.unpack('!H', recv_exact(sock, 2))[0])


def send_tcp(sock, msg):
    sock.sendall(struct.pack('!H', len(msg)) + msg)


def query(addr, port, name, qtype=1, tcp=False, timeout=2.0, edns=None):
    """One query; returns the response's bytes, or None if none came in time."""
    msg = make_query(name, qtype, edns=edns)
    end = time.monotonic() + timeout
    fam = socket.AF_INET6 if ':' in addr else socket.AF_INET
    try:
        if tcp:
            with socket.socket(fam, socket.SOCK_STREAM) as s:
                s.settimeout(timeout)
                s.connect((addr, port))
                send_tcp(s, msg)
                return recv_tcp(s)
        with socket.socket(fam, socket.SOCK_DGRAM) as s:
            s.connect((addr, port))
            s.send(msg)
            while True:
                s.settimeout(max(0.001, end - time.monotonic()))
                ans = s.recv(65535)
                if ans[:2] == msg[:2]:
                    return ans
    except OSError:
        return None


class DotClient:
    """A persistent DoT connection, for direct queries to an upstream."""

    def __init__(self, up, ca_file, timeout=5.0):
        ctx = ssl.create_default_context(cafile=str(ca_file))
        raw = socket.create_connection((up.addr, up.port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = ctx.wrap_socket(raw, server_hostname=up.name)

    def query(self, name, qtype=1):
        send_tcp(self.sock, make_query(name, qtype))
        return recv_tcp(self.sock)

    def pipeline(self, names):
        """Send all queries in one write, then read all responses; returns their ids in order."""
        msgs = [make_query(n, qid=i) for i, n in enumerate(names)]
        self.sock.sendall(b''.join(struct.pack('!H', len(m)) + m for m in msgs))
        return [struct.unpack('!H', recv_tcp(self.sock)[:2])[0] for _ in msgs]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# ---------------------------------------------------------------- certificates

@dataclass
class Ca:
    dir: pathlib.Path
    pem: pathlib.Path
    key: pathlib.Path


@dataclass
class Cert:
    cert: pathlib.Path
    key: pathlib.Path


def _x509():
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
    except ImportError as e:
        raise Unsupported('python3-cryptography is needed (run with /usr/bin/python3)') from e
    return x509, hashes, serialization, ec, rsa


def _new_key(kind):
    _, _, _, ec, rsa = _x509()
    if kind == 'ec':
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _write_key(path, key):
    _, _, ser, _, _ = _x509()
    path.write_bytes(key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8,
                                       ser.NoEncryption()))


def make_ca(dir, name='dotstub bench CA', key='ec'):
    """A new root CA in dir: ca.pem and ca.key."""
    x509, hashes, ser, _, _ = _x509()
    dir = pathlib.Path(dir)
    dir.mkdir(parents=True, exist_ok=True)
    k = _new_key(key)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True,
                          content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False,
                          encipher_only=False, decipher_only=False)
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(k.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(k.public_key()), False)
            .sign(k, hashes.SHA256()))
    ca = Ca(dir, dir / 'ca.pem', dir / 'ca.key')
    ca.pem.write_bytes(cert.public_bytes(ser.Encoding.PEM))
    _write_key(ca.key, k)
    return ca


def issue_cert(ca, name, ips=('127.0.0.1',), expired=False, key='ec', names=None,
               not_yet=False):
    """A server certificate from ca. names: further (or, with name=None, all) DNS names."""
    x509, hashes, ser, _, _ = _x509()
    ca_key = ser.load_pem_private_key(ca.key.read_bytes(), None)
    ca_cert = x509.load_pem_x509_certificate(ca.pem.read_bytes())
    k = _new_key(key)
    now = datetime.datetime.utcnow()
    day = datetime.timedelta(days=1)
    first, last = now - day, now + 14 * day
    if expired:
        first, last = now - 30 * day, now - day
    elif not_yet:
        first, last = now + 7 * day, now + 14 * day
    dns = ([name] if name else []) + list(names or [])
    san = [x509.DNSName(n) for n in dns] + [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
    cn = dns[0] if dns else 'server'
    cert = (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, cn)]))
            .issuer_name(ca_cert.subject).public_key(k.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first).not_valid_after(last)
            .add_extension(x509.SubjectAlternativeName(san), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                ca_key.public_key()), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(k.public_key()), False)
            .sign(ca_key, hashes.SHA256()))
    stem = f'{cn}-{random.getrandbits(32):08x}'
    out = Cert(ca.dir / f'{stem}.crt', ca.dir / f'{stem}.key')
    out.cert.write_bytes(cert.public_bytes(ser.Encoding.PEM))
    _write_key(out.key, k)
    return out


# ---------------------------------------------------------------- processes

_live = set()


@atexit.register
def _stop_all():
    for p in list(_live):
        p.stop()


_libc = ctypes.CDLL(None, use_errno=True)


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)


def _children(pid):
    out = []
    try:
        for t in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{t}/children') as f:
                out += [int(c) for c in f.read().split()]
    except OSError:
        pass
    return out


class Daemon:
    """One or more processes with a work directory and a log; a context manager."""

    name = 'daemon'

    def __init__(self, workdir=None, cpus=None):
        self._own_dir = workdir is None
        self.workdir = pathlib.Path(workdir or tempfile.mkdtemp(prefix=f'{self.name}-'))
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.workdir.chmod(0o755)
        self.cpus = cpus
        self.log = self.workdir / 'log'
        self.procs = []
        self.started_at = None      # time.monotonic() just before the exec

    # -- to override
    def commands(self):
        """The list of argument vectors to start (after writing the config)."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def ready(self):
        return True

    # -- life
    def start(self):
        cmds = self.commands()
        env = self.environment()
        preexec = _die_with_parent if _in_main_thread() else None
        _live.add(self)
        try:
            with open(self.log, 'ab') as log:
                self.started_at = time.monotonic()
                for argv in cmds:
                    if self.cpus is not None:
                        argv = ['taskset', '-c', ','.join(map(str, self.cpus))] + argv
                    self.procs.append(subprocess.Popen(
                        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                        cwd=self.workdir, env=env, start_new_session=True, preexec_fn=preexec))
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    wait_timeout = 15.0

    def wait_ready(self):
        end = time.monotonic() + self.wait_timeout
        while True:
            if not self.alive():
                raise StartError(f'{self.name} ended: {self.log_tail()}')
            if self.ready():
                return
            if time.monotonic() > end:
                raise StartError(f'{self.name} gave no answer in {self.wait_timeout} s: '
                                 f'{self.log_tail()}')
            time.sleep(0.01)

    def log_tail(self, n=2000):
        try:
            return self.log.read_bytes()[-n:].decode(errors='replace')
        except OSError:
            return ''

    def stop(self, keep_dir=False):
        """End the processes; keep_dir: leave the work directory (and the log) for a restart."""
        _live.discard(self)
        kids = [c for c in self.pids() if c not in [p.pid for p in self.procs]]
        for p in self.procs:
            if p.poll() is None:
                p.terminate()
        end = time.monotonic() + 3
        for p in self.procs:
            try:
                p.wait(max(0.05, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for pid in kids:                    # left over only if the parent did not reap them
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.procs = []
        if self._own_dir and not keep_dir:
            shutil.rmtree(self.workdir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    # -- figures
    def alive(self):
        return bool(self.procs) and all(p.poll() is None for p in self.procs)

    def pids(self):
        """The processes and all their descendants."""
        out, todo = [], [p.pid for p in self.procs if p.poll() is None]
        while todo:
            pid = todo.pop()
            out.append(pid)
            todo += _children(pid)
        return out

    def cpu_breakdown(self):
        """{'user': s, 'sys': s} over all pids."""
        user = system = 0
        for pid in self.pids():
            try:
                with open(f'/proc/{pid}/stat') as f:
                    f = f.read().rpartition(')')[2].split()
            except OSError:
                continue
            user += int(f[11])
            system += int(f[12])
        return {'user': user / CLK_TCK, 'sys': system / CLK_TCK}

    def cpu_seconds(self):
        """user + sys of all pids, from /proc/PID/schedstat (ns) where there is one."""
        total = 0.0
        for pid in self.pids():
            try:
                for t in os.listdir(f'/proc/{pid}/task'):
                    with open(f'/proc/{pid}/task/{t}/schedstat') as f:
                        total += int(f.read().split()[0]) / 1e9
            except OSError:
                pass
        return total or sum(self.cpu_breakdown().values())

    def _smaps(self, field):
        total = 0
        for pid in self.pids():
            try:
                with open(f'/proc/{pid}/smaps_rollup') as f:
                    total += sum(int(x.split()[1]) for x in f if x.startswith(field + ':'))
            except OSError:
                pass
        return total

    def rss_kib(self):
        return self._smaps('Rss')

    def pss_kib(self):
        return self._smaps('Pss')

    def threads_running(self):
        return sum(len(os.listdir(f'/proc/{pid}/task')) for pid in self.pids())


# ---------------------------------------------------------------- the peers

class Peer(Daemon):
    """A DoT forwarder on 127.0.0.1:listen_port, UDP and TCP.

    strategy   None (the peer's own default), 'failover' (first upstream while it works),
               'race' (ask several, relay the first answer) or 'roundrobin'
    extra      {'config': text added to the config, ...}; see each class for more keys
    wait       'answer': start() returns at the first NOERROR or NXDOMAIN answer to `probe`;
               'response': any DNS response; 'listen': the TCP port accepts; None: at once
    """

    binary = None
    strategies = ()
    max_threads = 1
    has_cache = True

    def __init__(self, listen_port, upstreams, ca_file, cache=True, threads=1, strategy=None,
                 cpus=None, workdir=None, extra=None, wait='answer', wait_timeout=15.0,
                 probe='start.probe-peers.net', cache_size=100_000):
        if strategy is not None and strategy not in self.strategies:
            raise Unsupported(f'{self.name} has no {strategy!r} strategy')
        if threads > self.max_threads:
            raise Unsupported(f'{self.name} runs at most {self.max_threads} thread(s)')
        if cache is True and not self.has_cache:
            cache = False       # see has_cache; a caller who needs one must look at it
        self.exe = self.find_binary()
        super().__init__(workdir, cpus)
        self.port = listen_port
        self.upstreams = list(upstreams)
        self.ca_file = str(pathlib.Path(ca_file).resolve())
        self.cache = cache
        self.cache_size = cache_size    # entries wanted
        self.threads = threads
        self.strategy = strategy
        self.extra = dict(extra or {})
        self.wait = wait
        self.wait_timeout = wait_timeout
        self.probe = probe

    @classmethod
    def find_binary(cls):
        path = shutil.which(cls.binary, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
        if not path:
            raise Unsupported(f'{cls.binary} is not installed')
        return path

    @classmethod
    def version(cls):
        return '?'

    def config_text(self):
        return self.extra.get('config', '')

    def write(self, name, text):
        path = self.workdir / name
        path.write_text(text)
        return str(path)

    def ready(self):
        if self.wait is None:
            return True
        if self.wait == 'listen':
            try:
                socket.create_connection(('127.0.0.1', self.port), 0.2).close()
                return True
            except OSError:
                return False
        ans = query('127.0.0.1', self.port, self.probe, timeout=0.5)
        if ans is None:
            return False
        return self.wait == 'response' or rcode(ans) in (0, 3)


def _first_line(argv, pick=0):
    try:
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=5)
        return r.stdout.decode(errors='replace').strip().splitlines()[pick].strip()
    except (OSError, IndexError, subprocess.SubprocessError):
        return '?'


class Unbound(Peer):
    """extra: 'config' goes inside the server: clause; 'tail' after all clauses."""
    name = 'unbound'
    binary = 'unbound'
    strategies = ('roundrobin',)    # picks at random among the servers of a low RTT band
    max_threads = 64

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '-V'])

    def commands(self):
        mib = max(4, self.cache_size * 1024 // (1 << 20))
        fwd = ''.join(f'  forward-addr: {u.addr}@{u.port}#{u.name}\n' for u in self.upstreams)
        conf = f'''server:
  verbosity: 0
  use-syslog: no
  logfile: ""
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{self.workdir}"
  interface: 127.0.0.1
  port: {self.port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  num-threads: {self.threads}
  so-reuseport: yes
  module-config: "iterator"
  tls-cert-bundle: "{self.ca_file}"
  msg-cache-size: {mib}m
  rrset-cache-size: {2 * mib}m
  msg-cache-slabs: {max(1, self.threads)}
  rrset-cache-slabs: {max(1, self.threads)}
  infra-cache-slabs: {max(1, self.threads)}
  key-cache-slabs: {max(1, self.threads)}
  incoming-num-tcp: {self.extra.get('tcp_clients', 256)}
  outgoing-num-tcp: 64
  num-queries-per-thread: 4096
  outgoing-range: 8192
  qname-minimisation: no
  local-zone: "test." nodefault
{self.config_text()}
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-no-cache: {'no' if self.cache else 'yes'}
{fwd}
{self.extra.get('tail', '')}
'''
        return [[self.exe, '-d', '-p', '-c', self.write('unbound.conf', conf)]]


class Dnsdist(Peer):
    """extra: 'config' is Lua, run last."""
    name = 'dnsdist'
    binary = 'dnsdist'
    strategies = ('failover', 'roundrobin')
    max_threads = 64

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '--version']).split(' (')[0]

    def commands(self):
        n = self.threads
        lines = [f"addLocal('127.0.0.1:{self.port}', {{reusePort=true, tcpListenQueueSize=1024}})"
                 for _ in range(n)]
        lines += ["setSecurityPollSuffix('')", "setACL({'127.0.0.0/8'})",
                  f"setMaxTCPClientThreads({n})", "setMaxUDPOutstanding(65535)",
                  "setMaxTCPConnectionsPerClient(0)", "setMaxTCPQueriesPerConnection(0)",
                  "setTCPRecvTimeout(60)", "setVerboseHealthChecks(true)"]
        for i, u in enumerate(self.upstreams):
            lines.append(
                f"newServer({{address='{u.addr}:{u.port}', name='up{i}', tls='openssl', "
                f"subjectName='{u.name}', caStore='{self.ca_file}', validateCertificates=true, "
                f"order={i + 1}, checkName='{self.extra.get('check_name', 'health.probe-peers.net.')}', "
                f"checkType='A', checkInterval={self.extra.get('check_interval', 1)}, "
                f"mustResolve=false, maxInFlight={self.extra.get('max_in_flight', 1000)}, "
                "reconnectOnUp=true})")
        policy = {'failover': 'firstAvailable', 'roundrobin': 'roundrobin'}.get(self.strategy)
        if policy:
            lines.append(f'setServerPolicy({policy})')
        if self.cache:
            lines.append(f"pc = newPacketCache({max(self.cache_size, 1000)}, "
                         f"{{numberOfShards={1 if n == 1 else 20}}})")
            lines.append("getPool(''):setCache(pc)")
        lines.append(self.config_text())
        conf = self.write('dnsdist.conf', '\n'.join(lines) + '\n')
        return [[self.exe, '--supervised', '--disable-syslog', '-C', conf]]


class Stubby(Peer):
    """extra: 'config' is YAML at top level; 'idle_timeout' in ms. It has no cache."""
    name = 'stubby'
    binary = 'stubby'
    strategies = ('failover', 'roundrobin')
    has_cache = False

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '-V'])

    def commands(self):
        ups = ''.join(f'  - address_data: {u.addr}\n    tls_port: {u.port}\n'
                      f'    tls_auth_name: "{u.name}"\n' for u in self.upstreams)
        conf = f'''resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list:
  - GETDNS_TRANSPORT_TLS
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 128
edns_client_subnet_private: 1
round_robin_upstreams: {1 if self.strategy == 'roundrobin' else 0}
idle_timeout: {self.extra.get('idle_timeout', 10000)}
timeout: 5000
tls_ca_file: "{self.ca_file}"
appdata_dir: "{self.workdir}"
listen_addresses:
  - 127.0.0.1@{self.port}
upstream_recursive_servers:
{ups}
{self.config_text()}
'''
        return [[self.exe, '-v', str(self.extra.get('verbosity', 3)), '-C',
                 self.write('stubby.yml', conf)]]


class KnotResolver(Peer):
    """extra: 'config' is Lua, run last. threads: so many processes, as its manual says."""
    name = 'knot-resolver'
    binary = 'kresd'
    strategies = ()
    max_threads = 64

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '-V'])

    def commands(self):
        ups = ', '.join(f"{{'{u.addr}@{u.port}', hostname='{u.name}', ca_file='{self.ca_file}'}}"
                        for u in self.upstreams)
        size = max(16, self.cache_size * 1024 // (1 << 20))
        nocache = '' if self.cache else "policy.add(policy.all(policy.FLAGS({'NO_CACHE'})))\n"
        conf = f'''net.ipv6 = false
net.listen('127.0.0.1', {self.port}, {{ kind = 'dns' }})
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
cache.open({size} * MB, 'lmdb://{self.workdir}/cache')
{nocache}policy.add(policy.all(policy.TLS_FORWARD({{{ups}}})))
{self.config_text()}
'''
        path = self.write('kresd.conf', conf)
        return [[self.exe, '-n', '-c', path, str(self.workdir)] for _ in range(self.threads)]


class Smartdns(Peer):
    """Always asks several of its upstreams at once. extra: 'config' lines at the end."""
    name = 'smartdns'
    binary = 'smartdns'
    strategies = ('race',)

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '-v'])

    def commands(self):
        ups = ''.join(f'server-tls {u.addr}:{u.port} -host-name {u.name} '
                      f'-tls-host-verify {u.name}\n' for u in self.upstreams)
        conf = f'''bind 127.0.0.1:{self.port}
bind-tcp 127.0.0.1:{self.port}
tcp-idle-time {self.extra.get('tcp_idle', 120)}
cache-size {self.cache_size if self.cache else 0}
cache-persist no
prefetch-domain no
serve-expired no
speed-check-mode none
response-mode fastest-response
dualstack-ip-selection no
log-level {self.extra.get('log_level', 'error')}
log-file {self.workdir}/smartdns.log
audit-enable no
ca-file {self.ca_file}
{ups}{self.config_text()}
'''
        return [[self.exe, '-f', '-x', '-p', str(self.workdir / 'pid'), '-c',
                 self.write('smartdns.conf', conf)]]


class SystemdResolved(Peer):
    """Runs in its own mount namespace, without D-Bus; needs root.

    Taken from an installed systemd-resolved, or from the package unpacked (not installed,
    which would replace /etc/resolv.conf) under the user's cache folder.
    """
    name = 'systemd-resolved'
    binary = 'systemd-resolved'
    strategies = ('failover',)

    @classmethod
    def find_binary(cls):
        cached = pathlib.Path(os.environ.get('XDG_CACHE_HOME',
                                             pathlib.Path.home() / '.cache')) / 'dns-peers'
        for p in (os.environ.get('SYSTEMD_RESOLVED_BIN'), '/lib/systemd/systemd-resolved',
                  cached / 'lib/systemd/systemd-resolved'):
            if p and os.access(p, os.X_OK):
                return str(p)
        if not shutil.which('apt-get'):
            raise Unsupported('systemd-resolved is not installed')
        cached.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as tmp:
            os.chmod(tmp, 0o777)
            r = subprocess.run(['apt-get', 'download', 'systemd-resolved'], cwd=tmp,
                               capture_output=True, timeout=120)
            debs = list(pathlib.Path(tmp).glob('*.deb'))
            if r.returncode or not debs:
                raise Unsupported('systemd-resolved is not installed and cannot be downloaded')
            subprocess.run(['dpkg', '-x', str(debs[0]), str(cached)], check=True)
        return str(cached / 'lib/systemd/systemd-resolved')

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), '--version'])

    def environment(self):
        return {k: v for k, v in os.environ.items() if not k.startswith('SSL_CERT_')}

    def commands(self):
        dns = ' '.join(f'{u.addr}:{u.port}#{u.name}' for u in self.upstreams)
        conf = self.write('resolved.conf', f'''[Resolve]
DNS={dns}
FallbackDNS=
Domains=~.
DNSSEC=no
DNSOverTLS=yes
Cache={'yes' if self.cache else 'no'}
CacheFromLocalhost=yes
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:{self.port}
LLMNR=no
MulticastDNS=no
ReadEtcHosts=no
{self.config_text()}
''')
        uid = 65534
        # A change of user clears the parent-death signal: set it again.
        pdeath = '--pdeathsig KILL ' if _in_main_thread() else ''
        script = f'''set -e
mount -t tmpfs -o mode=755 tmpfs /run/systemd
mkdir -p /run/systemd/resolved.conf.d /run/systemd/resolve
cp "{conf}" /run/systemd/resolved.conf.d/99-peer.conf
chown -R {uid}:{uid} /run/systemd/resolve
# The service's user may not reach the caller's ca_file: make it OpenSSL's default bundle.
mount -t tmpfs -o mode=755 tmpfs /usr/lib/ssl
ln -s /etc/ssl/openssl.cnf /usr/lib/ssl/openssl.cnf
cp "{self.ca_file}" /usr/lib/ssl/cert.pem
chmod 644 /usr/lib/ssl/cert.pem
exec setpriv {pdeath}--reuid {uid} --regid {uid} --clear-groups \
  --inh-caps +setpcap,+net_raw,+net_bind_service \
  --ambient-caps +setpcap,+net_raw,+net_bind_service "{self.exe}"
'''
        return [['unshare', '-m', 'sh', '-c', script]]


class Dotstub(Peer):
    """The product. Binary: $DOTSTUB_BIN, else build/dotstub in the current folder.

    extra: 'config' is YAML added at top level; 'argv' further arguments; 'env' further
    environment variables.
    """
    name = 'dotstub'
    strategies = ('failover', 'race', 'roundrobin')
    max_threads = 64

    @classmethod
    def find_binary(cls):
        path = os.environ.get('DOTSTUB_BIN') or 'build/dotstub'
        if not os.access(path, os.X_OK):
            raise Unsupported('dotstub is not built (see DOTSTUB_BIN)')
        return str(pathlib.Path(path).resolve())

    @classmethod
    def version(cls):
        return _first_line([cls.find_binary(), 'version'])

    def commands(self):
        path = self.write('dotstub.yaml', self.dotstub_config())
        return [[self.exe, *self.dotstub_args(path), *self.extra.get('argv', [])]]

    def environment(self):
        return {**os.environ, 'SSL_CERT_FILE': self.ca_file, **self.extra.get('env', {})}

    # The product's configuration, as its documentation gives it.
    def dotstub_config(self):
        servers = ''.join(f'  - "{u.addr}:{u.port}#{u.name}"\n' for u in self.upstreams)
        strategy = {None: 'failover', 'roundrobin': 'round_robin'}.get(self.strategy, self.strategy)
        return (f'listen:\n  - "127.0.0.1:{self.port}"\n'
                f'servers:\n{servers}'
                f'ca_file: "{self.ca_file}"\n'
                f'workers: {self.threads}\n'
                f'strategy: {strategy}\n'
                f'cache_size: {"512MiB" if self.cache else 0}\n'
                'tcp_max_clients: 1200\ntcp_max_clients_per_address: 1200\n'
                f'tcp_idle_timeout: 2m\n{self.config_text()}\n')

    def dotstub_args(self, config_path):
        return ['run', '-c', config_path]


PEERS = {c.name: c for c in (Unbound, Dnsdist, Stubby, KnotResolver, Smartdns, SystemdResolved,
                             Dotstub)}


def available():
    """The names in PEERS whose programs are here."""
    out = []
    for name, cls in PEERS.items():
        try:
            cls.find_binary()
            out.append(name)
        except Unsupported:
            pass
    return out


# ---------------------------------------------------------------- upstreams

def wildcard_zone(ttl=300, origin='.', addr='192.0.2.1'):
    """A zone file in which every name below origin has an A record."""
    o = origin if origin.endswith('.') else origin + '.'
    return (f'$ORIGIN {o}\n$TTL {ttl}\n'
            f'@ IN SOA ns.up.probe-peers.net. host.up.probe-peers.net. 1 3600 600 86400 {ttl}\n'
            f'@ IN NS ns.up.probe-peers.net.\n'
            f'* IN A {addr}\n* IN AAAA 2001:db8::1\n* IN TXT "probe"\n')


class DotUpstream(Daemon):
    """A real server that serves names over DoT on addr:port.

    kind   'dnsdist'  every name has the A record wildcard_addr; no zone; the fastest, answers
                      each pipelined query at once (default without zone_records)
           'bind'     authoritative for zone_records (default with zone_records)
           'unbound'  every name has one A record; leaves Nagle on: pipelined answers may wait
                      40 ms for the client's delayed ACK
           'nsd'      authoritative; version 4.6.1 leaves Nagle on too, and does not answer the
                      second query of one TLS record until more bytes arrive (a trap worth a
                      test, but not an upstream to measure with)
    zone_records      a zone file's text, for 'bind' and 'nsd' (default: wildcard_zone())
    idle_s            closes connections idle for so long
    queries_per_conn  closes a connection after so many queries (0: never; 'dnsdist', 'nsd')
    console_port      a free port, for queries() ('dnsdist')
    """

    def __init__(self, kind=None, port=0, cert=None, key=None, zone_records=None, origin='.',
                 addr='127.0.0.1', cpus=None, workdir=None, idle_s=600, queries_per_conn=0,
                 connections=2000, wildcard_ttl=300, wildcard_addr='192.0.2.1', extra='',
                 console_port=0):
        kind = kind or ('bind' if zone_records else 'dnsdist')
        self.name = f'upstream-{kind}'
        binary = {'bind': 'named'}.get(kind, kind)
        if kind not in ('nsd', 'unbound', 'dnsdist', 'bind'):
            raise Unsupported(f'no {kind} upstream')
        if zone_records and kind not in ('nsd', 'bind'):
            raise Unsupported(f'a {kind} upstream serves no zone file')
        if queries_per_conn and kind not in ('nsd', 'dnsdist'):
            raise Unsupported(f'a {kind} upstream cannot close after N queries')
        exe = shutil.which(binary, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
        if not exe:
            raise Unsupported(f'{binary} is not installed')
        super().__init__(workdir, cpus)
        self.kind, self.exe, self.addr, self.port = kind, exe, addr, port
        self.cert, self.key = str(cert), str(key)
        self.zone = zone_records or wildcard_zone(wildcard_ttl, origin, wildcard_addr)
        self.origin = origin
        self.idle_s, self.queries_per_conn, self.connections = idle_s, queries_per_conn, connections
        self.ttl, self.waddr, self.extra = wildcard_ttl, wildcard_addr, extra
        self.console_port = console_port

    def commands(self):
        return getattr(self, '_' + self.kind)()

    def _write(self, name, text):
        path = self.workdir / name
        path.write_text(text)
        return str(path)

    def _nsd(self):
        zone = self._write('zone', self.zone)
        conf = self._write('nsd.conf', f'''server:
  ip-address: {self.addr}@{self.port}
  port: {self.port}
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{self.workdir}"
  database: ""
  pidfile: "{self.workdir}/pid"
  xfrdfile: "{self.workdir}/xfrd.state"
  zonelistfile: "{self.workdir}/zone.list"
  xfrdir: "{self.workdir}"
  tcp-count: {self.connections}
  tcp-query-count: {self.queries_per_conn}
  tcp-timeout: {self.idle_s}
  tls-service-key: "{self.key}"
  tls-service-pem: "{self.cert}"
  tls-port: {self.port}
  rrl-ratelimit: 0
  minimal-responses: yes
  {self.extra}
remote-control:
  control-enable: no
zone:
  name: "{self.origin}"
  zonefile: "{zone}"
''')
        return [[self.exe, '-d', '-c', conf]]

    def _bind(self):
        zone = self._write('zone', self.zone)
        conf = self._write('named.conf', f'''
tls dot {{ key-file "{self.key}"; cert-file "{self.cert}"; }};
options {{
  directory "{self.workdir}";
  pid-file none; session-keyfile none; managed-keys-directory "{self.workdir}";
  listen-on {{ none; }};
  listen-on-v6 {{ none; }};
  listen-on port {self.port} tls dot {{ {self.addr}; }};
  recursion no; dnssec-validation no; notify no; minimal-responses yes;
  tcp-clients {self.connections}; tcp-idle-timeout {min(1200, self.idle_s * 10)};
  allow-query {{ any; }};
  {self.extra}
}};
controls {{ }};
zone "{self.origin}" {{ type primary; file "{zone}"; }};
''')
        return [[self.exe, '-g', '-n', '1', '-c', conf]]

    def _unbound(self):
        conf = self._write('unbound.conf', f'''server:
  verbosity: 0
  use-syslog: no
  logfile: ""
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{self.workdir}"
  interface: {self.addr}@{self.port}
  port: {self.port}
  tls-port: {self.port}
  do-udp: no
  tls-service-key: "{self.key}"
  tls-service-pem: "{self.cert}"
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  incoming-num-tcp: {self.connections}
  tcp-idle-timeout: {self.idle_s * 1000}
  local-zone: "." redirect
  local-data: ". {self.ttl} IN A {self.waddr}"
  {self.extra}
''')
        return [[self.exe, '-d', '-p', '-c', conf]]

    def queries(self):
        """Queries received so far, from the server's own counter ('dnsdist' only)."""
        r = subprocess.run([self.exe, '-C', str(self.workdir / 'dnsdist.conf'), '-e',
                            "return getStatisticsCounters()['queries']"],
                           capture_output=True, text=True, timeout=10)
        return int(r.stdout)

    def _dnsdist(self):
        console = ''
        if self.console_port:
            console = (f"controlSocket('127.0.0.1:{self.console_port}') "
                       f"setKey('{base64.b64encode(os.urandom(32)).decode()}')")
        conf = self._write('dnsdist.conf', f'''
{console}
addTLSLocal('{self.addr}:{self.port}', '{self.cert}', '{self.key}',
            {{provider='openssl', tcpListenQueueSize=1024, maxInFlight=1000}})
setSecurityPollSuffix('')
setACL({{'127.0.0.0/8'}})
setMaxTCPClientThreads(1)
setMaxTCPConnectionsPerClient(0)
setMaxTCPQueriesPerConnection({self.queries_per_conn})
setTCPRecvTimeout({self.idle_s})
addAction(AllRule(), SpoofAction('{self.waddr}', {{ttl={self.ttl}}}))
{self.extra}
''')
        return [[self.exe, '--supervised', '--disable-syslog', '-C', conf]]

    def ready(self):
        ctx = ssl.create_default_context()
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        try:
            with socket.create_connection((self.addr, self.port), 1) as raw, \
                    ctx.wrap_socket(raw) as s:
                send_tcp(s, make_query('ready.probe-peers.net'))
                recv_tcp(s)
                return True
        except (OSError, ValueError):
            return False
