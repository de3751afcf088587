"""Real DoT servers from packages behind dotstub."""
import dns.flags
import dns.rcode
import pytest

from lib import client, real
from lib.client import ask_many_udp, query, texts
from lib.dotstub import Dotstub
from lib.process import wait_until
from lib.zone import LONG_STRINGS, Zone, many_address

from test_udp import KINDS


@pytest.fixture(scope='module', params=list(real.ALL))
def pair(request, tmp_path_factory, ca, leaf):
    """dotstub before one real server."""
    folder = tmp_path_factory.mktemp(request.param)
    try:
        server = real.ALL[request.param](folder, leaf)
        server.start()
    except real.Missing as e:
        pytest.skip(str(e))
    with Dotstub(folder, [server], ca.file) as stub:
        yield stub, server
    server.stop()


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_every_kind(pair, transport):
    stub, _ = pair
    for name, kind in KINDS:
        want = Zone().respond(query(name, kind))
        got = stub.ask(transport, name, kind, edns=1232)
        assert texts(got) == texts(want), (name, kind)
        assert got.rcode() == want.rcode(), (name, kind)


def test_long_text(pair):
    stub, _ = pair
    assert stub.udp('long.example', 'TXT', edns=1232).flags & dns.flags.TC
    record = stub.tcp('long.example', 'TXT').answer[0][0]
    assert [s.decode() for s in record.strings] == LONG_STRINGS


def test_unknown_type(pair):
    stub, _ = pair
    got = stub.udp('private.example', 'TYPE65280')
    assert got.answer[0][0].to_digestable() == bytes([1, 2, 3, 4, 5])


def test_burst(pair):
    """200 at once from one socket: NSD 4.6.1 among others wants each query in
    a TLS record of its own."""
    stub, _ = pair
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(200)])
    assert len(answers) == 200
    for k, got in answers.items():
        assert texts(client.parse(got[0])) == [
            f'n{k}.many.example. A {many_address(k)}']


def test_pipelining(pair):
    stub, _ = pair
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k)
                 for k in range(200)])
        got = [client.parse(c.receive()) for _ in range(200)]
    assert {m.id for m in got} == set(range(200))
    assert all(m.answer for m in got)


def test_server_is_restarted(pair):
    """Its connections are gone; queries go on as soon as it is back."""
    stub, server = pair
    assert stub.udp('www.example').answer
    server.stop()
    server.start()
    wait_until(lambda: stub.udp('www.example').answer, 5, 'an answer')


def test_server_that_closes_after_few_queries(tmp_path, ca, leaf, dotstub):
    """NSD's tcp-query-count: connections end in the middle of a burst."""
    server = real.Nsd(tmp_path, leaf)
    server.settings = 'tcp-query-count: 5'
    try:
        server.start()
    except real.Missing as e:
        pytest.skip(str(e))
    with server:
        stub = dotstub([server])
        for k in range(40):
            got = stub.udp(f'n{k}.many.example')
            assert got.rcode() == dns.rcode.NOERROR and got.answer
        answers = ask_many_udp(stub.port, [
            query(f'n{k}.many.example', query_id=k) for k in range(20)])
        assert len(answers) == 20


def test_two_real_servers_one_dies(tmp_path, ca, leaf, dotstub):
    try:
        first, second = real.Nsd(tmp_path, leaf), real.Unbound(tmp_path, leaf)
        first.start()
        second.start()
    except real.Missing as e:
        pytest.skip(str(e))
    with first, second:
        stub = dotstub([first, second])
        assert stub.udp('www.example').answer
        first.stop()
        for k in range(20):
            assert stub.udp(f'n{k}.many.example').answer
