"""The control socket, and the commands that ask over it."""
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest

from lib import behaviours, client, dotd
from lib.cache import asked
from lib.client import query, texts
from lib.dotstub import config_text, find_binary
from lib.process import PATIENCE_S, wait_until

from test_workers import one_client_of_each


def command(*arguments, expect=0, timeout=60):
    """Run a command of the program; returns (standard output, error)."""
    done = subprocess.run([find_binary(), *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout)
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def ask(stub, name, *arguments, **options):
    return command(name, '-c', stub.config_file, *arguments, **options)


def report(stub):
    return json.loads(ask(stub, 'stats', '--json')[0])


class Raw:
    """A client of the socket that sends what it likes."""

    def __init__(self, stub):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(stub.values['control'])
        self.lines = self.socket.makefile('rb')

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()


# ---- the socket


def test_only_the_owner_can_open_it(serve, dotstub, tmp_path):
    path = tmp_path / 'own' / 'control.sock'
    os.umask(0)
    try:
        stub = dotstub([serve()], control=str(path))
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    stub.terminate()
    assert stub.process.wait() == 0
    assert not path.exists()


def test_another_user_is_refused(serve, dotstub):
    if os.geteuid() != 0:
        pytest.skip('only root can become another user')
    stub = dotstub([serve()])
    path = pathlib.Path(stub.values['control'])
    os.chmod(path, 0o777)  # its mode says no first
    opened = []
    for folder in path.parents:  # let it come to the socket
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & 0o001:
            opened.append((folder, mode))
            os.chmod(folder, mode | 0o011)
    try:
        script = ('import socket, sys; s = socket.socket(socket.AF_UNIX); '
                  's.connect(sys.argv[1]); print(s.recv(1000).decode())')
        done = subprocess.run(['/usr/bin/python3', '-c', script, str(path)],
                              user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, timeout=60)
    finally:
        for folder, mode in opened:
            os.chmod(folder, mode)
    assert 'only root and the user' in done.stdout, done.stderr
    assert 'user 65534 may not ask' in stub.log()
    assert report(stub)['version']


def test_socket_of_a_dead_process_is_replaced(serve, dotstub):
    first = dotstub([serve()])
    first.process.signal(signal.SIGKILL)
    first.expected_codes = (-signal.SIGKILL,)
    first.process.wait()
    path = first.values['control']
    assert os.path.exists(path)
    second = dotstub([serve()], control=path)
    assert report(second)['uptime_ms'] < 60000


def test_socket_of_a_living_process_is_not(serve, dotstub):
    first = dotstub([serve()])
    second = dotstub([serve()], control=first.values['control'],
                     log_level='info')
    assert 'belongs to another program that runs' in second.log()
    second.terminate()
    assert second.process.wait() == 0
    assert report(first)['version']


def test_a_file_is_left_alone(tmp_path):
    path, file = tmp_path / 'file', tmp_path / 'c.yaml'
    path.write_text('precious')
    file.write_text(config_text({'servers': ['127.0.0.1#dot.example'],
                                 'control': str(path)}))
    _, error = command('run', '-c', file, expect=2)
    assert 'is not a socket' in error
    assert path.read_text() == 'precious'


def test_folder_that_cannot_be_made(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], log_level='info',
                   control='/proc/no/control.sock')
    assert stub.log().count('without a control socket') == 1
    assert stub.udp('www.example').answer


def test_off(serve, dotstub):
    stub = dotstub([serve()], control='off')
    _, error = ask(stub, 'stats', expect=1)
    assert 'no control socket' in error and error.count('\n') == 1


# ---- what is sent


@pytest.mark.parametrize('line, said', [
    (b'', 'not a JSON object'),
    (b'stats', 'not a JSON object'),
    (b'[]', 'not a JSON object'),
    (b'{}', '"command" has to be'),
    (b'{"command":1}', '"command" has to be'),
    (b'{"command":"stop"}', '"command" has to be'),
    (b'{"command":"stats","command":"flush"}', 'not a JSON object'),
    (b'{"command":"explain"}', '"name" has to be'),
    (b'{"command":"explain","name":""}', '"name" has to be'),
    (b'{"command":"explain","name":"a..b"}', '"name" has to be'),
    (b'{"command":"flush","name":5}', '"name" has to be'),
    (b'{"command":"flush","name":"a","type":"BOGUS"}', '"type" has to be'),
    (b'{"command":"log-level"}', '"level" has to be'),
    (b'{"command":"log-level","level":"loud"}', '"level" has to be'),
    (b'\xff\xfe{', 'not a JSON object'),
    (b'{"command":"\\u0000"}', 'not a JSON object'),
    (b'[' * 4000, 'not a JSON object'),
], ids=range(17))
def test_bad_request_costs_a_line(serve, dotstub, line, said):
    stub = dotstub([serve()])
    with Raw(stub) as raw:
        raw.send(line + b'\n')
        assert said in raw.line()['error']
        raw.send(b'{"command":"flush"}\n')
        assert raw.line() == {'end': True, 'removed': 0}


def test_line_without_end(serve, dotstub):
    stub = dotstub([serve()])
    with Raw(stub) as raw:
        raw.send(b'x' * 5000)
        assert 'longer than 4096' in raw.line()['error']
        assert raw.line() is None
    assert report(stub)['version']


def test_requests_in_one_write_and_half_close(serve, dotstub):
    stub = dotstub([serve()])
    with Raw(stub) as raw:
        raw.send(b'{"command":"stats"}\n{"command":"flush"}\n'
                 b'{"command":"reload"}\n{"command":"explain","name":"."}\n'
                 b'{"command":"stats"}\n')
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.line()['report']['version']
        assert raw.line()['removed'] == 0
        assert 'new configuration' in raw.line()['text']
        line = raw.line()
        while 'step' in line:
            line = raw.line()
        assert line['message']
        assert raw.line()['report']['reloads'] == 1
        assert raw.line() is None


def test_too_many_clients(serve, dotstub):
    stub = dotstub([serve()])
    raws = [Raw(stub) for _ in range(16)]
    with Raw(stub) as last:
        assert 'too many' in last.line()['error']
    for raw in raws:
        raw.__exit__()
    wait_until(lambda: 'end' in first_line(stub), 5, 'still full')


def first_line(stub):
    with Raw(stub) as raw:
        try:
            raw.send(b'{"command":"flush"}\n')
            return raw.line() or {}
        except (BrokenPipeError, ConnectionResetError):
            return {}


def test_client_that_leaves_while_it_waits(serve, dotstub):
    server = serve(behaviours.delayed(0.5))
    stub = dotstub([server], ready=[server])
    with Raw(stub) as raw:
        raw.send(b'{"command":"explain","name":"www.example"}\n')
        wait_until(lambda: server.queries, 5, 'not asked')
    assert report(stub)['pending'] >= 0
    assert stub.udp('www.example').answer


def test_client_that_does_not_read(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    with Raw(stub) as raw:
        raw.socket.setblocking(False)
        sent = 0
        try:
            while sent < 8 << 20:
                sent += raw.socket.send(b'{"command":"stats"}\n' * 1000)
        except BlockingIOError:
            pass
        assert stub.udp('www.example').answer
        assert report(stub)['version']


# ---- the commands


def test_stats(straight):
    stub, _ = straight
    assert stub.udp('www.example').answer
    assert stub.tcp('www.example').answer
    r = report(stub)
    assert r['resolver']['queries'] == 2
    assert r['listener']['udp_queries'] == 1
    assert r['listener']['tcp_queries'] == 1
    assert r['latency']['count'] == 2
    assert r['ready'] is True
    server, = r['pools'][0]['servers']
    assert server['state'] == 'up' and server['tls_version'] == 'TLSv1.3'
    text, _ = ask(stub, 'stats')
    assert 'queries' in text and 'servers of .: failover' in text
    assert server['label'] in text


def test_flush(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], cache_size='1MiB')
    for name in ('www.example', 'n1.many.example', 'n2.many.example'):
        assert stub.udp(name).answer
    assert '0 answers' in ask(stub, 'flush', 'www.example', 'AAAA')[0]
    assert '1 answer ' in ask(stub, 'flush', 'WWW.example.', 'a')[0]
    assert '0 answers' in ask(stub, 'flush', 'many.example')[0]
    assert '2 answers' in ask(stub, 'flush', '--subtree', 'many.example')[0]
    asked = len(server.queries)
    assert stub.udp('www.example').answer
    assert len(server.queries) == asked + 1
    assert '1 answer ' in ask(stub, 'flush')[0]
    assert ask(stub, 'flush')[0] == '0 answers forgotten\n'


def test_flush_without_a_cache(serve, dotstub):
    stub = dotstub([serve()], cache_size='0')
    assert ask(stub, 'flush')[0] == '0 answers forgotten: the cache is off\n'


def test_reload(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    assert 'new configuration' in ask(stub, 'reload')[0]
    path = stub.values['control']
    good = stub.config_file.read_text()
    stub.config_file.write_text(good + 'nonsense: 1\n')
    _, error = command('reload', '--socket', path, expect=1)
    assert 'nonsense' in error and error.count('\n') == 1
    _, error = ask(stub, 'reload', expect=1)
    assert 'nonsense' in error and error.count('\n') == 1
    stub.config_file.write_text(good)
    r = report(stub)
    assert (r['reloads'], r['reloads_failed']) == (1, 2)
    assert stub.udp('www.example').answer


def test_log_level(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], log_level='notice')
    assert ' debug ' not in stub.log()
    assert ask(stub, 'log-level', 'debug')[0] == 'log level: debug\n'
    assert stub.udp('www.example').answer
    wait_until(lambda: ' debug ' in stub.log(), 5, 'nothing at that level')


def test_explain(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], cache_size='1MiB')
    text, _ = ask(stub, 'explain', 'www.example')
    assert 'policy: zone .' in text and 'cache: miss' in text
    assert 'status: NOERROR' in text and 'www.example.' in text
    assert len(server.queries) == 1
    text, _ = ask(stub, 'explain', 'www.example', 'A')
    assert 'cache: hit' in text
    assert len(server.queries) == 1
    text, _ = ask(stub, 'explain', 'localhost', 'AAAA')
    assert 'answered here' in text and '::1' in text
    text, _ = ask(stub, 'explain', 'www.example', 'TYPE65280')
    assert 'TYPE65280' in text


def test_explain_tells_of_the_server(serve, dotstub):
    """Which one and why, the octets that leave, the connection, how long its
    answers take; and the copy that was sent because the first was late."""
    slow = serve(behaviours.serving(lambda n: 0.02 if n < 40 else 1.4))
    other = serve(behaviours.serving(lambda _: 0.02))
    stub = dotstub([slow, other], ready=[slow, other], hedge_budget='50%')
    for k in range(40):
        assert stub.udp(f'n{k}.many.example').answer
    text, _ = ask(stub, 'explain', 'late.many.example')
    sent = [line for line in text.splitlines() if 'sent to' in line]
    assert f'sent to {slow.entry} (first, failover), 128 octets;' in sent[0]
    assert re.search(r'connection \d+ s old, TLSv1\.3, (full handshake|resumed), '
                     r'1 in flight, RTT about \d+\.\d ms$', sent[0])
    assert f'sent to {other.entry} (late, failover)' in sent[1]
    assert 'answered the copy sent because another was late: NOERROR' in text
    server = serve(behaviours.serving(lambda _: 0.02))
    raced = dotstub([server, other], ready=[server], strategy='race')
    assert '(first, race)' in ask(raced, 'explain', 'r.many.example')[0]


def test_explain_tells_which_servers_are_down(serve, dotstub):
    """And why, when another is asked in their place, or nobody is left."""
    servers = first, second = serve(), serve()
    stub = dotstub(servers, ready=servers)
    number = itertools.count()

    def steps():
        text, _ = ask(stub, 'explain', f'n{next(number)}.many.example')
        return text.splitlines()

    first.down()
    wait_until(lambda: any(f'{first.entry} is down: cannot connect: '
                           'connection refused' in s for s in steps()),
               20, 'the first is down')
    found = steps()
    down, = (k for k, s in enumerate(found) if ' is down: ' in s)
    assert f'sent to {second.entry} (first, failover)' in found[down + 1]
    second.down()
    wait_until(lambda: sum(' is down: ' in s for s in steps()) == 2, 20,
               'both are down')


@pytest.mark.parametrize('version, said', [
    (dotd.TLS12, 'TLSv1.2'), (dotd.TLS13, 'TLSv1.3')], ids=['1.2', '1.3'])
def test_explain_tells_how_the_connection_began(serve, dotstub, version, said):
    server = serve(versions=(version, version))
    stub = dotstub([server], ready=[server], connections_per_server=1)
    assert f' {said}, full handshake, ' in sent(stub, 'www.example')
    for k in range(2):
        before = len(server.ready)
        server.each_open(lambda conn: conn.close())
        server.wait_ready(before + 1)
        assert f' {said}, resumed, ' in sent(stub, f'n{k}.many.example')


def sent(stub, name):
    """What was said of the server that was asked (at last: what went over a
    connection that ended goes over another one)."""
    text, _ = ask(stub, 'explain', name)
    return [line for line in text.splitlines() if 'sent to' in line][-1]


@pytest.fixture
def held(serve, dotstub):
    """held(**config): dotstub, its server, and an event; while that is not
    set, nothing is answered."""
    events = []

    def start(**config):
        event = threading.Event()
        event.set()
        events.append(event)
        server = serve(behaviours.while_set(event))
        stub = dotstub([server], ready=[server], query_timeout='1m',
                       answer_timeout='1m', connections_per_server=1, **config)
        return stub, server, event
    yield start
    for event in events:
        event.set()


def explain_meanwhile(stub, name, counter, event):
    """What is said of a query that is asked while another one of the same
    name is on its way; the server answers once it counts as such."""
    process = subprocess.Popen(
        [find_binary(), 'explain', '-c', stub.config_file, name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: report(stub)['resolver'][counter] >= 1, 10,
                   f'it is not {counter}', step_s=0.05)
        event.set()
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, error) == (0, ''), out
    return out


def test_explain_waits_with_a_client(held):
    stub, server, event = held()
    event.clear()
    with client.Udp(stub.port) as c:
        c.send(query('www.example'))
        server.wait(lambda s: asked(s) == 1)
        text = explain_meanwhile(stub, 'WWW.example', 'coalesced', event)
        assert texts(client.parse(c.receive()))
    assert 'waits with the same question, asked before' in text
    assert 'sent to' not in text and 'status: NOERROR' in text
    assert asked(server) == 1


def test_explain_beside_other_workers(held):
    """It asks the first worker: what another one asks it waits for, and what
    another one had answered it finds in the cache of all."""
    stub, server, event = held(workers=2, cache_size='1MiB')
    server.wait_ready(2)
    clients = one_client_of_each(stub, server, 'udp')
    first = conn_of(server, 'n2.many.example', lambda name: ask(
        stub, 'explain', name))
    other, = [c for k, c in enumerate(clients) if first != conn_of(
        server, f'n{3 + k}.many.example', lambda name: c.ask(query(name)))]
    text, _ = ask(stub, 'explain', 'n2.many.example')
    assert 'cache: hit' in text
    before = asked(server)
    assert other.ask(query('n1.many.example')).answer
    text, _ = ask(stub, 'explain', 'n1.many.example')
    assert 'cache: hit' in text and 'sent to' not in text
    event.clear()
    other.send(query('www.example'))
    server.wait(lambda s: asked(s) == before + 2)
    text = explain_meanwhile(stub, 'www.example', 'followed', event)
    assert texts(client.parse(other.receive()))
    assert 'another worker is asking this' in text
    assert re.search(r'ms  answer: NOERROR, \d+ octets, 2 records\n', text)
    assert 'sent to' not in text and 'status: NOERROR' in text
    assert asked(server) == before + 2
    for c in clients:
        c.close()


def conn_of(server, name, ask_for):
    """The number of the connection, and so of the worker, that asks for it."""
    ask_for(name)
    return next(q.conn.number for q in server.queries if q.name == name)


def test_explain_without_a_server(dotstub):
    stub = dotstub(['127.0.0.1:1#dot.example'])
    text, _ = ask(stub, 'explain', 'www.example')
    assert 'status: SERVFAIL' in text and 'refused' in text


@pytest.mark.parametrize('arguments, said', [
    (['explain'], 'a name is missing'),
    (['explain', 'a..b'], 'not a domain name'),
    (['explain', 'a', 'BOGUS'], 'not a record type'),
    (['explain', 'a', 'A', 'x'], 'unexpected argument'),
    (['flush', 'a', 'BOGUS'], 'not a record type'),
    (['flush', '--subtree'], 'a name is missing'),
    (['log-level'], 'a level is missing'),
    (['log-level', 'debgu'], "did you mean 'debug'"),
    (['stats', '--jsno'], "did you mean '--json'"),
    (['reload', '--socket'], 'an argument is missing'),
    (['top', '--onec'], "did you mean '--once'"),
    (['stats', '--json', 'extra'], "'extra' (see dotstub help stats)"),
    (['stats', 'extra.yaml'], 'did you mean -c extra.yaml?'),
])
def test_usage(arguments, said):
    out, error = command(*arguments, expect=64)
    assert out == '' and said in error and error.count('\n') == 1


@pytest.mark.parametrize('name', [
    'stats', 'top', 'flush', 'reload', 'log-level', 'explain'])
def test_nobody_there(name, tmp_path):
    word = {'log-level': ['info'], 'explain': ['www.example']}.get(name, [])
    for path, said in ((tmp_path / 'none', 'no dotstub is running there'),
                       ('x' * 200, 'not a name that a socket can have')):
        _, error = command(name, *word, '--socket', path, expect=1)
        assert said in error and error.count('\n') == 1


def test_daemon_that_talks_nonsense(tmp_path):
    path = tmp_path / 'socket'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        for answer, said in ((b'nonsense\n', 'without an answer'),
                             (b'', 'without an answer'),
                             (b'{"error":"\\u001b[2Jno"}\n', '?[2Jno'),
                             (b'{"end":true}\n', 'no report')):
            process = subprocess.Popen(
                [find_binary(), 'stats', '--socket', str(path)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            peer, _ = listener.accept()
            peer.recv(100)
            peer.sendall(answer)
            peer.close()
            out, error = process.communicate(timeout=60)
            assert process.returncode == 1
            assert out == '' and said in error and '\x1b' not in error


def test_config_names_the_socket(tmp_path):
    file = tmp_path / 'c.yaml'
    file.write_text(config_text({'servers': ['127.0.0.1#dot.example'],
                                 'control': str(tmp_path / 'here.sock')}))
    _, error = command('stats', '-c', file, expect=1)
    assert 'here.sock' in error


def test_file_that_went_bad(serve, dotstub):
    """What is asked goes on as it began; where is all that the file says."""
    stub = dotstub([serve()])
    path = stub.values['control']
    assert report(stub)['version']
    for text in (f'nonsense: 1\ncontrol: {path}\nlisten: [127.0.0.1, ::1]\n',
                 f'{{{{{{\ncontrol: {path}\n', f'cache_file: /no/where\n'
                 f'user: nobody:x\n"control": "{path}"\n'):
        stub.config_file.write_text(text)
        assert report(stub)['version']
        assert 'forgotten' in ask(stub, 'flush')[0]
        assert 'answered' in ask(stub, 'explain', 'localhost')[0]
        assert 'info' in ask(stub, 'log-level', 'info')[0]
        assert 'queries' in ask(stub, 'top', '--once')[0]
        ask(stub, 'reload', expect=1)


def test_socket_that_is_not_known(tmp_path):
    """Rather nobody than another one."""
    file = tmp_path / 'c.yaml'
    for text in ('control: yes\n', 'control: [a]\n', 'control: {a\nb: 1\n',
                 None):
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        _, error = command('flush', '-c', file, expect=2)
        assert 'c.yaml' in error and '--socket PATH' in error


def test_socket_of_the_environment(serve, dotstub, tmp_path, monkeypatch):
    stub = dotstub([serve()])
    assert report(stub)['version']
    monkeypatch.setenv('DOTSTUB_CONTROL', stub.values['control'])
    command('stats', '-c', tmp_path / 'none.yaml')
    if not os.path.exists('/etc/dotstub/dotstub.yaml'):
        out, error = command('stats')
        assert out and error == ''


def test_socket_stays_at_reload(serve, dotstub, tmp_path):
    server = serve()
    stub = dotstub([server], ready=[server])
    path = stub.values['control']
    text = stub.config_file.read_text().replace(path, str(tmp_path / 'new'))
    stub.config_file.write_text(text)
    out, _ = command('reload', '--socket', path)
    assert 'new configuration' in out
    assert 'control: another socket takes effect' in stub.log()
    command('stats', '--socket', path)
