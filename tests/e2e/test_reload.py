"""Another configuration while queries go on: nothing is lost."""
import json
import os
import pathlib
import threading

import pytest

from lib import behaviours, client
from lib.certs import Authority
from lib.client import query, texts
from lib.ports import free_port
from lib.process import wait_until
from lib.reload import DONE, STAYS, ask_reload, hup, reload, rewrite

def reachable(*servers):
    """A zone for the first configuration, so that a process that has locked
    itself in may connect to the ports of servers that come later (see
    test_sandbox). Nobody asks for it, and a plain server that is not asked is
    not connected to."""
    return {'unused': [f'tcp://127.0.0.1:{s.port}' for s in servers]}


class Load:
    """Queries one after the other over UDP and TCP, until told to stop."""

    def __init__(self, stub, pause=0.0):
        self.stub, self.pause = stub, pause
        self.asked = self.failed = 0
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(t,))
                        for t in ('udp', 'tcp')]

    def run(self, transport):
        k = 0
        ways = {'udp': client.Udp, 'tcp': client.Tcp}
        with ways[transport](self.stub.port) as c:
            while not self.stopped.is_set():
                name = f'n{k % 1000}.many.example'
                k += 1
                self.asked += 1
                try:
                    got = c.ask(query(name, query_id=k % 65536))
                    self.failed += not got.answer
                except Exception:
                    self.failed += 1
                    raise
                self.stopped.wait(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def last_conn(server):
    """The connection that the last query came over."""
    return server.queries[-1].conn


def test_same_file_keeps_the_connections(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    assert stub.udp('www.example').answer
    before = set(map(id, server.connections))
    for _ in range(3):
        reload(stub)
        assert stub.udp('www.example').answer
        assert id(last_conn(server)) in before


def test_another_server_is_added_and_taken_away(serve, dotstub):
    first, second = serve(), serve()
    stub = dotstub([first], ready=[first], zones=reachable(second))
    assert stub.udp('www.example').answer
    kept = set(map(id, first.connections))
    reload(stub, [first, second], strategy='round_robin')
    second.wait_ready()
    for k in range(20):
        assert stub.udp(f'n{k}.many.example').answer
    assert len(second.queries) >= 5
    assert id(last_conn(first)) in kept, 'its connection was not kept'
    reload(stub, [second], strategy=None)
    asked = len(first.queries)
    for k in range(20):
        assert stub.udp(f'n{k}.many.example').answer
    assert len(first.queries) == asked


def test_in_flight_queries_of_a_server_that_goes(serve, dotstub):
    slow, fast = serve(behaviours.delayed(1.0)), serve()
    stub = dotstub([slow], ready=[slow], zones=reachable(fast))
    with client.Udp(stub.port) as c:
        c.send(query('www.example', query_id=7))
        wait_until(lambda: slow.queries, 5, 'the query did not come')
        reload(stub, [fast])
        assert texts(client.parse(c.receive()))


@pytest.mark.parametrize('workers', [1, 2])
def test_100_reloads_under_load(serve, dotstub, workers):
    """Servers, listeners, a zone, local names and the cache come and go, in a
    process that has locked itself in."""
    servers = [serve(), serve()]
    # In the first configuration too, so that its port may be connected to.
    zones = {'zone.example': {'servers': [servers[1].entry]}}
    stub = dotstub(servers[:1], ready=servers[:1], workers=workers, zones=zones)
    listen = [f'127.0.0.1:{stub.port}', f'127.0.0.1:{free_port("127.0.0.1")}']
    with Load(stub) as load:
        for k in range(100):
            reload(stub, servers[:1 + k % 2], listen=listen[:1 + k // 2 % 2],
                   zones=zones if k % 5 == 0 else None,
                   records=['box.lan A 192.0.2.1'] if k % 4 == 0 else None,
                   cache_size='1MiB' if k % 3 == 0 else 0)
    assert load.failed == 0
    assert load.asked > 200


def test_addresses_come_and_go(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    other = free_port('127.0.0.1')
    first = f'127.0.0.1:{stub.port}'
    reload(stub, listen=[first, f'127.0.0.1:{other}'])
    for port in (stub.port, other):
        with client.Udp(port) as u, client.Tcp(port) as t:
            assert u.ask(query('www.example')).answer
            assert t.ask(query('www.example')).answer
    reload(stub, listen=[f'127.0.0.1:{other}'])
    with client.Udp(other) as c:
        assert c.ask(query('www.example')).answer
    with pytest.raises(ConnectionRefusedError):
        client.Tcp(stub.port)


def test_client_of_an_address_that_goes_gets_its_answer(serve, dotstub):
    server = serve(behaviours.delayed(0.7))
    stub = dotstub([server], ready=[server])
    other = free_port('127.0.0.1')
    with client.Udp(stub.port) as u, client.Tcp(stub.port) as t:
        u.send(query('www.example', query_id=1))
        t.send(query('n1.many.example', query_id=2))
        wait_until(lambda: len(server.queries) == 2, 5, 'not asked')
        reload(stub, listen=[f'127.0.0.1:{other}'])
        assert client.parse(u.receive()).answer
        assert client.parse(t.receive()).answer


def test_address_in_use_changes_nothing(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    taken = dotstub([server])
    reload(stub, said=STAYS,
           listen=[f'127.0.0.1:{stub.port}', f'127.0.0.1:{taken.port}'])
    assert 'address already in use' in stub.log()
    assert stub.udp('www.example').answer


@pytest.mark.parametrize('bad', [
    'listen: [', 'servers: []\n', 'listen: 127.0.0.1\nserver: 1.1.1.1\n', ''])
def test_bad_file_changes_nothing(serve, dotstub, bad):
    server = serve()
    stub = dotstub([server], ready=[server])
    before = set(map(id, server.connections))
    good = stub.config_file.read_text()
    stub.config_file.write_text(bad)
    hup(stub)
    wait_until(lambda: STAYS in stub.log(), 5, 'it does not say that')
    assert f'{stub.config_file}:' in stub.log()
    assert stub.udp('www.example').answer
    stub.config_file.write_text(good)
    hup(stub)
    wait_until(lambda: DONE in stub.log(), 5, 'not taken')
    assert stub.udp('www.example').answer
    assert id(last_conn(server)) in before


def test_who_asks_for_it_hears_why_not(serve, dotstub):
    """All that is wrong, and once in the log."""
    server = serve()
    stub = dotstub([server], ready=[server])
    taken = dotstub([server])
    rewrite(stub, workers='x', cache_size='y')
    code, out, err = ask_reload(stub)
    assert (code, out) == (1, [])
    assert 'workers: x is not a whole number' in err
    assert '; ' in err and 'cache_size: y is not a size' in err
    assert stub.log().count('workers: x is not a whole number') == 1
    rewrite(stub, workers=1, cache_size=0,
            listen=[f'127.0.0.1:{stub.port}', f'127.0.0.1:{taken.port}'])
    code, out, err = ask_reload(stub)
    assert (code, out) == (1, [])
    assert f'cannot listen on 127.0.0.1:{taken.port}' in err
    assert 'address already in use' in err


def test_who_asks_for_it_hears_what_comes_later(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    rewrite(stub, workers=2, user=str(os.geteuid()), sandbox='off',
            admin=f'127.0.0.1:{free_port()}', race_width=2)
    code, out, err = ask_reload(stub)
    assert (code, err) == (0, '')
    assert out[0].startswith(f'{stub.config_file}:')
    assert out[0].endswith('warning: race_width: has no effect without '
                           'strategy: race')
    assert out[1:] == [
        'warning: workers: another number takes effect at the next start',
        'warning: user: another one takes effect at the next start',
        'warning: sandbox: another value takes effect at the next start',
        'warning: admin: other addresses take effect at the next start', DONE]
    warned, = [x for x in stub.log().splitlines() if 'race_width' in x]
    assert ' warning server: ' in warned


def test_what_comes_later_is_what_does_not_run(serve, dotstub):
    """Not what the file before said."""
    later = 'warning: workers: another number takes effect at the next start'
    server = serve()
    stub = dotstub([server], ready=[server], workers=1)
    for workers, said in ((2, [later, DONE]), (2, [later, DONE]), (1, [DONE]),
                          (3, [later, DONE]), (1, [DONE])):
        rewrite(stub, workers=workers)
        assert ask_reload(stub) == (0, said, ''), workers


@pytest.mark.parametrize('address, fault', [
    ('127.0.0.1:80', 'permission denied'),
    ('192.0.2.1:5300', 'address is not on this machine')])
def test_a_fault_is_told_once(serve, dotstub, address, fault):
    server = serve()
    stub = dotstub([server], ready=[server])
    rewrite(stub, listen=[f'127.0.0.1:{stub.port}', address])
    code, out, err = ask_reload(stub)
    if code == 0:
        return  # anybody may listen on that port here
    assert (code, out) == (1, [])
    assert f'cannot listen on {address}' in err
    if 'already in use' not in err:
        assert err.count(fault) == 1, err


def test_missing_ca_file_changes_nothing(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    reload(stub, said=STAYS, ca_file='/nonexistent/ca.pem')
    assert stub.udp('www.example').answer


def test_cache_stays_when_its_size_changes(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], cache_size='1MiB')
    assert stub.udp('www.example').answer
    asked = len(server.queries)
    for size in ('2MiB', '512KiB'):
        reload(stub, cache_size=size)
        assert stub.udp('www.example').answer
        assert len(server.queries) == asked
    reload(stub, cache_size=0)
    assert stub.udp('www.example').answer
    assert len(server.queries) == asked + 1


def test_log_level_changes(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], log_level='notice')
    assert ' debug ' not in stub.log()
    reload(stub, log_level='debug')
    assert stub.udp('www.example').answer
    wait_until(lambda: 'debug' in stub.log(), 5, 'nothing at that level')


def test_log_format_changes(serve, dotstub):
    """From the line that tells of the new configuration on."""
    server = serve()
    stub = dotstub([server], ready=[server], log_format='text')
    reload(stub, log_format='json')
    reload(stub, log_format=None)
    one, other = [x for x in stub.log().splitlines() if DONE in x]
    assert json.loads(one)['message'] == DONE
    assert other.endswith(f' notice server: {DONE}')


def test_signals_in_a_row(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    with Load(stub) as load:
        for _ in range(50):
            hup(stub)
        wait_until(lambda: DONE in stub.log(), 5, 'not taken')
    assert load.failed == 0


def test_end_while_reloading(serve, dotstub):
    server = serve(behaviours.delayed(0.3))
    stub = dotstub([server], ready=[server], workers=2)
    with client.Udp(stub.port) as c:
        c.send(query('www.example', query_id=3))
        wait_until(lambda: server.queries, 5, 'not asked')
        hup(stub)
        stub.terminate()
        assert client.parse(c.receive()).answer
    assert stub.process.wait() == 0


@pytest.mark.parametrize('text', [
    '', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
def test_a_server_whose_own_trust_is_none(serve, dotstub, tmp_path, text):
    """The file is found to be bad before a worker needs it."""
    server = serve()
    stub = dotstub([server], ready=[server])
    (tmp_path / 'own.pem').write_text(text)
    reload(stub, [server, {'address': '127.0.0.1', 'name': 'dot.example',
                           'ca_file': str(tmp_path / 'own.pem')}], said=STAYS)
    assert stub.udp('www.example').answer


@pytest.mark.parametrize('place', ['same', 'other'])
def test_trust_is_taken_anew(serve, dotstub, ca, tmp_path, place):
    """A server that another authority would have to vouch for is not served
    by what the one before vouched for, tickets included."""
    server = serve()
    file = tmp_path / 'trust.pem'
    file.write_bytes(pathlib.Path(ca.file).read_bytes())
    stub = dotstub([server], ready=[server], ca_file=str(file))
    assert stub.udp('www.example').answer
    (tmp_path / 'authority').mkdir()
    other = Authority(tmp_path / 'authority')
    if place == 'same':
        file.write_bytes(pathlib.Path(other.file).read_bytes())
    asked = len(server.queries)
    reload(stub, ca_file=str(file if place == 'same' else other.file))
    assert not stub.udp('www.example').answer
    assert len(server.queries) == asked
    assert 'not a trusted authority' in stub.log()


def test_zones_change_under_queries_that_share(serve, dotstub):
    """Who joins a question after the zone changed does not wait for servers
    of before, and none knows a pool that is gone."""
    silent = behaviours.dropping(lambda number, query: True)
    servers = [serve(silent) for _ in range(3)]
    stub = dotstub(servers[:1], ready=servers[:1], query_timeout='3s',
                   zones=reachable(*servers[1:]))
    with client.Udp(stub.port) as c:
        c.send(query('www.example', query_id=1))
        wait_until(lambda: 'www.example' in servers[0].names(), 5, 'not asked')
        rewrite(stub, zones={'example': {'servers': [servers[1].entry]}})
        hup(stub)
        wait_until(lambda: servers[1].ready, 5, 'the zone is not there')
        c.send(query('www.example', query_id=2))
        wait_until(lambda: 'www.example' in servers[1].names(), 5,
                   'it asked others')
        rewrite(stub, zones={'example': {'servers': [servers[2].entry]}})
        hup(stub)
        answers = [client.parse(c.receive()) for _ in range(2)]
    assert sorted(a.id for a in answers) == [1, 2]
