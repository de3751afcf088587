"""Several servers: the order of the file, and what happens when they fail."""
import threading
import time

import dns.rcode
import pytest

from lib import behaviours, client
from lib.behaviours import RESETS, STALLS, WRONG
from lib.cache import CALM
from lib.client import ask_many_udp, extended_errors, query, texts
from lib.process import wait_until

FAST = {'connect_timeout': '300ms', 'answer_timeout': '300ms',
        'retry_min': '50ms', 'query_timeout': '15s', 'hedge_budget': None}
WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
FAULTS = STALLS + RESETS + [behaviours.answering(w) for w in WRONG]
NAMES = [f.__name__ for f in STALLS + RESETS + WRONG]
BOTH = pytest.mark.parametrize('transport', ['udp', 'tcp'])


def test_order_of_the_file(serve, dotstub):
    first, second = serve(), serve()
    stub = dotstub([first, second], ready=[first, second], **CALM)
    for k in range(12):
        assert stub.udp(f'n{k}.many.example').answer
    assert len(first.queries) == 12 and not second.queries


def test_first_refuses_connections(serve, dotstub):
    first, second = serve(), serve()
    first.down()
    stub = dotstub([first, second], ready=[second])
    names = {f'n{k}.many.example' for k in range(20)}
    for name in names:
        assert stub.udp(name).answer
    assert names <= set(second.names()) and not first.queries


@pytest.mark.parametrize('fault', FAULTS, ids=NAMES)
@BOTH
def test_first_is_bad(serve, dotstub, fault, transport):
    """Every stall, reset and wrong answer: the second one answers."""
    first, second = serve(fault), serve()
    stub = dotstub([first, second], **FAST)
    for _ in range(3):
        assert texts(stub.ask(transport, 'www.example')) == WWW


def test_first_only_delays(serve, dotstub):
    """Slow, but alive: somebody answers in time, and only once."""
    first, second = serve(behaviours.delayed(1.0)), serve()
    stub = dotstub([first, second], ready=[first, second], hedge_budget=None,
                   query_timeout='25s')
    with client.Udp(stub.port) as c:
        assert texts(c.ask(query('www.example', query_id=5))) == WWW
        assert c.receive(1.2) is None


# ---- answers that are not believed at once

@pytest.mark.parametrize('code', ['SERVFAIL', 'REFUSED', 'NOTIMP', 'FORMERR'])
@BOTH
def test_error_of_the_first_asks_the_next(serve, dotstub, code, transport):
    first = serve(behaviours.rcode(dns.rcode.from_text(code)))
    second = serve()
    stub = dotstub([first, second], ready=[first, second])
    assert texts(stub.ask(transport, 'www.example')) == WWW
    assert first.queries and second.queries


def test_nxdomain_is_believed(serve, dotstub):
    first, second = serve(behaviours.rcode(dns.rcode.NXDOMAIN)), serve()
    stub = dotstub([first, second], ready=[first, second])
    assert stub.udp('www.example').rcode() == dns.rcode.NXDOMAIN
    assert not second.queries


@pytest.mark.parametrize('code', ['SERVFAIL', 'REFUSED', 'NOTIMP', 'FORMERR'])
def test_error_of_all_is_passed_on(serve, dotstub, code):
    """Well before the deadline: nothing else will come."""
    value = dns.rcode.from_text(code)
    servers = [serve(behaviours.rcode(value)) for _ in range(3)]
    stub = dotstub(servers, ready=servers[:1], query_timeout='1m')
    got = stub.udp('www.example')
    assert got.rcode() in (value, dns.rcode.SERVFAIL)
    assert len([s for s in servers if s.queries]) >= 2


def test_error_of_the_only_server_is_passed_on(serve, dotstub):
    server = serve(behaviours.servfail)
    stub = dotstub([server], ready=[server], query_timeout='1m')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL


# ---- other strategies

def test_round_robin(serve, dotstub):
    servers = [serve() for _ in range(3)]
    stub = dotstub(servers, ready=servers, strategy='round_robin', **CALM)
    for k in range(30):
        assert stub.udp(f'n{k}.many.example').answer
    assert [len(s.queries) for s in servers] == [10, 10, 10]


def test_race(serve, dotstub):
    """Two are asked, one answer comes."""
    servers = [serve(behaviours.delayed(0.3)), serve()]
    stub = dotstub(servers, ready=servers, strategy='race', race_width=2,
                   **CALM)
    with client.Udp(stub.port) as c:
        assert texts(c.ask(query('www.example', query_id=1))) == WWW
        assert c.receive(0.5) is None
    assert [len(s.queries) for s in servers] == [1, 1]


def test_fastest(serve, dotstub):
    servers = [serve(behaviours.delayed(0.2)), serve()]
    stub = dotstub(servers, ready=servers, strategy='fastest')
    for k in range(40):
        assert stub.udp(f'n{k}.many.example').answer
    assert len(servers[1].queries) > len(servers[0].queries)


@pytest.mark.parametrize('strategy', ['failover', 'round_robin', 'race',
                                      'fastest'])
def test_every_strategy_leaves_a_dead_server(serve, dotstub, strategy):
    dead, silent, good = serve(), serve(behaviours.stall_after_query), serve()
    dead.down()
    stub = dotstub([dead, silent, good], strategy=strategy, **FAST)
    for k in range(10):
        assert stub.udp(f'n{k}.many.example').answer


# ---- servers that die and come back

def test_dies_with_queries_in_flight(serve, dotstub):
    """They move to the next server at once."""
    first = serve(behaviours.gate(threading.Event()))
    second = serve()
    stub = dotstub([first, second], ready=[first, second],
                   answer_timeout='20s', query_timeout='25s')
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k)
                 for k in range(50)])
        first.wait(lambda s: len(s.queries) >= 50)
        first.down()
        got = [client.parse(c.receive()) for _ in range(50)]
    assert {m.id for m in got} == set(range(50))
    assert all(m.answer for m in got)


def test_comes_back(serve, dotstub):
    """Set aside, tried in the background, and first again."""
    first, second = serve(), serve()
    stub = dotstub([first, second], ready=[first, second], retry_min='50ms',
                   retry_max='200ms')
    assert stub.udp('www.example').answer
    first.down()
    for _ in range(5):
        assert stub.udp('www.example').answer
    assert second.queries
    ready = len(first.ready)
    first.up()
    first.wait(lambda s: len(s.ready) > ready)

    def is_first_again():
        before = len(first.queries)
        assert stub.udp('www.example').answer
        return len(first.queries) > before
    wait_until(is_first_again, 3, 'the first server is asked again')


def test_only_server_comes_back(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], retry_min='50ms',
                   retry_max='200ms', query_timeout='300ms')
    server.down()
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    server.up()

    def is_back():
        return stub.udp('www.example').rcode() == dns.rcode.NOERROR
    wait_until(is_back, 5, 'answers come again')


def test_query_waits_for_a_server_that_comes_back(serve, dotstub):
    """Asked while all are down, answered as soon as one is up."""
    server = serve()
    stub = dotstub([server], ready=[server], retry_min='50ms',
                   retry_max='100ms')
    server.each_open(lambda conn: conn.reset())
    assert stub.udp('www.example').answer


def test_backoff(serve, dotstub):
    """A server that resets each connection is not hammered by queries."""
    first, second = serve(behaviours.reset_accept), serve()
    stub = dotstub([first, second], ready=[second], retry_min='1s',
                   retry_max='30s')
    for k in range(300):
        assert stub.udp(f'n{k % 200}.many.example').answer
    assert len(first.connections) < 20


def test_kept_out_of_the_way(serve, dotstub):
    """A server that takes queries and says nothing gets few of them."""
    first, second = serve(behaviours.stall_after_handshake), serve()
    stub = dotstub([first, second], ready=[first, second],
                   answer_timeout='200ms', retry_min='1s')
    for k in range(100):
        assert stub.udp(f'n{k}.many.example').answer
    assert len(set(second.names()) - {'.'}) == 100
    assert len(first.queries) < 50


# ---- all down

@BOTH
def test_all_down(serve, dotstub, transport):
    """SERVFAIL by the deadline; the extended error names the servers."""
    servers = [serve(), serve()]
    for server in servers:
        server.down()
    stub = dotstub(servers, query_timeout='500ms')
    got = stub.ask(transport, 'www.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL
    errors = extended_errors(got)
    assert len(errors) == 1 and errors[0][0] in (22, 23)
    for server in servers:
        assert server.address in errors[0][1]
    assert 'refused' in errors[0][1]


def test_all_down_without_edns(serve, dotstub):
    server = serve()
    server.down()
    stub = dotstub([server], query_timeout='500ms')
    got = stub.udp('www.example')
    assert got.rcode() == dns.rcode.SERVFAIL and got.edns == -1


def test_all_stall(serve, dotstub):
    """The default deadline is under the 5 s of common stub resolvers."""
    servers = [serve(behaviours.stall_accept),
               serve(behaviours.stall_after_handshake)]
    stub = dotstub(servers)

    def took_s():
        began = time.monotonic()
        got = stub.udp('www.example', edns=1232)
        assert got.rcode() == dns.rcode.SERVFAIL
        assert extended_errors(got)[0][0] in (22, 23)
        return time.monotonic() - began
    # A machine that has other work may bring one of them late.
    assert any(took_s() < 4.9 for _ in range(4))


def test_every_query_of_a_burst_gets_servfail(serve, dotstub):
    server = serve()
    server.down()
    stub = dotstub([server], query_timeout='500ms')
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(200)])
    assert len(answers) == 200
    assert all(len(a) == 1 and a[0][3] & 15 == dns.rcode.SERVFAIL
               for a in answers.values())


def test_several_faults_at_once(serve, dotstub, ca):
    """A false one, a dead one, a silent one, a liar: the fifth answers."""
    dead = serve()
    dead.down()
    servers = [serve(leaf=ca.leaf(['false.example'])), dead,
               serve(behaviours.stall_after_query),
               serve(behaviours.answering(behaviours.wrong_name)), serve()]
    stub = dotstub(servers, **FAST)
    assert texts(stub.udp('www.example')) == WWW
    assert texts(stub.tcp('www.example')) == WWW


@pytest.mark.parametrize('faults', [
    STALLS, RESETS, FAULTS[10:], FAULTS], ids=[
        'stalls', 'resets', 'wrong', 'all'])
def test_one_good_server_at_the_end_of_a_long_list(serve, dotstub, faults):
    """One fault of each kind before it: found within a few queries."""
    stub = dotstub([*[serve(f) for f in faults], serve()], **FAST)

    def is_answered():
        got = stub.udp('www.example')
        assert texts(got) == WWW or got.rcode() == dns.rcode.SERVFAIL
        return got.answer
    wait_until(is_answered, 25, 'the good server is found')
    assert texts(stub.tcp('www.example')) == WWW
