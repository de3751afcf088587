"""Identical questions in flight cost one query upstream. The cache is off
here where it can be, so that nothing else saves queries."""
import threading

import dns.flags
import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import (any_case, asked, errors, wait_asked, wait_taken)
from lib.client import query, texts

WWW = ['192.0.2.1', '192.0.2.2']
# Time limits play no part.
PATIENT = {'query_timeout': '1m', 'answer_timeout': '1m',
           'connect_timeout': '1m'}
CD, RD = dns.flags.CD, dns.flags.RD


@pytest.fixture
def held(serve, dotstub):
    """held(**config): a server that answers nothing before the event is
    set, dotstub before it, and the event. It is set at the end, so that
    dotstub need not wait before it stops."""
    events = []

    def start(change=None, **config):
        event = threading.Event()
        events.append(event)
        server = serve(behaviours.while_set(event, change))
        stub = dotstub([server], ready=[server], **{**PATIENT, **config})
        return stub, server, event
    yield start
    for event in events:
        event.set()


class Crowd:
    """Clients that ask at the same time, each over a socket of its own."""

    def __init__(self, stub):
        self.stub = stub
        self.members = []  # connection, message

    def ask(self, transport, name, kind='A', **options):
        c = {'udp': client.Udp, 'tcp': client.Tcp}[transport](self.stub.port)
        message = query(name, kind, **options)
        c.send(message)
        self.members.append((c, message))
        return c

    def wait_taken(self):
        """Every question is in flight."""
        for c, _ in self.members:
            wait_taken(c)

    def answers(self):
        """Query, answer and its octets, of each that still wants one."""
        for c, message in self.members:
            data = c.receive()
            assert data is not None, message
            yield message, client.parse(data), data

    def leave(self, c):
        self.members = [m for m in self.members if m[0] is not c]
        c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for c, _ in self.members:
            c.close()


def addresses(response):
    return sorted(str(r) for s in response.answer for r in s)


def spelt_and_numbered(message, response):
    """The client's own ID, and its own spelling in question and owner."""
    name = message.question[0].name.to_text()
    return (response.id == message.id
            and response.question[0].name.to_text() == name
            and {s.name.to_text() for s in response.answer} <= {name})


@pytest.mark.parametrize('cache_size', [0, '1MiB'])
def test_50_clients_one_query(held, cache_size):
    """UDP and TCP, all spellings and IDs, with and without EDNS."""
    stub, server, event = held(cache_size=cache_size)
    with Crowd(stub) as crowd:
        for k in range(50):
            crowd.ask('tcp' if k % 3 == 0 else 'udp',
                      any_case('www.example', k), query_id=1000 + k,
                      edns=(None, 512, 1232, 4096)[k % 4])
        crowd.wait_taken()
        wait_asked(server, 1)
        event.set()
        for message, got, _ in crowd.answers():
            assert spelt_and_numbered(message, got)
            assert addresses(got) == WWW
            assert got.edns == message.edns
        for c, _ in crowd.members:
            if isinstance(c, client.Udp):
                assert c.receive(0.001) is None, 'a second answer'
    assert asked(server) == 1


def test_each_with_its_own_limit(held):
    """One answer of 1500 octets: cut for some, whole for others."""
    stub, server, event = held(max_udp_size=4096)
    with Crowd(stub) as crowd:
        for k in range(24):
            crowd.ask('tcp' if k % 4 == 0 else 'udp',
                      any_case('size-1500.example', k), 'TXT', query_id=k,
                      edns=(None, 512, 1232, 4096)[k // 4 % 4])
        crowd.wait_taken()
        wait_asked(server, 1)
        event.set()
        for (c, _), (message, got, data) in zip(crowd.members,
                                                crowd.answers()):
            is_tcp = isinstance(c, client.Tcp)
            is_cut = not is_tcp and message.payload < 1500
            assert spelt_and_numbered(message, got)
            assert bool(got.flags & dns.flags.TC) == is_cut
            assert bool(got.answer) != is_cut
            assert is_tcp or len(data) <= max(512, message.payload)
    assert asked(server) == 1


def test_one_client_asks_often(held):
    """Its retries over one socket: one query, an answer for each."""
    stub, server, event = held()
    with client.Tcp(stub.port) as c:
        c.send(*[query('www.example', query_id=k) for k in range(20)])
        wait_taken(c)
        wait_asked(server, 1)
        event.set()
        got = [client.parse(c.receive()) for _ in range(20)]
        assert {m.id for m in got} == set(range(20))
        assert all(addresses(m) == WWW for m in got)
    assert asked(server) == 1


@pytest.mark.parametrize('one,other', [
    ({}, {'dnssec_ok': True}), ({}, {'flags': RD | CD}),
    ({'dnssec_ok': True}, {'dnssec_ok': True, 'flags': RD | CD}),
    ({}, {'kind': 'AAAA'}), ({}, {'rdclass': 'CH'}),
    ({}, {'name': 'n1.many.example'})],
    ids=['DO', 'CD', 'DO and CD', 'type', 'class', 'name'])
def test_different_questions_stay_apart(held, one, other):
    stub, server, event = held()
    with Crowd(stub) as crowd:
        for options in (one, other, one, other):
            options = {'name': 'www.example', 'edns': 1232, **options}
            crowd.ask('udp', **options)
        crowd.wait_taken()
        wait_asked(server, 2)
        event.set()
        for message, got, _ in crowd.answers():
            assert got.question == message.question
            assert got.ednsflags == message.ednsflags
            assert got.flags & CD == message.flags & CD
    assert asked(server) == 2


@pytest.mark.parametrize('spoil', [
    lambda data: data[:10] + b'\0\1' + data[12:]
    + bytes.fromhex('00001000010000000000020178'),
    lambda data: data[:2] + bytes([data[2] & 0xfe]) + data[3:],
    lambda data: data[:3] + bytes([data[3] | 0x40]) + data[4:]],
    ids=['record of its own', 'no RD', 'Z'])
def test_uncommon_queries_are_asked_alone(held, spoil):
    """They may be signed or mean something else: an answer to one is not
    for another."""
    stub, server, event = held(cache_size=0)
    data = query('www.example', query_id=1).to_wire()
    clients = [client.Udp(stub.port) for _ in range(4)]
    try:
        for number, c in enumerate(clients):
            c.send(spoil(data) if number % 2 else data)
            wait_taken(c)
        wait_asked(server, 3)  # the two plain ones share one
        event.set()
        assert all(c.receive()[:2] == b'\0\1' for c in clients)
    finally:
        for c in clients:
            c.close()
    assert asked(server) == 3


@pytest.mark.parametrize('leaver', ['first', 'middle', 'last'])
def test_who_leaves_takes_nobody_along(held, leaver):
    """TCP clients that go while they wait; the others get their answer."""
    stub, server, event = held()
    with Crowd(stub) as crowd:
        clients = [crowd.ask('tcp', 'www.example', query_id=k)
                   for k in range(5)]
        crowd.wait_taken()
        gone = clients[{'first': 0, 'middle': 2, 'last': 4}[leaver]]
        crowd.leave(gone)
        wait_taken(crowd.members[0][0])
        event.set()
        for message, got, _ in crowd.answers():
            assert spelt_and_numbered(message, got)
            assert addresses(got) == WWW
    assert asked(server) == 1


def test_all_leave(held):
    """Nobody wants it any more; who comes then asks anew, or joins."""
    stub, server, event = held()
    with Crowd(stub) as crowd:
        clients = [crowd.ask('tcp', 'www.example') for _ in range(3)]
        crowd.wait_taken()
        for c in clients:
            c.reset()
        crowd.members = []
        crowd.ask('udp', 'www.example')
        crowd.wait_taken()
        event.set()
        for _, got, _ in crowd.answers():
            assert addresses(got) == WWW
    assert asked(server) in (1, 2)


def test_failure_is_for_all(serve, dotstub):
    """No answer in time: SERVFAIL to each, from one query upstream."""
    server = serve(behaviours.stall_after_query)
    stub = dotstub([server], ready=[server], query_timeout='2s',
                   answer_timeout='1m')
    with Crowd(stub) as crowd:
        for k in range(20):
            crowd.ask('tcp' if k % 2 else 'udp', any_case('www.example', k),
                      query_id=k, edns=1232)
        for message, got, _ in crowd.answers():
            assert spelt_and_numbered(message, got)
            assert got.rcode() == dns.rcode.SERVFAIL and errors(got)
    assert asked(server) == 1


def test_flight_ends_with_its_answer(held):
    """With the cache off, who comes after the answer asks again."""
    stub, server, event = held()
    event.set()
    for count in (1, 2, 3):
        assert addresses(stub.udp('www.example')) == WWW
        assert asked(server) == count


def test_connection_lost_with_a_flight(held):
    """It moves to another connection once for all, not once for each."""
    stub, server, event = held(connections_per_server=1, retry_min='50ms')
    with Crowd(stub) as crowd:
        for k in range(20):
            crowd.ask('udp', 'www.example', query_id=k)
        crowd.wait_taken()
        wait_asked(server, 1)
        server.each_open(lambda conn: conn.reset())
        server.wait(lambda s: asked(s) == 2)
        event.set()
        for message, got, _ in crowd.answers():
            assert spelt_and_numbered(message, got)
            assert addresses(got) == WWW
    assert asked(server) == 2


def test_many_names_many_clients(held):
    """20 names, each asked by 10 clients in a mixed order: 20 queries."""
    stub, server, event = held()
    with Crowd(stub) as crowd:
        for k in range(200):
            crowd.ask('udp', f'n{k % 20}.many.example', query_id=k)
        crowd.wait_taken()
        wait_asked(server, 20)
        event.set()
        for message, got, _ in crowd.answers():
            k = int(message.question[0].name.labels[0][1:])
            assert texts(got) == [f'n{k}.many.example. A 198.18.0.{k}']
    assert asked(server) == 20
