"""The HTTP pages: metrics, health, readiness; under load and under attack."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from lib import behaviours, client
from lib.cache import CALM
from lib.load import Load, asked
from lib.pages import are_built
from lib.ports import free_port
from lib.process import PATIENCE_S, Process, wait_until

pytestmark = pytest.mark.skipif(
    not are_built(), reason='the program was built without its pages')
HOST = '127.0.0.1'
STOOD_STILL = 'has not answered for a second'


class Pages:
    """A running dotstub's pages."""

    def __init__(self, stub, port):
        self.stub = stub
        self.port = port

    def ask(self, path, method='GET', host=None, timeout_s=PATIENCE_S,
            headers=None):
        """Status, headers, text; once more where the machine stood still."""
        for _ in range(5):
            answer = self._ask(path, method, host, timeout_s, headers)
            if answer[0] != 503 or STOOD_STILL not in answer[2]:
                break
        return answer

    def _ask(self, path, method, host, timeout_s, headers):
        conn = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            conn.putrequest(method, path, skip_host=host is not None)
            if host:
                conn.putheader('Host', host)
            for name, value in (headers or {}).items():
                conn.putheader(name, value)
            conn.endheaders()
            answer = conn.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            conn.close()

    def connect(self):
        return socket.create_connection((HOST, self.port), timeout=60)

    def metrics(self):
        """{'name{labels}': value}"""
        status, _, text = self.ask('/metrics')
        assert status == 200
        return {line.rpartition(' ')[0]: float(line.rpartition(' ')[2])
                for line in text.splitlines() if not line.startswith('#')}


@pytest.fixture
def pages(serve, dotstub):
    """pages(**config): dotstub with pages and one good server. A pair."""
    def start(script=behaviours.serve, **config):
        server = serve(script)
        port = free_port(HOST)
        config = {'admin': [f'{HOST}:{port}'], 'sandbox': 'kill',
                  'cache_size': '1MiB', **CALM, **config}
        ready = [server] if config.pop('is_ready', True) else []
        stub = dotstub([server], ready=ready, **config)
        found = Pages(stub, port)
        if ready:
            wait_until(lambda: found.ask('/readyz')[0] == 200, 5, 'ready')
        return found, server
    return start


# ---- what is answered

def test_health_and_readiness(pages):
    page, server = pages()
    assert page.ask('/healthz')[::2] == (200, 'ok\n')
    assert page.ask('/readyz')[::2] == (200, 'ready\n')
    server.down()
    wait_until(lambda: page.ask('/readyz')[0] == 503, 10, 'not ready')
    wait_until(lambda: '127.0.0.1' in page.ask('/readyz')[2], 5, 'which')
    assert page.ask('/healthz')[0] == 200
    server.up()
    wait_until(lambda: page.ask('/readyz')[0] == 200, 10, 'ready again')


@pytest.mark.parametrize('warm_for', ['1s', '0'])
def test_ready_when_nobody_asks(pages, warm_for):
    """No connection is no fault: it is made when somebody does."""
    page, server = pages(warm_for=warm_for, is_ready=False)
    if warm_for == '1s':
        server.wait_ready()
    server.wait(lambda s: not s.open, what='no connection')
    assert page.ask('/readyz')[::2] == (200, 'ready\n')
    server.down()
    with client.Udp(page.stub.port) as c:
        c.send(client.query('www.example'))
    wait_until(lambda: page.ask('/readyz')[0] == 503, 10, 'not ready')
    server.up()
    wait_until(lambda: page.ask('/readyz')[0] == 200, 20, 'ready again')


def test_not_ready_says_why(serve, dotstub):
    port = free_port(HOST)
    closed = free_port(HOST)
    stub = dotstub([f'{HOST}:{closed}#dot.example'], admin=f'{HOST}:{port}',
                   sandbox='kill')
    page = Pages(stub, port)
    wait_until(lambda: 'refused' in page.ask('/readyz')[2], 5, 'why')
    assert page.ask('/readyz')[0] == 503
    assert page.ask('/healthz')[0] == 200


def test_process_that_stands_still(pages):
    """The kernel takes connections for it; afterwards it is well again."""
    page, _ = pages(workers=2)
    assert len(os.listdir(f'/proc/{page.stub.pid}/task')) == 1 + 2 + 1
    with page.stub.process.standing_still():
        with pytest.raises(TimeoutError):
            page.ask('/healthz', timeout_s=1)
    wait_until(lambda: page.ask('/healthz')[0] == 200, 5, 'healthy again')


def test_draining_is_not_ready(pages):
    """A query that waits for its answer holds the end up."""
    event = threading.Event()
    page, server = pages(behaviours.while_set(event), **CALM)
    with client.Udp(page.stub.port) as c:
        c.send(client.query('www.example'))
        wait_until(lambda: asked(server), 5, 'the server is asked')
        page.stub.terminate()
        wait_until(lambda: page.ask('/readyz')[::2] == (503, 'draining\n'), 3,
                   'not ready')
        event.set()
        wait_until(lambda: not page.stub.process.is_running(), 5, 'the end')


def test_methods_paths_and_headers(pages):
    page, _ = pages()
    for path in ('/', '/metrics', '/healthz', '/readyz', '/api/history.json'):
        status, headers, text = page.ask(path)
        assert status == 200 and text
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert headers['Cache-Control'] == 'no-store'
        policy = headers['Content-Security-Policy']
        assert policy.startswith("default-src 'none';")
        assert "frame-ancestors 'none'" in policy
        assert 'unsafe' not in policy
        status, head, body = page.ask(path, 'HEAD')
        assert status == 200 and not body and int(head['Content-Length']) > 0
        assert page.ask(path + '?x=1')[0] == 200
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT',
                   'BREW'):
        status, headers, _ = page.ask('/metrics', method)
        assert status in (405, 400), method
        if method in ('POST', 'PUT', 'DELETE'):
            assert headers['Allow'] == 'GET, HEAD'
    for path in ('/metrics/', '/index.html', '/../etc/passwd', '//', '/%2e'):
        assert page.ask(path)[0] == 404, path


def test_only_its_own_names(pages):
    """A page whose name leads here must not read it (DNS rebinding)."""
    page, _ = pages()
    for host in ('127.0.0.1', f'127.0.0.1:{page.port}', '[::1]:9053',
                 'localhost:80', 'LOCALHOST.', 'router', 'box.lan',
                 'dotstub.dns.svc', 'x.local', socket.gethostname()):
        assert page.ask('/metrics', host=host)[0] == 200, host
    for host in ('attacker.example', '127.0.0.1.attacker.example',
                 'localhost.attacker.example', 'a.com:9053', '[::1', '::1',
                 '127.0.0.1:9053.com', 'localhost:x', 'lan', '.lan', 'xlan.com',
                 '127.0.0.1@evil.example'):
        want = 200 if host == 'lan' else 403
        assert page.ask('/metrics', host=host)[0] == want, host


def test_two_addresses_and_ipv6(serve, dotstub):
    server = serve()
    port = free_port(HOST, '::1')
    stub = dotstub([server], ready=[server], sandbox='kill',
                   admin=[f'{HOST}:{port}', f'[::1]:{port}'])
    assert Pages(stub, port).ask('/healthz')[0] == 200
    conn = http.client.HTTPConnection('::1', port, timeout=PATIENCE_S)
    conn.request('GET', '/healthz')
    assert conn.getresponse().read() == b'ok\n'
    conn.close()


def test_off_unless_configured(straight):
    stub, _ = straight
    assert 'http://' not in stub.log()


def test_address_in_use_is_told(serve, dotstub, tmp_path):
    server = serve()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        stub = dotstub([server], wait=False, admin=f'{HOST}:{port}')
        stub.expected_codes = (1,)
        wait_until(lambda: not stub.process.is_running(), 5, 'it ends')
        assert f'{HOST}:{port}' in stub.log() and 'in use' in stub.log()


def test_reload_keeps_the_pages(pages):
    """Other addresses wait for the next start, and the log says so."""
    page, _ = pages()
    before = page.metrics()
    text = page.stub.config_file.read_text()
    page.stub.config_file.write_text(text.replace(
        f'{HOST}:{page.port}', f'{HOST}:{free_port(HOST)}'))
    page.stub.process.signal(signal.SIGHUP)
    wait_until(lambda: 'admin: other addresses' in page.stub.log(), 5, 'told')
    name = 'dotstub_reloads_total{result="success"}'
    wait_until(lambda: page.metrics()[name] == before[name] + 1, 5, 'counted')


# ---- metrics

def test_metrics_count(pages):
    page, server = pages()
    before = page.metrics()
    for _ in range(3):
        assert page.stub.udp('www.example').answer
    assert page.stub.tcp('www.example').answer
    time.sleep(0.25)  # an answer may be 200 ms old
    after = page.metrics()

    def grown(name):
        return after[name] - before[name]
    assert grown('dotstub_queries_total{transport="udp"}') == 3
    assert grown('dotstub_queries_total{transport="tcp"}') == 1
    assert grown('dotstub_cache_answers_total{result="fresh"}') == 3
    assert grown('dotstub_forwarded_total') == 1
    assert grown('dotstub_query_duration_seconds_count') == 1
    assert grown('dotstub_query_duration_seconds_bucket{le="+Inf"}') == 1
    label = f'zone=".",server="{server.entry}"'
    assert after[f'dotstub_server_state{{{label},state="up"}}'] == 1
    assert after[f'dotstub_server_state{{{label},state="down"}}'] == 0
    assert after['dotstub_ready'] == 1
    assert after['process_resident_memory_bytes'] > 1 << 20
    assert abs(after['process_start_time_seconds'] - time.time()) < 60


def check_exposition(text):
    """A strict reader of the text format; what it demands is a subset of
    what Prometheus' own checker does."""
    name = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
    label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(rf'^({name})(?:\{{({label}(?:,{label})*)\}})? '
                        r'(\d+(?:\.\d+)?)$')
    kinds, seen, current = {}, set(), None
    lines = text.splitlines()
    assert text.endswith('\n')
    for line in lines:
        if line.startswith('# HELP '):
            current, words = line[7:].split(' ', 1)
            assert current not in kinds, f'{current} comes twice'
            assert len(words) > 10
        elif line.startswith('# TYPE '):
            of, kind = line[7:].split(' ')
            assert of == current, line
            kinds[of] = kind
            assert kind in ('counter', 'gauge', 'histogram')
            assert of.endswith('_total') == (kind == 'counter'), of
            assert of.startswith(('dotstub_', 'process_')), of
        else:
            match = sample.match(line)
            assert match, line
            base = re.sub('_(bucket|sum|count)$', '', match[1]) \
                if kinds[current] == 'histogram' else match[1]
            assert base == current, line
            assert (match[1], match[2]) not in seen, line
            seen.add((match[1], match[2]))
    for of, kind in kinds.items():
        if kind == 'histogram':
            check_histogram(of, lines)
    return kinds


def check_histogram(name, lines):
    buckets = [re.match(rf'{name}_bucket{{le="(.*)"}} (\d+)', line)
               for line in lines]
    buckets = [(float(b[1]), int(b[2])) for b in buckets if b]
    assert len(buckets) > 8
    assert buckets == sorted(buckets)
    assert [c for _, c in buckets] == sorted(c for _, c in buckets)
    assert buckets[-1][0] == float('inf')
    assert f'{name}_count {buckets[-1][1]}' in lines


def test_metrics_format(pages, plain):
    page, _ = pages(zones={'corp.example': plain().udp_entry})
    page.stub.udp('www.example')
    page.stub.udp('www.corp.example')
    _, headers, text = page.ask('/metrics')
    assert headers['Content-Type'] == \
        'text/plain; version=0.0.4; charset=utf-8'
    kinds = check_exposition(text)
    assert len(kinds) > 50


def test_promtool(pages):
    promtool = shutil.which('promtool')
    if not promtool:
        pytest.skip('promtool is not installed (Debian: prometheus)')
    page, _ = pages()
    page.stub.udp('www.example')
    done = subprocess.run([promtool, 'check', 'metrics'], text=True,
                          input=page.ask('/metrics')[2], timeout=60,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, '')


REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NAME = re.compile(r'\b(?:dotstub|process)_[a-z_]+_[a-z]+\b|\bdotstub_[a-z]+\b')


def names_in(path):
    """Of metrics, in what an example or a page of the manual asks for."""
    text = (REPOSITORY / path).read_text()
    return {re.sub('_bucket$', '', n) for n in NAME.findall(text)}


def test_examples_and_manual_name_what_there_is(pages):
    page, _ = pages()
    page.stub.udp('www.example')
    kinds = check_exposition(page.ask('/metrics')[2])
    board = 'examples/grafana/dashboard.json'
    asked_for = [target['expr'] for panel in json.loads(
        (REPOSITORY / board).read_text())['panels']
        for target in panel.get('targets', [])]
    assert len(asked_for) > 30
    for path in (board, 'examples/prometheus/alerts.yaml',
                 'docs/monitoring.md'):
        named = names_in(path)
        assert len(named) > 5 and not named - set(kinds), path
    assert set(kinds) == names_in('docs/monitoring.md')


@pytest.mark.parametrize('what, file', [('config', 'prometheus.yaml'),
                                        ('rules', 'alerts.yaml')])
def test_prometheus_takes_the_examples(what, file):
    promtool = shutil.which('promtool')
    if not promtool:
        pytest.skip('promtool is not installed (Debian: prometheus)')
    done = subprocess.run([promtool, 'check', what, file], timeout=60,
                          cwd=REPOSITORY / 'examples/prometheus', text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_history(pages):
    page, server = pages()
    page.stub.udp('www.example')

    def has_a_rate():  # steps below a second make none
        data = json.loads(page.ask('/api/history.json')[2])
        return data if data['history']['qps'] else None
    data = wait_until(has_a_rate, 10, 'a rate', step_s=0.1)
    assert data['ready'] is True and data['totals']['queries'] >= 1
    history = data['history']
    lengths = {len(column) for column in history.values()}
    assert len(lengths) == 1
    assert 0 < history['qps'][0] < 100
    assert abs(history['at'][0] - time.time()) < 60
    assert data['servers'][0]['server'] == server.entry
    assert data['servers'][0]['states'] == 'u'


# ---- load and attacks

SCRAPER = '''
import http.client, sys
conn = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=60)
while True:
    for path in ('/metrics', '/', '/api/history.json'):
        conn.request('GET', path)
        answer = conn.getresponse()
        print(answer.status, len(answer.read()), flush=True)
'''


def test_queries_are_not_delayed(pages, tmp_path):
    """While others scrape as fast as they can, every query is answered. (From
    the cache: the server of the test would have to share the processors.)"""
    page, _ = pages(workers=2)
    Load(page.stub.port, 300, 300).run().check()
    scrapers = [Process([sys.executable, '-c', SCRAPER, str(page.port)],
                        tmp_path / f'scraper{i}') for i in range(2)]

    def scraped():
        return [line.split() for s in scrapers
                for line in s.log().splitlines()[:-1]]
    try:
        wait_until(lambda: all(s.log() for s in scrapers), 10, 'both ask')
        before = len(scraped())
        loads = []

        def were_many():  # two seconds do, mostly
            loads.append(Load(page.stub.port, 300, 150).run().check())
            assert all(s.is_running() for s in scrapers)
            return len(scraped()) > before + 20
        wait_until(were_many, 10, 'pages while queries go on', step_s=0)
    finally:
        for s in scrapers:
            s.stop()
    # 503: for a second the machine stood still.
    codes = [status for status, _ in scraped()]
    assert set(codes) <= {'200', '503'}
    assert codes.count('200') > 0.9 * len(codes)
    best = min(loads, key=lambda load: load.percentile_s(50))
    assert best.percentile_s(50) < 0.5, best.summary()


def is_open(sock):
    """And has nothing to say."""
    return not select.select([sock], [], [], 0)[0]


def test_connections_held_open(pages):
    """More than there may be, each with half a request and a byte now and
    then: others are served on, and they are closed in time."""
    page, _ = pages()
    began = time.monotonic()
    held = [page.connect() for _ in range(120)]
    for c in held:
        with contextlib.suppress(OSError):  # one that was closed already
            c.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    for _ in range(20):
        assert page.ask('/healthz')[0] == 200
    open_now = set(held)
    if time.monotonic() - began < 5:  # after ten seconds they may be closed
        assert any(is_open(c) for c in held), 'others waited for their end'
    while open_now and time.monotonic() - began < 60:
        for c in list(open_now):
            try:
                c.sendall(b'x')
            except OSError:
                open_now.discard(c)
        time.sleep(0.5)
    for c in held:
        c.close()
    assert not open_now, f'{len(open_now)} are open after a minute'
    assert page.ask('/healthz')[0] == 200


@pytest.mark.parametrize('octets', [
    b'\0' * 1000, b'GET\r\n\r\n', b'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    b'\r\n' * 500, b'GET / HTTP/1.1\r\n\r\n', os.urandom(3000),
    b'GET ' + b'/x' * 20000 + b' HTTP/1.1\r\nHost: localhost\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: localhost\r\n' + b'A: b\r\n' * 5000 + b'\r\n',
    b'GET / HTTP/1.1\r\nHost: localhost\r\nA: ' + b'b' * 40000 + b'\r\n\r\n',
    b'POST /metrics HTTP/1.1\r\nHost: localhost\r\n'
    b'Content-Length: 99999999999999999999\r\n\r\n' + b'x' * 50000,
    b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n'
    b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
    b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03' + bytes(500),
], ids=lambda octets: repr(octets[:18]))
def test_garbage(pages, octets):
    """No answer, or one that says no; and it goes on."""
    page, _ = pages()
    with page.connect() as c:
        got = b''
        try:
            c.sendall(octets)
            c.shutdown(socket.SHUT_WR)
            while part := c.recv(65536):
                got += part
        except OSError:
            pass
    assert not got or re.match(rb'HTTP/1\.[01] [45]\d\d ', got), got[:200]
    assert page.ask('/healthz')[0] == 200


def test_body_that_comes_with_get(pages):
    page, _ = pages()
    with page.connect() as c:
        c.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Length: 100000\r\n\r\n' + b'x' * 100000)
        try:
            got = c.recv(4096)
        except OSError:
            got = b''
    assert b'200' not in got[:15]
    assert page.ask('/healthz')[0] == 200


def test_many_requests_on_one_connection(pages):
    page, _ = pages()
    with page.connect() as c:
        c.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' * 200)
        got = b''
        while got.count(b'\r\n\r\nok\n') < 200:
            part = c.recv(65536)
            assert part
            got += part


def resident(pid):
    """Octets; 0 under a sanitizer, which keeps what was freed."""
    size, resident_now = pathlib.Path(f'/proc/{pid}/statm').read_text().split(
        )[:2]
    page_len = os.sysconf('SC_PAGESIZE')
    return 0 if int(size) * page_len > 4 << 30 else int(resident_now) * page_len


def test_memory_is_bounded(pages):
    """Hundreds of scrapes leave nothing behind. (That the kernel puts small
    pages together to a huge one comes once, not each time.)"""
    page, _ = pages()

    for _ in range(300):
        page.ask('/')
    growths = []
    while len(growths) < 5:
        before = resident(page.stub.pid)
        for _ in range(500):
            page.ask('/metrics')
        growths.append(resident(page.stub.pid) - before)
        if growths[-1] < 1 << 18:
            break
    assert min(growths) < 1 << 18, growths


def test_ends_while_asked(pages):
    page, _ = pages()
    stop = threading.Event()

    def scrape():
        while not stop.is_set():
            try:
                page.ask('/metrics', timeout_s=2)
            except (OSError, http.client.HTTPException):
                pass
    threads = [threading.Thread(target=scrape) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    assert page.stub.stop() == 0  # killed, if it did not end by itself
    stop.set()
    for t in threads:
        t.join()
