"""dnstap: what clients ask and get, as a receiver of Debian's sees it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import dns.message
import pytest

from lib import behaviours, client, tap
from lib.cache import CALM
from lib.client import query
from lib.dotstub import find_binary
from lib.ports import free_port
from lib.process import wait_until

from test_reload import STAYS, reload

WAYS = {'udp': client.Udp, 'tcp': client.Tcp}


@pytest.fixture(scope='module', autouse=True)
def is_built():
    """Is dnstap in this build?"""
    text = open(find_binary(), 'rb').read()
    if b'was built without libfstrm' in text:
        pytest.skip('built without libfstrm')


def stats(stub):
    done = subprocess.run(
        [find_binary(), 'stats', '--json', '--socket', stub.values['control']],
        capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def counts(stub):
    report = stats(stub)
    return report['dnstap_written'], report['dnstap_dropped']


def wait_written(stub, count):
    wait_until(lambda: counts(stub)[0] >= count, 10,
               lambda: f'{count} messages: {counts(stub)}\n{stub.log()}')


def wait_writing(stub, times=1):
    wait_until(lambda: stub.log().count('dnstap: writing to') >= times, 10,
               stub.log)


@pytest.fixture
def tapped(serve, dotstub):
    """dotstub with dnstap to a place, or to a receiver that runs."""
    def start(target, script=behaviours.serve, **config):
        server = serve(script)
        stub = dotstub([server], ready=[server], log_level='info',
                       dnstap=getattr(target, 'target', target),
                       **{**CALM, **config})
        wait_writing(stub)
        return stub
    return start


@pytest.fixture
def capture(tmp_path):
    with tap.Capture(tmp_path) as c:
        yield c


def exchange(stub, transport, *args, **options):
    """A query, and what came back: octets."""
    asked = query(*args, **options).to_wire()
    with WAYS[transport](stub.port) as c:
        c.send(asked)
        return asked, c.receive(), c.sock.getsockname()[1]


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_octets_are_the_clients(tapped, capture, transport):
    stub = tapped(capture, cache_size='1MiB')
    before = time.time()
    exchanges = [exchange(stub, transport, *args, edns=1232) for args in (
        ('www.example',), ('WWW.example',), ('nope.nxdomain.example', 'AAAA'),
        ('localhost',))]
    wait_written(stub, 8)
    found = capture.stop(8)
    after = time.time()
    assert [m.kind for m in found] == 4 * ['query', 'response']
    for k, (asked, answered, port) in enumerate(exchanges):
        q, r = found[2 * k:2 * k + 2]
        assert q.octets == asked and r.octets == answered
        for m in (q, r):
            assert (m.transport, m.family) == (transport, 4)
            assert (m.client, m.client_port) == ('127.0.0.0', port)
            assert (m.local, m.local_port) == ('127.0.0.1', stub.port)
            assert m.identity is None and m.version.startswith('dotstub ')
            assert m.asked == q.asked
        assert q.answered is None
        assert before - 0.001 <= r.asked <= r.answered <= after
    assert stub.log().count('writing to') == 1


def test_identity_and_another_reader(tapped, tmp_path):
    """A file, read by dnstap-ldns."""
    path = tmp_path / 'tap.fstrm'
    stub = tapped(str(path), dnstap_identity='node 7 "é"')
    assert stub.udp('www.example').answer
    assert stub.tcp('www.example').answer
    assert stub.stop() == 0
    found, is_ended = tap.read(path)
    assert is_ended and len(found) == 4
    assert {m.identity for m in found} == {'node 7 "é"'}
    assert path.stat().st_mode & 0o777 == 0o640
    if shutil.which('dnstap-ldns'):
        text = subprocess.run(['dnstap-ldns', '-r', path, '-q'], check=True,
                              capture_output=True, text=True).stdout
        assert [x.split()[2:5] for x in text.splitlines()] == [
            [kind, '127.0.0.0', way] for way in ('UDP', 'TCP')
            for kind in ('CQ', 'CR')]
        assert text.count('"www.example." IN A') == 4


@pytest.mark.parametrize('shown, want', [
    ('full', '127.0.0.1'), ('short', '127.0.0.0'), ('none', None)])
@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_addresses(tapped, tmp_path, transport, shown, want):
    path = tmp_path / 'tap.fstrm'
    stub = tapped(str(path), dnstap_addresses=shown)
    port = exchange(stub, transport, 'www.example')[2]
    assert stub.stop() == 0
    for m in tap.read(path)[0]:
        assert m.client == want
        assert m.client_port == (port if want else None)
        assert m.family == 4 and m.local == '127.0.0.1'


def test_ipv6_and_wildcards(tapped, tmp_path):
    path, port, port6 = tmp_path / 'tap.fstrm', free_port(), free_port('::1')
    stub = tapped(str(path), port=port, listen=[f'0.0.0.0:{port}',
                                                f'[::]:{port6}'])
    for way in WAYS.values():
        for address, at in (('127.0.0.2', port), ('::1', port6)):
            with way(at, address=address) as c:
                c.ask(query('www.example'))
    assert stub.stop() == 0
    assert [(m.transport, m.client, m.local, m.local_port)
            for m in tap.read(path)[0] if m.kind == 'query'] == [
        ('udp', '127.0.0.0', '127.0.0.2', port), ('udp', '::', '::1', port6),
        ('tcp', '127.0.0.0', '127.0.0.2', port), ('tcp', '::', '::1', port6)]


def test_what_is_refused_is_told_too(tapped, tmp_path):
    path = tmp_path / 'tap.fstrm'
    stub = tapped(str(path), allow=['192.0.2.0/24'])
    cut = query('www.example', query_id=9).to_wire()[:-1]
    with client.Udp(stub.port) as c:
        c.send(b'short')
        c.send(b'\0\1\x80\0' + bytes(8))  # an answer
        c.ask_raw(cut)
        c.ask(query('www.example'))
    assert stub.stop() == 0
    found, _ = tap.read(path)
    assert found[0].octets == cut
    assert [(m.kind, m.octets[3] & 15) for m in found] in (
        [('query', 0), ('response', 1), ('query', 0), ('response', 5)],
        [('query', 0), ('response', 5), ('query', 0), ('response', 5)])


def test_answers_that_are_not_sent_are_not_told(tapped, tmp_path):
    path = tmp_path / 'tap.fstrm'
    stub = tapped(str(path), response_rate_limit=1, response_rate_slip=0,
                  cache_size='1MiB')
    answers = []
    with client.Udp(stub.port) as c:
        for k in range(20):
            c.send(query('www.example', query_id=k))
        wait_until(lambda: stats(stub)['listener']['udp_queries'] == 20, 10,
                   'not all came')
        assert stub.stop() == 0
        while (data := c.receive(0.5)) is not None:
            answers.append(data)
    found, _ = tap.read(path)
    assert len(answers) < 20
    assert [m.kind for m in found].count('query') == 20
    assert [m.octets for m in found if m.kind == 'response'] == answers


def test_workers_have_one_stream(tapped, capture):
    stub = tapped(capture, workers=3, cache_size='1MiB')
    asked = []
    for k in range(60):
        with client.Udp(stub.port) as c:
            assert c.ask(query(f'n{k}.many.example')).answer
            asked.append(f'n{k}.many.example.')
    wait_written(stub, 120)
    names = [dns.message.from_wire(m.octets).question[0].name.to_text()
             for m in capture.stop(120) if m.kind == 'query']
    assert sorted(names) == sorted(asked)


# ---- receivers that come and go

def ask_until_dropped(stub):
    """Until it is seen that nobody receives; how many queries that took."""
    asked = 0
    while 'messages are dropped' not in stub.log():
        assert asked < 1000, stub.log()
        assert stub.udp('www.example').answer
        asked += 1
        time.sleep(0.1)
    return asked


def wait_told(stub, asked):
    """Of so many queries each message was written or dropped."""
    wait_until(lambda: sum(counts(stub)) == 2 * asked, 10,
               lambda: f'{asked} queries: {counts(stub)}')


def test_receiver_is_restarted(tapped, capture):
    stub = tapped(capture)
    assert stub.udp('www.example').answer
    wait_written(stub, 2)
    assert len(capture.stop(2)) == 2

    asked = 1 + ask_until_dropped(stub)
    capture.start()
    wait_writing(stub, 2)
    assert stub.udp('n1.many.example').answer
    wait_told(stub, asked + 1)
    written, dropped = counts(stub)
    found = capture.stop(written - 2)
    assert len(found) == written - 2 and dropped > 0
    assert all(b'\2n1\4many' in m.octets for m in found[-2:])


def test_no_receiver(serve, dotstub, tmp_path):
    server = serve()
    stub = dotstub([server], ready=[server],
                   dnstap=f'unix:{tmp_path}/nobody.sock')
    for k in range(10):
        assert stub.ask(('udp', 'tcp')[k % 2], 'www.example').answer
    wait_until(lambda: counts(stub) == (0, 20), 10, lambda: counts(stub))
    assert stub.log().count('messages are dropped until a receiver') == 1


def handshake(listener):
    """Take a stream as a receiver does."""
    sock, _ = listener.accept()
    ready = b''
    while len(ready) < 8 or len(ready) < 8 + int.from_bytes(ready[4:8], 'big'):
        part = sock.recv(4096)
        assert part
        ready += part
    assert ready[:4] == bytes(4) and ready[11] == 4
    sock.sendall(ready[:11] + b'\1' + ready[12:])  # ACCEPT, the same type
    return sock


@pytest.mark.parametrize('is_greeted', [True, False], ids=['deaf', 'dumb'])
def test_receiver_that_does_not_read(serve, dotstub, tmp_path, is_greeted):
    """Nobody waits for it, and the end does not."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / 'tap.sock'))
        listener.listen()
        listener.settimeout(30)
        server = serve()
        stub = dotstub([server], ready=[server], cache_size='1MiB',
                       log_level='info', dnstap=f'unix:{tmp_path}/tap.sock')
        with (handshake(listener) if is_greeted else listener.accept()[0]):
            with client.Udp(stub.port) as c:
                for k in range(1, 12001):
                    assert c.ask(query('www.example', query_id=k)).answer
            wait_until(lambda: counts(stub)[1] > 0, 10, stub.log)
            stub.terminate()
            assert stub.process.wait(20) == 0


def test_tcp(tapped, tmp_path):
    with tap.Capture(tmp_path, port=free_port()) as capture:
        stub = tapped(capture)
        exchanges = [exchange(stub, way, 'www.example') for way in WAYS]
        wait_written(stub, 4)
        assert [m.octets for m in capture.stop(4)] == [
            octets for e in exchanges for octets in e[:2]]


# ---- files, reload

def test_file_that_is_there_is_kept(tapped, tmp_path):
    path = tmp_path / 'tap.fstrm'
    for name in ('n1', 'n2'):
        stub = tapped(str(path))
        assert stub.udp(f'{name}.many.example').answer
        assert stub.stop() == 0
    before, after = tap.read(f'{path}.1'), tap.read(path)
    assert before[1] and after[1]
    assert b'\2n1' in before[0][0].octets and b'\2n2' in after[0][0].octets


def test_rotation(tapped, tmp_path):
    path, old = tmp_path / 'tap.fstrm', tmp_path / 'old'
    stub = tapped(str(path), workers=2)
    assert stub.udp('n1.many.example').answer
    reload(stub, max_queries=4096)  # the stream goes on
    assert stub.udp('n2.many.example').answer
    os.replace(path, old)
    assert stub.udp('n3.many.example').answer
    reload(stub)
    assert stub.udp('n4.many.example').answer
    assert stub.stop() == 0
    assert [len(tap.read(p)[0]) for p in (old, path)] == [6, 2]
    assert tap.read(old)[1] and tap.read(path)[1]


def test_reload_turns_it_off_and_on(tapped, capture, tmp_path):
    stub = tapped(capture)
    assert stub.udp('n1.many.example').answer
    reload(stub, dnstap='off')
    assert stub.udp('n2.many.example').answer
    assert counts(stub) == (2, 0)
    reload(stub, dnstap=capture.target, dnstap_identity='again')
    wait_writing(stub, 2)
    assert stub.udp('n3.many.example').answer
    wait_written(stub, 4)
    path = tmp_path / 'tap.fstrm'
    reload(stub, dnstap=str(path), dnstap_identity=None)
    assert stub.udp('n4.many.example').answer
    wait_written(stub, 6)
    assert stub.stop() == 0
    assert [m.identity for m in capture.stop()] == [None, None, 'again',
                                                    'again']
    assert len(tap.read(path)[0]) == 2


def test_reload_that_comes_too_late(serve, dotstub, tmp_path, monkeypatch):
    """It is locked in, without what it would need: what is there stays."""
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)
    server = serve()
    stub = dotstub([server], ready=[server])
    reload(stub, said=STAYS, dnstap=str(tmp_path / 'tap.fstrm'))
    assert 'dnstap was off when' in stub.log()
    assert stub.udp('www.example').answer


def test_reload_that_comes_too_late_for_a_socket(tapped, tmp_path,
                                                 monkeypatch):
    """Unix sockets are left to those that begin with one."""
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)
    path = tmp_path / 'tap.fstrm'
    stub = tapped(str(path))
    reload(stub, said=STAYS, dnstap=f'unix:{tmp_path}/tap.sock')
    assert 'cannot connect to unix sockets' in stub.log()
    assert stub.udp('www.example').answer
    wait_written(stub, 2)


def test_reload_turns_it_on(serve, dotstub, tmp_path, monkeypatch):
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)
    path, server = tmp_path / 'tap.fstrm', serve()
    stub = dotstub([server], ready=[server], sandbox='off')
    reload(stub, dnstap=str(path))
    assert stub.udp('www.example').answer
    assert stub.stop() == 0
    assert len(tap.read(path)[0]) == 2


def test_link_that_leads_elsewhere(serve, dotstub, tmp_path):
    """Nothing is written through it, and it is not taken away."""
    path, elsewhere = tmp_path / 'tap.fstrm', tmp_path / 'elsewhere'
    os.symlink(elsewhere, path)
    stub = dotstub([serve()], wait=False, dnstap=str(path))
    assert stub.process.wait(60) == 1
    assert 'it is there and is not a file' in stub.log()
    assert path.is_symlink() and not elsewhere.exists()
    stub.expected_codes = (1,)


# ---- locked in

@pytest.mark.parametrize('kind', ['unix', 'tcp', 'file'])
def test_locked_in(tapped, tmp_path, kind, monkeypatch):
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)
    with tap.Capture(tmp_path, free_port() if kind == 'tcp' else None) as c:
        path = tmp_path / 'tap.fstrm'
        stub = tapped(c if kind != 'file' else str(path), workers=2,
                      sandbox='kill')
        assert stub.ask('udp', 'www.example').answer
        assert stub.ask('tcp', 'www.example').answer
        wait_written(stub, 4)
        if kind != 'file':
            assert len(c.stop(4)) == 4
            ask_until_dropped(stub)
            c.start()
            wait_writing(stub, 2)
        reload(stub, dnstap_identity='another')
        wait_writing(stub, 2 if kind == 'file' else 3)
        assert stub.udp('n1.many.example').answer
        assert stub.stop() == 0
        if kind == 'file':
            assert len(tap.read(path)[0]) == 2
        else:
            assert 'another' in [m.identity for m in c.stop()]


def test_signals_are_not_the_writers(tapped, capture):
    """A signal to the process reaches the thread that acts on it."""
    stub = tapped(capture)
    for _ in range(20):
        stub.process.signal(signal.SIGHUP)
    wait_until(lambda: 'going on with' in stub.log(), 10, stub.log)
    assert stub.udp('www.example').answer
