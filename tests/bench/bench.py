"""Measures DoT forwarders side by side: dotstub, its peers and two floors.

    /usr/bin/python3 bench.py [--quick | --full] [--peers a,b] [--scenarios a,c,d]
                              [--repeat N] [--json FILE] [--md FILE] [--port BASE]
    /usr/bin/python3 bench.py --render JSON... [--spread]

All peers run in one go, one after the other, scenario by scenario; --repeat does the whole
round again, so that the repeats of one figure lie minutes apart. The tables show the median of
the repeats, and beside it the ratio to the best peer (dotstub and the floors are not peers).

The proxy runs on CPU 0, the load generator and the upstream server on CPU 1. A machine with two
CPUs that others use too cannot give a trustworthy maximum rate, but CPU time for each query
holds still: that is the main figure. 'foreign' in the JSON is the share of both CPUs
that processes of others (and the kernel's idle work) used during a measurement.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from peers import (PEERS, DotClient, DotUpstream, Peer, StartError, Unsupported,  # noqa: E402
                   Upstream, available, issue_cert, make_ca, make_query, query, rcode, send_tcp)
from relay import Relay  # noqa: E402

NAME = 'dot.bench-upstream.net'
FLOORS = ('limit', 'limit-fwd')


class Limit(Peer):
    """The floor of a cache hit: limit.c."""
    name = 'limit'

    def commands(self):
        return [[self.exe, str(self.port)]]

    @classmethod
    def find_binary(cls):
        return str(Rig.tools / 'limit')

    def ready(self):
        return query('127.0.0.1', self.port, 'start.net', timeout=0.5) is not None


class LimitFwd(Limit):
    """The floor of a forwarded query: limit_fwd.c."""
    name = 'limit-fwd'

    @classmethod
    def find_binary(cls):
        path = Rig.tools / 'limit_fwd'
        if not path.exists():
            raise Unsupported('limit_fwd was not built (libssl-dev)')
        return str(path)

    def commands(self):
        u = self.upstreams[0]
        return [[self.exe, str(self.port), u.addr, str(u.port), u.name, self.ca_file]]


ALL = {**PEERS, 'limit': Limit, 'limit-fwd': LimitFwd}


# ---------------------------------------------------------------- the rig

def busy_ticks():
    """Busy clock ticks of all CPUs together."""
    with open('/proc/stat') as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return sum(v) - v[3] - v[4]


def run_load(argv, timeout):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if r.returncode:
        raise ValueError(f'load: status {r.returncode}: {r.stderr[:200]}')
    return json.loads(r.stdout)


class Rig:
    tools = None

    def __init__(self, opt):
        self.opt = opt
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='bench-'))
        Rig.tools = self.dir / 'tools'
        Rig.tools.mkdir()
        self.port = opt.port            # the proxy's
        self.secs = opt.seconds
        self.build()
        self.ca = make_ca(self.dir / 'ca')
        self.cert = issue_cert(self.ca, NAME)
        self.quiet_budget = opt.quiet_budget
        self.files = {}

    def build(self):
        for src, libs in (('load', []), ('limit', []), ('limit_fwd', ['-lssl', '-lcrypto'])):
            r = subprocess.run(['gcc', '-O2', '-o', str(Rig.tools / src), str(HERE / f'{src}.c'),
                                *libs], capture_output=True, text=True)
            if r.returncode and src == 'load':
                sys.exit(f'cannot build {src}.c: {r.stderr}')

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def names(self, n, shuffled=False):
        """A file of n distinct names."""
        path = self.dir / f'names-{n}{"-shuffled" if shuffled else ""}'
        if not path.exists():
            order = list(range(n))
            if shuffled:
                random.Random(n).shuffle(order)
            path.write_text(''.join(f'n{i}.bench-names.net\n' for i in order))
        return str(path)

    def upstream(self, port_offset=1, **kw):
        kw.setdefault('wildcard_ttl', 86400)
        kw.setdefault('cpus', [1])
        port = self.port + port_offset
        up = DotUpstream('dnsdist', port, self.cert.cert, self.cert.key,
                         console_port=port + 100, **kw)
        up.at = Upstream('127.0.0.1', port, NAME)
        return up

    def peer(self, name, up, port=None, **kw):
        """A peer, not started, on CPU 0, forwarding to up (a DotUpstream or an Upstream)."""
        kw.setdefault('cpus', [0])
        cls = ALL[name]
        if kw.get('cache') and not cls.has_cache:
            raise Unsupported('no cache')
        # A cache on disk (knot-resolver's) is meant for memory.
        shm = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        workdir = tempfile.mkdtemp(prefix='bench-', dir=shm)
        try:
            p = cls(port or self.port, [getattr(up, 'at', up)], self.ca.pem, workdir=workdir, **kw)
        except Unsupported:
            os.rmdir(workdir)
            raise
        p._own_dir = True           # stop() removes it
        return p

    def wait_quiet(self):
        """Wait (within the run's budget) until others leave the CPUs alone."""
        hz = os.sysconf('SC_CLK_TCK')
        while self.quiet_budget > 0:
            a, t = busy_ticks(), time.monotonic()
            time.sleep(0.25)
            d = time.monotonic() - t
            if (busy_ticks() - a) / hz / d < 0.16:      # of 2.0
                return
            self.quiet_budget -= d

    def load(self, peer, up, *args, secs=None, file=None, timeout_s=2, port=None):
        """One run of load.c; its figures, and CPU figures of peer and upstream."""
        secs = secs or self.secs
        self.wait_quiet()
        argv = ['taskset', '-c', '1', str(Rig.tools / 'load'), '-p', str(port or peer.port), '-f',
                file or self.names(1000), '-l', str(secs), '-w', str(timeout_s), *map(str, args)]
        return self.timed(peer, up, lambda: run_load(argv, secs + timeout_s + 60))

    def timed(self, peer, up, work):
        c0, b0, t0 = peer.cpu_seconds(), busy_ticks(), time.monotonic()
        u0 = up.cpu_seconds() if up else 0
        r = work()
        cpu = peer.cpu_seconds() - c0
        ucpu = up.cpu_seconds() - u0 if up else 0
        wall = time.monotonic() - t0
        busy = (busy_ticks() - b0) / os.sysconf('SC_CLK_TCK')
        r['cpu_us'] = cpu / max(1, r['answered']) * 1e6
        r['util'] = cpu / r.get('seconds', wall)
        r['up_us'] = ucpu / max(1, r['answered']) * 1e6
        r['foreign'] = max(0.0, busy - cpu - ucpu - r.get('cpu_s', 0)) / wall / 2
        good = r.get('noerror', r['answered'])
        r['fail_pct'] = 100 * (1 - good / max(1, r['sent']))
        return r

    def dnsperf(self, peer, up, *args, secs=None):
        secs = secs or self.secs
        self.wait_quiet()
        qfile = self.dir / 'dnsperf-names'
        if not qfile.exists():
            qfile.write_text(''.join(f'n{i}.bench-names.net A\n' for i in range(1000)))

        def work():
            out = subprocess.run(['taskset', '-c', '1', 'dnsperf', '-s', '127.0.0.1', '-p',
                                  str(peer.port), '-d', str(qfile), '-l', str(secs), '-t', '2',
                                  *map(str, args)], capture_output=True, text=True,
                                 timeout=secs + 30).stdout
            r = {}
            for line in out.splitlines():
                key, _, val = line.strip().partition(':')
                val = val.split()
                if key == 'Queries sent':
                    r['sent'] = int(val[0])
                elif key == 'Queries completed':
                    r['answered'] = int(val[0])
                elif key == 'Queries lost':
                    r['lost'] = int(val[0])
                elif key == 'Queries per second':
                    r['qps'] = float(val[0])
                elif key == 'Response codes':
                    r['noerror'] = int(val[val.index('NOERROR') + 1]) if 'NOERROR' in val else 0
            return r
        return self.timed(peer, up, work)

    def warm(self, peer, up, n=1000, **kw):
        """Ask each of n names once or more, until all were answered."""
        self.load(peer, up, '-n', n, '-q', 20, '-c', 4, secs=30, file=self.names(n), **kw)
        return self.load(peer, up, '-n', n, '-q', 20, '-c', 4, secs=30, file=self.names(n), **kw)


def keep(r, prefix, *fields):
    return {f'{prefix}_{f}': r[f] for f in fields}


# ---------------------------------------------------------------- scenarios
# Each takes the rig and a peer's name and returns {figure: number}. COLUMNS says which figures
# the table shows: (figure, heading, 'low' or 'high' is better, or None: no ratio).

COLUMNS, TITLES, ORDER, RUN = {}, {}, [], {}


def scenario(key, title, columns, together=False, needs_cache=False, floors=()):
    def wrap(fn):
        ORDER.append(key)
        TITLES[key], COLUMNS[key] = title, columns
        RUN[key] = (fn, together, needs_cache, floors)
        return fn
    return wrap


def cache_hit(rig, name, tcp):
    with rig.upstream() as up, rig.peer(name, up, cache=True) as p:
        mode = ['-t', '-b', '1', '-c', '20'] if tcp else ['-c', '10']
        perf_mode = ['-m', 'tcp', '-c', '20'] if tcp else ['-m', 'udp', '-c', '10']
        if tcp:
            rig.load(p, up, '-n', 1000, '-q', 20, '-c', 4, '-t', secs=10)
        rig.warm(p, up)
        n0 = up.queries()
        flood = rig.load(p, up, *mode, '-q', 256)
        paced = rig.load(p, up, *mode, '-Q', 10000, secs=rig.secs * 0.7)
        perf = rig.dnsperf(p, up, *perf_mode, '-q', 100, secs=max(1, rig.secs * 0.7))
        out = keep(flood, 'flood', 'qps', 'cpu_us', 'util', 'fail_pct', 'p50_us', 'p99_us', 'foreign')
        out.update(keep(paced, 'paced', 'cpu_us', 'p50_us', 'p99_us', 'p999_us', 'fail_pct',
                        'foreign'))
        out.update(keep(perf, 'dnsperf', 'qps', 'cpu_us', 'util', 'fail_pct', 'foreign'))
        asked = flood['answered'] + paced['answered'] + perf['answered']
        out['hit_pct'] = 100 * (1 - (up.queries() - n0) / asked)
        return out


HIT_COLUMNS = [('flood_cpu_us', 'CPU us/query, flood', 'low'),
               ('flood_qps', 'max QPS', 'high'),
               ('flood_util', 'CPU used', None),
               ('flood_fail_pct', 'failed %', None),
               ('paced_cpu_us', 'CPU us/query at 10k QPS', 'low'),
               ('paced_p50_us', 'p50 us at 10k', 'low'),
               ('paced_p99_us', 'p99 us at 10k', 'low'),
               ('dnsperf_cpu_us', 'CPU us/query, dnsperf', 'low'),
               ('dnsperf_qps', 'QPS, dnsperf', None),
               ('hit_pct', 'hits %', None)]


@scenario('a', 'Cache hit, UDP (1000 hot names, one thread)', HIT_COLUMNS, needs_cache=True,
          floors=('limit',))
def cache_hit_udp(rig, name):
    return cache_hit(rig, name, tcp=False)


@scenario('b', 'Cache hit, TCP (20 connections, one write a query)', HIT_COLUMNS,
          needs_cache=True)
def cache_hit_tcp(rig, name):
    return cache_hit(rig, name, tcp=True)


def forward(rig, p, up, prefix=''):
    """A flood of forwarded queries, at the highest number in flight with < 0.1 % failures."""
    out = {}
    for q in (256, 64, 16):
        r = rig.load(p, up, '-c', 10, '-q', q, file=rig.names(20000))
        if not out:
            out[f'{prefix}fail_pct_256'] = r['fail_pct']
        out.update({prefix + k: r[k] for k in ('qps', 'cpu_us', 'util', 'up_us', 'fail_pct',
                                               'p50_us', 'p99_us', 'foreign')})
        out[f'{prefix}in_flight'] = q
        if r['fail_pct'] < 0.1:
            break
    return out


@scenario('c', 'Forwarding UDP to DoT, cache off (one thread)',
          [('cpu_us', 'CPU us/query, flood', 'low'), ('qps', 'max QPS', 'high'),
           ('util', 'CPU used', None), ('in_flight', 'in flight', None),
           ('fail_pct', 'failed %', None), ('fail_pct_256', 'failed % with 256 in flight', None),
           ('up_us', "upstream's CPU us/query", 'low'),
           ('paced_cpu_us', 'CPU us/query at 5k QPS', 'low'),
           ('paced_p50_us', 'p50 us at 5k', 'low'), ('paced_p99_us', 'p99 us at 5k', 'low'),
           ('paced_fail_pct', 'failed % at 5k', None), ('tcp_cpu_us', 'CPU us/query, TCP in', 'low')],
          floors=('limit-fwd',))
def forward_udp(rig, name):
    with rig.upstream() as up, rig.peer(name, up, cache=False) as p:
        rig.load(p, up, '-n', 500, '-q', 10, secs=5)
        out = forward(rig, p, up)
        paced = rig.load(p, up, '-c', 10, '-Q', 5000, secs=rig.secs * 0.7, file=rig.names(20000))
        out.update(keep(paced, 'paced', 'cpu_us', 'p50_us', 'p99_us', 'fail_pct', 'foreign'))
        if name not in FLOORS:
            t = rig.load(p, up, '-t', '-b', 1, '-c', 20, '-q', out['in_flight'],
                         secs=rig.secs * 0.7, file=rig.names(20000))
            out.update(keep(t, 'tcp', 'qps', 'cpu_us', 'fail_pct'))
        return out


def ask_timed(sock, name):
    msg = make_query(name)
    t = time.perf_counter()
    sock.send(msg)
    while True:
        ans = sock.recv(4096)
        if ans[:2] == msg[:2]:
            return (time.perf_counter() - t) * 1e6, rcode(ans)


@scenario('d', 'Added latency: one query at a time, warm connection, cache off',
          [('p50_us', 'p50 us', 'low'), ('p99_us', 'p99 us', 'low'),
           ('added_p50_us', 'p50 less direct DoT', 'low'), ('added_p99_us', 'p99 less direct', None),
           ('direct_p50_us', 'direct p50 us', None), ('cpu_us', 'CPU us/query', 'low'),
           ('failed', 'failed', None)], floors=('limit-fwd',))
def added_latency(rig, name):
    n = 400 if rig.opt.quick else 1500
    with rig.upstream() as up, rig.peer(name, up, cache=False) as p, \
            DotClient(up.at, rig.ca.pem) as direct, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        old = os.sched_getaffinity(0)
        os.sched_setaffinity(0, [1])
        try:
            s.connect(('127.0.0.1', p.port))
            s.settimeout(2)
            rig.wait_quiet()
            via, raw, failed = [], [], 0
            c0 = 0
            for i in range(n + 50):         # the two take turns, so noise meets both
                if i == 50:
                    c0 = p.cpu_seconds()
                t = time.perf_counter()
                direct.query(f'd{i}.bench-names.net')
                if i >= 50:
                    raw.append((time.perf_counter() - t) * 1e6)
                try:
                    us, rc = ask_timed(s, f'v{i}.bench-names.net')
                    failed += rc != 0
                    if i >= 50:
                        via.append(us)
                except OSError:
                    failed += 1
            cpu = (p.cpu_seconds() - c0) / n * 1e6
        finally:
            os.sched_setaffinity(0, old)

    def p(v, q):
        return sorted(v)[int(q * (len(v) - 1))]
    return {'p50_us': p(via, .5), 'p99_us': p(via, .99), 'direct_p50_us': p(raw, .5),
            'added_p50_us': p(via, .5) - p(raw, .5), 'added_p99_us': p(via, .99) - p(raw, .99),
            'cpu_us': cpu, 'failed': failed}


def first_answer(peer, deadline=10):
    """Seconds from exec until the first NOERROR answer, asking every 2 ms."""
    end = peer.started_at + deadline
    i = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(('127.0.0.1', peer.port))
        s.settimeout(0.002)
        while time.monotonic() < end:
            i += 1
            try:
                s.send(make_query(f'cold{i}.bench-names.net'))
                t = time.monotonic() + 0.002
                while time.monotonic() < t:
                    if rcode(s.recv(4096)) == 0:
                        return time.monotonic() - peer.started_at
            except OSError:
                time.sleep(0.0005)
    raise TimeoutError('no answer')


@scenario('e', 'Cold start',
          [('exec_ms', 'exec to first answer, ms', 'low'),
           ('first_ms', 'first query after start, ms', 'low'),
           ('first_wan_ms', 'the same over a 20 ms round trip', 'low'),
           ('second_wan_ms', 'second query, same path', 'low'),
           ('start_cpu_ms', 'CPU ms up to the first answer', 'low')], floors=('limit-fwd',))
def cold_start(rig, name):
    rounds = 2 if rig.opt.quick else 5
    execs, firsts, wan, second, cpu = [], [], [], [], []
    with rig.upstream() as up, \
            Relay(rig.port + 2, '127.0.0.1', up.at.port, cpus=[1], rtt=20) as relay:
        far = Upstream('127.0.0.1', rig.port + 2, NAME)
        for i in range(rounds):
            rig.wait_quiet()
            with rig.peer(name, up, cache=False, wait=None) as p:
                execs.append(first_answer(p) * 1e3)
                cpu.append(p.cpu_seconds() * 1e3)
            for where, into in ((up, firsts), (far, wan)):
                with rig.peer(name, where, cache=False, wait='answer' if name in FLOORS
                              else 'listen') as p:
                    time.sleep(0.3)
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                        s.connect(('127.0.0.1', p.port))
                        s.settimeout(5)
                        into.append(ask_timed(s, f'first{i}.bench-names.net')[0] / 1e3)
                        if where is far:
                            second.append(ask_timed(s, f'second{i}.bench-names.net')[0] / 1e3)
        del relay
    med = statistics.median
    return {'exec_ms': med(execs), 'first_ms': med(firsts), 'first_wan_ms': med(wan),
            'second_wan_ms': med(second), 'start_cpu_ms': med(cpu)}


WAN_COLUMNS = [('p50_ms', 'p50 ms', 'low'), ('p90_ms', 'p90 ms', 'low'),
               ('p99_ms', 'p99 ms', 'low'), ('p999_ms', 'p99.9 ms', 'low'),
               ('max_ms', 'max ms', None),
               ('lost', 'lost', None), ('servfail', 'SERVFAIL', None),
               ('connections', 'connections', None)]


def wan(rig, names, **path):
    """All peers at once, each with a relay of its own: 100 queries a second each."""
    out, running, threads = {}, [], []
    secs = 4 if rig.opt.quick else 20

    def one(name, p, relay):
        argv = [str(Rig.tools / 'load'), '-p', str(p.port), '-f', rig.names(20000), '-l',
                str(secs), '-Q', '100', '-c', '4', '-w', '6']
        before = relay.accepted()
        try:
            r = run_load(argv, secs + 30)
        except (subprocess.SubprocessError, ValueError) as e:
            out[name] = {'error': str(e)[:300]}
            return
        fig = {f'{k}_ms': r[f'{k}_us'] / 1e3 for k in ('p50', 'p90', 'p99', 'p999', 'max')}
        fig.update({k: r[k] for k in ('lost', 'servfail', 'answered')})
        fig['connections'] = relay.accepted() - before
        if not p.alive():
            fig['error'] = f'ended with status {p.procs[0].poll()}: {p.log_tail(200)}'
        out[name] = fig

    try:
        for i, name in enumerate(names):
            port = rig.port + 20 + 3 * i
            try:
                # An upstream each: in dnsdist 1.7.3 one client's broken handshake can end
                # another's connection (it leaves OpenSSL's error queue full).
                up = rig.upstream(port - rig.port + 2)
                running.append(up.start())
                relay = Relay(port + 1, '127.0.0.1', up.at.port, seed=7, **path)
                running.append(relay.start())
                p = rig.peer(name, Upstream('127.0.0.1', port + 1, NAME), port=port,
                             cache=False, cpus=None)
                running.append(p.start())
            except (Unsupported, StartError) as e:
                out[name] = {'error': str(e)[:200]}
                continue
            threads.append(threading.Thread(target=one, args=(name, p, relay)))
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        for x in reversed(running):
            x.stop()
    return out


@scenario('f', 'Simulated WAN: 20 ms round trip, 1 % of segments lost, 100 queries/s, cache off',
          WAN_COLUMNS, together=True, floors=('limit-fwd',))
def wan_loss(rig, names):
    return wan(rig, names, rtt=20, loss=0.01)


@scenario('f2', 'Simulated WAN: 20 ms round trip, every connection cut after 2 s, 100 queries/s',
          WAN_COLUMNS, together=True)
def wan_cut(rig, names):
    return wan(rig, names, rtt=20, cut=2)


@scenario('g', 'Memory',
          [('idle_rss', 'RSS KiB after start', 'low'), ('idle_pss', 'PSS KiB', 'low'),
           ('full_rss', 'RSS with the names cached', 'low'), ('filled', 'names', None),
           ('kept_pct', 'still cached %', None), ('per_name', 'bytes/name', 'low'),
           ('tcp_rss', 'RSS with the clients', 'low'), ('tcp_held', 'TCP clients held', None),
           ('tcp_per_client', 'bytes/client', 'low')])
def memory(rig, name):
    n = 20000 if rig.opt.quick else 100000
    out = {}
    with rig.upstream() as up:
        with rig.peer(name, up, cache=True if ALL[name].has_cache else False,
                      cache_size=2 * n) as p:
            time.sleep(0.5)
            out['idle_rss'], out['idle_pss'] = p.rss_kib(), p.pss_kib()
            out['threads'] = p.threads_running()
            if ALL[name].has_cache:
                for _ in range(2):          # the second run fills what the first one lost
                    rig.load(p, up, '-n', n, '-q', 64, secs=40, file=rig.names(n))
                n0 = up.queries()
                r = rig.load(p, up, '-n', min(n, 10000), '-q', 64, secs=10,
                             file=rig.names(n, shuffled=True))
                out['filled'] = n
                out['kept_pct'] = 100 * (1 - (up.queries() - n0) / max(1, r['answered']))
                out['full_rss'], out['full_pss'] = p.rss_kib(), p.pss_kib()
                out['per_name'] = (out['full_rss'] - out['idle_rss']) * 1024 / n
        with rig.peer(name, up, extra={'tcp_clients': 1200},
                      cache=True if ALL[name].has_cache else False) as p:
            base = p.rss_kib()
            out['tcp_held'] = hold_tcp(p, 1000, lambda: out.update(tcp_rss=p.rss_kib()))
            if out['tcp_held'] > 500:
                out['tcp_per_client'] = (out['tcp_rss'] - base) * 1024 / out['tcp_held']
    return out


def hold_tcp(p, n, when_open):
    """Open n TCP clients, each asks once; when they are idle, call when_open; then each asks
    again: returns how many of them get an answer."""
    socks = []

    def all_ask():
        waiting = {}
        poll = select.poll()
        for s in socks:
            try:
                send_tcp(s, make_query('tcp-client.bench-names.net'))
                waiting[s.fileno()] = s
                poll.register(s, select.POLLIN)
            except OSError:
                pass
        good, end = 0, time.monotonic() + 4
        while waiting and time.monotonic() < end:
            for fd, _ in poll.poll(100):
                poll.unregister(fd)
                try:
                    good += len(waiting.pop(fd).recv(4096)) > 12
                except OSError:
                    pass
        return good

    failed = 0
    try:
        while len(socks) < n and failed < 5:
            try:
                socks.append(socket.create_connection(('127.0.0.1', p.port), 0.5))
            except OSError:
                failed += 1
        all_ask()
        time.sleep(0.5)
        when_open()
        return all_ask()
    finally:
        for s in socks:
            s.close()


@scenario('h', 'Scale: two threads, and the size of the cache',
          [('hit1_cpu_us', 'hit, 1 thread: CPU us/q', 'low'),
           ('hit2_cpu_us', '2 threads', 'low'), ('hit2_qps', '2 threads QPS', 'high'),
           ('fwd1_cpu_us', 'forward, 1 thread: CPU us/q', 'low'),
           ('fwd2_cpu_us', '2 threads', 'low'), ('fwd2_qps', '2 threads QPS', 'high')]
          + [(f'size_{n}_cpu_us', f'hit among {t}: CPU us/q', 'low')
             for n, t in ((1000, '1k'), (100000, '100k'), (1000000, '1M'))]
          + [('size_growth', 'the most to 1k', 'low')]
          + [(f'size_{n}_hit_pct', f'hits % of {t}', None)
             for n, t in ((100000, '100k'), (1000000, '1M'))])
def scale(rig, name):
    out = {}
    secs = max(1, rig.secs * 0.7)
    for threads, cpus in ((1, [0]), (2, [0, 1])):
        with rig.upstream(cpus=None if threads == 2 else [1]) as up:
            for key, cache in (('hit', True), ('fwd', False)):
                try:
                    with rig.peer(name, up, cache=cache, threads=threads, cpus=cpus) as p:
                        rig.warm(p, up)
                        r = rig.load(p, up, '-c', 20, '-q', 256, secs=secs,
                                     file=rig.names(1000 if cache else 20000))
                        out.update(keep(r, f'{key}{threads}', 'cpu_us', 'qps', 'util',
                                        'fail_pct', 'foreign'))
                except Unsupported:
                    pass
    sizes = [1000, 20000] if rig.opt.quick else [1000, 100000]
    if rig.opt.full:
        sizes.append(1000000)
    if not ALL[name].has_cache:
        return out
    with contextlib.ExitStack() as stack:
        out.update(sizes_in_turn(rig, name, sizes, secs, stack))
    return out


def sizes_in_turn(rig, name, sizes, secs, stack):
    """Caches of all sizes run side by side and are asked in turn, five times: what is asked for
    is their ratio, and the machine changes by more than that within a minute."""
    up, peers, rounds = stack.enter_context(rig.upstream()), {}, {n: [] for n in sizes}
    for i, n in enumerate(sizes):
        peers[n] = p = stack.enter_context(rig.peer(name, up, port=rig.port + 20 + 3 * i,
                                                    cache=True, cache_size=int(1.3 * n)))
        for _ in range(2):
            rig.load(p, up, '-n', n, '-q', 64, secs=min(60, max(10, n / 8000)),
                     file=rig.names(n))
    for _ in range(5):
        for n, p in peers.items():
            n0 = up.queries()
            r = rig.load(p, up, '-c', 10, '-q', 256, secs=secs, file=rig.names(n, shuffled=True))
            r['hit_pct'] = 100 * (1 - (up.queries() - n0) / max(1, r['answered']))
            rounds[n].append(r)
    med = statistics.median
    out = {f'size_{n}_{k}': med(r[k] for r in rounds[n]) for n in sizes
           for k in ('cpu_us', 'qps', 'fail_pct', 'foreign', 'hit_pct')}
    out.update({f'size_{n}_rss': p.rss_kib() for n, p in peers.items()})
    out['size_growth'] = med(most['cpu_us'] / least['cpu_us'] for most, least
                             in zip(rounds[sizes[-1]], rounds[sizes[0]]))
    return out


@scenario('i', 'Reconnect storm: the upstream closes a connection after 100 queries or 2 s idle',
          [('cpu_us', 'CPU us/query, 20 in flight', 'low'), ('qps', 'QPS', 'high'),
           ('fail_pct', 'failed %', None), ('lost', 'lost', None), ('servfail', 'SERVFAIL', None),
           ('paced_cpu_us', 'CPU us/query at 500 QPS', 'low'),
           ('paced_fail_pct', 'failed % at 500', None), ('paced_p99_us', 'p99 us at 500', 'low'),
           ('idle_ms', 'after an idle close: median ms', 'low'),
           ('idle_failed', 'failed', None)])
def reconnect_storm(rig, name):
    with rig.upstream(queries_per_conn=100, idle_s=2) as up, \
            rig.peer(name, up, cache=False) as p:
        r = rig.load(p, up, '-c', 10, '-q', 20, file=rig.names(20000))
        out = {k: r[k] for k in ('cpu_us', 'qps', 'fail_pct', 'lost', 'servfail', 'util', 'up_us',
                                 'p99_us', 'foreign')}
        time.sleep(0.5)
        r = rig.load(p, up, '-c', 10, '-Q', 500, file=rig.names(20000))
        out.update(keep(r, 'paced', 'cpu_us', 'fail_pct', 'p50_us', 'p99_us', 'lost', 'servfail'))
        times, failed = [], 0
        for i in range(2 if rig.opt.quick else 4):
            time.sleep(2.6)
            t = time.perf_counter()
            ans = query('127.0.0.1', p.port, f'idle{i}.bench-names.net', timeout=4)
            times.append((time.perf_counter() - t) * 1e3)
            failed += ans is None or rcode(ans) != 0
        out.update(idle_ms=statistics.median(times), idle_failed=failed)
        return out


SYSCALLS = ('recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg read write readv writev epoll_wait '
            'epoll_pwait epoll_ctl poll ppoll futex timerfd_settime setsockopt getsockopt '
            'getsockname getpeername ioctl fcntl socket close connect accept4 openat newfstatat '
            'getpid gettid clock_gettime getrandom madvise mmap munmap brk rt_sigprocmask').split()


def perf_syscalls(rig, p, up, *args):
    """System calls for each query under a load, by name, from perf's trace points."""
    events = 'raw_syscalls:sys_enter,' + ','.join(f'syscalls:sys_enter_{s}' for s in SYSCALLS)
    out = rig.dir / 'perf-stat'
    perf = subprocess.Popen(['perf', 'stat', '-x', ',', '-o', str(out), '-e', events, '-p',
                             ','.join(map(str, p.pids()))], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        r = rig.load(p, up, *args)
    finally:
        perf.send_signal(2)
        perf.wait(10)
    counts = {}
    for line in out.read_text().splitlines():
        v = line.split(',')
        if len(v) > 2 and v[0].isdigit():
            counts[v[2].rpartition(':')[2].replace('sys_enter_', '')] = int(v[0]) / r['answered']
    total = counts.pop('sys_enter', 0)
    top = sorted(counts.items(), key=lambda x: -x[1])
    return total, ' '.join(f'{k} {v:.2f}' for k, v in top if v >= 0.005)


def perf_dsos(rig, p, up, *args):
    """Where the CPU time goes, by shared object: 'kernel 61, libcrypto 20, ...' (percent)."""
    data = rig.dir / 'perf-data'
    perf = subprocess.Popen(['perf', 'record', '-q', '-e', 'cpu-clock', '-F', '2000', '-o',
                             str(data), '-p', ','.join(map(str, p.pids()))],
                            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        rig.load(p, up, *args)
    finally:
        perf.send_signal(2)
        perf.wait(20)
    r = subprocess.run(['perf', 'report', '-i', str(data), '--sort', 'dso', '--stdio', '-q'],
                       capture_output=True, text=True, timeout=60)
    out = []
    for line in r.stdout.splitlines():
        v = line.split()
        if len(v) == 2 and v[0].endswith('%') and float(v[0][:-1]) >= 1:
            out.append(f"{v[1].strip('[]').replace('.kallsyms', '')} {float(v[0][:-1]):.0f}")
    return ', '.join(out)


@scenario('s', 'System calls for each query, and where the CPU time goes (needs perf)',
          [('hit', 'calls/query, hit UDP, flood', 'low'), ('hit_calls', 'which', None),
           ('hit_dsos', 'CPU %', None), ('fwd', 'calls/query, forward, flood', 'low'),
           ('fwd_calls', 'which', None), ('fwd_dsos', 'CPU %', None),
           ('fwd_paced', 'calls/query, forward at 2k QPS', 'low'),
           ('fwd_paced_calls', 'which', None)], floors=FLOORS)
def syscalls(rig, name):
    if not shutil.which('perf'):
        raise Unsupported('no perf')
    out = {}
    if name == 'limit' or ALL[name].has_cache and name != 'limit-fwd':
        with rig.upstream() as up, rig.peer(name, up, cache=True) as p:
            rig.warm(p, up)
            args = '-c', 10, '-q', 100
            out['hit'], out['hit_calls'] = perf_syscalls(rig, p, up, *args)
            out['hit_dsos'] = perf_dsos(rig, p, up, *args)
    if name != 'limit':
        with rig.upstream() as up, rig.peer(name, up, cache=False) as p:
            rig.load(p, up, '-n', 500, '-q', 10, secs=5)
            args = '-c', 10, '-q', 64
            out['fwd'], out['fwd_calls'] = perf_syscalls(rig, p, up, *args)
            out['fwd_dsos'] = perf_dsos(rig, p, up, *args)
            out['fwd_paced'], out['fwd_paced_calls'] = perf_syscalls(rig, p, up, '-c', 10, '-Q',
                                                                     2000)
    return out


# ---------------------------------------------------------------- running and reporting

def run(rig, opt):
    results = {k: {} for k in opt.scenarios}
    for rep in range(opt.repeat):
        for key in opt.scenarios:
            fn, together, needs_cache, floors = RUN[key]
            names = [n for n in opt.peers if n in floors or n not in FLOORS]
            t = time.monotonic()
            if together:
                got = fn(rig, names)
            else:
                got = {}
                for name in names:
                    try:
                        if needs_cache and not ALL[name].has_cache:
                            raise Unsupported('no cache')
                        got[name] = fn(rig, name)
                    except (Unsupported, StartError, OSError, subprocess.SubprocessError,
                            ValueError, KeyError) as e:
                        got[name] = {'error': f'{type(e).__name__}: {e}'[:300]}
            for name, figures in got.items():
                results[key].setdefault(name, []).append(figures)
            print(f'[{rep + 1}/{opt.repeat}] {key}: {time.monotonic() - t:.0f} s', file=sys.stderr,
                  flush=True)
    return results


def median(samples, figure):
    v = [s[figure] for s in samples if isinstance(s.get(figure), (int, float))]
    return (statistics.median(v), min(v), max(v)) if v else None


def show(x):
    if x == 0:
        return '0'
    if abs(x) >= 1000:
        return f'{x:,.0f}'
    if abs(x) >= 100:
        return f'{x:.0f}'
    if abs(x) >= 10:
        return f'{x:.1f}'
    return f'{x:.2f}'


# A figure is comparable only where another one reaches a floor.
NEEDS = {'full_rss': ('kept_pct', 90), 'per_name': ('kept_pct', 90),
         'tcp_rss': ('tcp_held', 1000), 'tcp_per_client': ('tcp_held', 1000),
         **{f'size_{n}_cpu_us': (f'size_{n}_hit_pct', 90) for n in (1000, 100000, 1000000)}}


def comparable(samples, fig):
    """Fast failures do not make a best peer, nor do entries that were not kept."""
    fails = median(samples, fig.split('_')[0] + '_fail_pct') or median(samples, 'fail_pct')
    if not median(samples, fig) or fails and fails[0] >= 1:
        return False
    need, floor = NEEDS.get(fig, (None, 0))
    return need is None or (median(samples, need) or (0,))[0] >= floor


def table(key, data, spread):
    order = ['dotstub'] + [n for n in PEERS if n != 'dotstub'] + list(FLOORS)
    rows = sorted(data, key=order.index)
    cols = [c for c in COLUMNS[key] if any(c[0] in s for n in rows for s in data[n])]
    lines = [f'### {key}. {TITLES[key]}', '',
             '| | ' + ' | '.join(c[1] for c in cols) + ' |',
             '|---|' + '---:|' * len(cols)]
    best = {}
    for fig, _, better in cols:
        v = [median(data[n], fig)[0] for n in rows
             if n in PEERS and n != 'dotstub' and comparable(data[n], fig)]
        v = [x for x in v if x > 0]
        if better and v:
            best[fig] = min(v) if better == 'low' else max(v)
    for n in rows:
        cells = []
        errors = {s['error'] for s in data[n] if 'error' in s}
        if len(errors) and all('error' in s for s in data[n]):
            lines.append(f'| {n} | ' + min(errors).splitlines()[0][:90] + ' |' * len(cols))
            continue
        for fig, _, _ in cols:
            m = median(data[n], fig)
            if not m:
                cells.append(str(data[n][-1].get(fig, '')))
                continue
            text = show(m[0])
            if fig in best and m[0] > 0 and comparable(data[n], fig):
                text += f' ({m[0] / best[fig]:.2f}x)'
            if spread and len(data[n]) > 1 and fig in best:
                text += f' [{show(m[1])}..{show(m[2])}]'
            cells.append(text)
        lines.append(f'| {n} | ' + ' | '.join(cells) + ' |')
    foreign = [s[f] for n in rows for s in data[n] for f in s if f.endswith('foreign')]
    if foreign:
        lines += ['', f'Foreign CPU share during these runs: median {statistics.median(foreign):.0%}, '
                  f'worst {max(foreign):.0%}.']
    return '\n'.join(lines) + '\n'


def report(results, opt):
    out = ['Each cell: the median of the repeats, and (ratio to the best peer).'
           + (' [lowest..highest] of the repeats.' if opt.spread else ''), '']
    out += [table(k, results[k], opt.spread) for k in ORDER if k in results]
    return '\n'.join(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--quick', action='store_true', help='shorter runs, under 2 minutes')
    ap.add_argument('--full', action='store_true', help='also a cache of 1M names')
    ap.add_argument('--peers', help='comma-separated (default: all that are here, and the floors)')
    ap.add_argument('--scenarios', help=f'comma-separated of {",".join(ORDER)}')
    ap.add_argument('--repeat', type=int, default=1)
    ap.add_argument('--seconds', type=float, help='of each load run')
    ap.add_argument('--quiet-budget', type=float, default=60,
                    help='seconds, over the whole run, to wait for others to leave the CPUs')
    ap.add_argument('--json')
    ap.add_argument('--md')
    ap.add_argument('--port', type=int, default=20000, help='the first of 200 ports to use')
    ap.add_argument('--spread', action='store_true', help='show the range of the repeats')
    ap.add_argument('--render', nargs='+', metavar='JSON',
                    help='measure nothing: print the tables of earlier --json files')
    opt = ap.parse_args()
    if opt.render:
        results = {}
        for path in opt.render:
            for key, data in json.loads(pathlib.Path(path).read_text())['results'].items():
                for name, samples in data.items():
                    results.setdefault(key, {}).setdefault(name, []).extend(samples)
        print(report(results, opt))
        return
    opt.seconds = opt.seconds or (0.7 if opt.quick else 2)
    opt.peers = opt.peers.split(',') if opt.peers else available() + list(FLOORS)
    opt.scenarios = opt.scenarios.split(',') if opt.scenarios else \
        [k for k in ORDER if (k in 'abcdef' if opt.quick else k != 's')]
    if opt.quick:
        opt.quiet_budget = min(opt.quiet_budget, 15)
    for k in opt.scenarios + opt.peers:
        if k not in RUN and k not in ALL:
            ap.error(f'unknown: {k}')
    start = time.monotonic()
    rig = Rig(opt)
    try:
        results = run(rig, opt)
    finally:
        rig.close()
    versions = {n: ALL[n].version() for n in opt.peers if n not in FLOORS}
    text = report(results, opt)
    if opt.json:
        pathlib.Path(opt.json).write_text(json.dumps(
            {'versions': versions, 'results': results, 'seconds': time.monotonic() - start,
             'options': {k: v for k, v in vars(opt).items() if k not in ('json', 'md')}},
            indent=1))
    if opt.md:
        pathlib.Path(opt.md).write_text(text)
    print(text)
    print(f'{time.monotonic() - start:.0f} s', file=sys.stderr)


if __name__ == '__main__':
    main()
