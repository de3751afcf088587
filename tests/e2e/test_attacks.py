"""Attacks that take little of the attacker: a client's huge or many queries,
idle clients that hold descriptors, a server that drips, clients that leave.
The program lives, and others are served."""
import asyncio
import threading

import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import CALM, ON, asked, is_stale
from lib.client import framed, query, texts
from lib.process import PATIENCE_S, wait_until

WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
RECORD_HEAD_LEN = 11  # root, type, class, TTL, length


def large_query(name, size, query_id):
    """A query of this size: what is left is one or two records of a type
    that nobody knows, in its additional section."""
    wire = bytearray(query(name, query_id=query_id).to_wire())
    left = size - len(wire)
    count = 0
    while left > 0:
        length = min(left - RECORD_HEAD_LEN, 30000)
        if 0 < left - RECORD_HEAD_LEN - length < RECORD_HEAD_LEN:
            length -= RECORD_HEAD_LEN
        wire += b'\0' + (65300).to_bytes(2, 'big') + b'\0\1' + bytes(4)
        wire += length.to_bytes(2, 'big') + bytes(length)
        left -= RECORD_HEAD_LEN + length
        count += 1
    wire[10:12] = count.to_bytes(2, 'big')
    assert len(wire) == size
    return bytes(wire)


def still_serves(stub):
    assert texts(stub.udp('www.example')) == WWW
    assert texts(stub.tcp('www.example')) == WWW
    assert stub.process.is_running()


def assert_no_connection_lost(stub):
    for sign in ('a bound was reached', 'connection lost'):
        assert sign not in stub.log()


# ---- huge queries

@pytest.mark.parametrize('size', [16383, 16384, 16400, 20000, 65400, 65535])
def test_query_longer_than_a_record(straight, size):
    """More than a TLS record takes (RFC 8446 section 5.1): it is answered,
    the longest, which leave no place for our OPT, at least with an error."""
    stub, server = straight
    with client.Tcp(stub.port) as c:
        got = c.ask(large_query('only4.example', size, 77))
    assert got.id == 77
    if size < 65000:
        assert texts(got) == ['only4.example. A 192.0.2.4']
    still_serves(stub)
    assert len(server.connections) <= 2  # one, and the spare of an only server
    assert_no_connection_lost(stub)


def push_at_once(stub, streams):
    """Send each stream of octets over its client, as much as the kernel
    takes before dotstub reads any of it, the rest from a thread each."""
    threads = []
    with stub.process.standing_still():
        for c, data in streams:
            c.sock.setblocking(False)
            sent = c.sock.send(data)
            c.sock.settimeout(PATIENCE_S)
            threads.append(threading.Thread(target=c.send_raw,
                                            args=[data[sent:]]))
    for thread in threads:
        thread.start()
    return threads


def test_many_huge_queries(serve, dotstub):
    """24 clients push 384 queries of 15.5 KB, nearly 6 MB, far more in one
    turn than a connection to the server takes: they get an answer or
    SERVFAIL, an ordinary client its answers, and the connection lives."""
    server = serve()
    stub = dotstub([server], ready=[server], connections_per_server=1, **CALM)
    clients = [client.Tcp(stub.port) for _ in range(24)]
    each = 16
    rcodes = []

    def drain(c):
        got = [client.parse(c.receive()) for _ in range(each)]
        assert {m.id for m in got} == set(range(each))
        rcodes.extend(m.rcode() for m in got)
    streams = [(c, b''.join(
        framed(large_query(f'n{each * number + k}.many.example', 15500, k))
        for k in range(each))) for number, c in enumerate(clients)]
    threads = [threading.Thread(target=drain, args=[c]) for c in clients]
    try:
        threads += push_at_once(stub, streams)
        for thread in threads[:len(clients)]:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert stub.udp('www.example').rcode() == dns.rcode.NOERROR
    finally:
        for c in clients:
            c.close()
    assert len(rcodes) == len(clients) * each
    assert set(rcodes) <= {dns.rcode.NOERROR, dns.rcode.SERVFAIL}
    still_serves(stub)
    assert len(server.connections) == 1
    assert_no_connection_lost(stub)


def test_huge_queries_are_bounded(serve, dotstub):
    """4 MiB of them may be on their way; what is over that has SERVFAIL at
    once, and small queries pass."""
    fitting = (4 << 20) // 65000
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], **CALM)
    with client.Tcp(stub.port) as c:
        c.send(*[large_query(f'n{k}.many.example', 65000, k)
                 for k in range(80)])
        refused = [client.parse(c.receive()) for _ in range(80 - fitting)]
        assert {m.rcode() for m in refused} == {dns.rcode.SERVFAIL}
        with client.Udp(stub.port) as small:
            small.send(query('www.example'))
            server.wait(lambda s: 'www.example' in s.names())
        gate.set()
        good = [client.parse(c.receive()) for _ in range(fitting)]
    assert {m.rcode() for m in good} == {dns.rcode.NOERROR}
    assert {m.id for m in refused + good} == set(range(80))
    still_serves(stub)


# ---- descriptors

def test_idle_clients_leave_descriptors_to_servers(serve, dotstub):
    """120 clients that hold all there is: the way to a server that comes
    back needs one, and has it."""
    server = serve()
    stub = dotstub([server], ready=[server], **CALM, retry_min='50ms',
                   retry_max='100ms', tcp_max_clients_per_address=1000,
                   prefix=['prlimit', '--nofile=64:64'])
    assert 'open files are limited to 64: a worker takes' in stub.log()
    clients = [client.Tcp(stub.port) for _ in range(120)]
    try:
        assert stub.udp('n1.many.example').answer
        server.down()
        server.up()
        assert stub.udp('n2.many.example').answer
        assert texts(stub.udp('www.example')) == WWW
    finally:
        for c in clients:
            c.close()
    still_serves(stub)


# ---- servers that keep a connection busy

async def drip(conn):
    """Octets of an answer that never ends, more often than answer_timeout."""
    await conn.handshake()

    async def drop():
        await conn.send_plain(b'\xff\xff')
        while True:
            await conn.send_plain(b'\0')
            await asyncio.sleep(0.1)
    dripping = asyncio.create_task(drop())
    try:
        while True:
            await conn.query()
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


def test_server_that_drips_is_set_aside(serve, dotstub):
    """Octets are no answers: the first server is suspect like a silent one,
    new queries pass it by, and the connection is given up."""
    first, second = serve(drip), serve()
    # Longer than the second may stand still.
    stub = dotstub([first, second], ready=[first, second],
                   answer_timeout='2s', query_timeout='25s',
                   retry_min='1m', retry_max='1m')

    def passes_it_by():
        before = asked(first)
        assert texts(stub.udp('www.example')) == WWW
        return asked(first) == before
    wait_until(passes_it_by, 3,
               'the server that drips is passed by')
    first.wait(lambda s: s.connections[0].is_closed, what='it is given up')
    before = asked(first)
    for k in range(10):
        assert stub.udp(f'n{k}.many.example').answer
    assert asked(first) == before


# ---- clients that leave, refreshes without end

def test_refreshes_beyond_their_bound(serve, dotstub):
    """300 expired names, a silent server, more refreshes than there may be:
    each client has its stale answer."""
    is_answering = threading.Event()
    is_answering.set()

    def change(message):
        for rrset in message.answer:
            rrset.ttl = 1
    server = serve(behaviours.while_set(is_answering, change))
    stub = dotstub([server], ready=[server], **ON, query_timeout='1m',
                   answer_timeout='1m', stale_answer_after='400ms')
    names = [f'n{k}.many.example' for k in range(300)]

    def ask_all(**options):
        got = client.ask_many_udp(stub.port, [
            query(name, query_id=k, edns=1232, **options)
            for k, name in enumerate(names)])
        assert sorted(got) == list(range(300))
        return [client.parse(data) for (data,) in got.values()]
    assert all(m.answer for m in ask_all())
    is_answering.clear()
    wait_until(lambda: all(m.rcode() == dns.rcode.REFUSED
                           for m in ask_all(flags=0)), 3, 'the end of TTLs')
    for m in ask_all():
        assert is_stale(m) and m.answer
    for m in ask_all():
        assert is_stale(m) and m.answer
    is_answering.set()
    still_serves(stub)


@pytest.mark.parametrize('count', [100, 128])
def test_clients_reset_with_queries_in_flight(serve, dotstub, count):
    """Pipelined queries that nobody answers, then RST, which is seen at once
    or, where tcp_max_queries_per_client is reached, with the first answer:
    others, of the same names too, have their answers."""
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], **CALM)
    with client.Tcp(stub.port) as other:
        other.send(*[query(f'n{k}.many.example', query_id=k)
                     for k in range(4)])
        server.wait(lambda s: len(s.queries) == 4)
        for start in range(0, 5 * count, count):
            c = client.Tcp(stub.port)
            c.send(*[query(f'n{start + k}.many.example', query_id=k)
                     for k in range(count)])
            server.wait(lambda s, end=start + count: len(s.queries) == end)
            c.reset()
        gate.set()
        assert {client.parse(other.receive()).id for _ in range(4)} == {
            0, 1, 2, 3}
    still_serves(stub)
