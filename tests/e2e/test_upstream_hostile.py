"""What a DoT server can do wrong, alone in the file: its client gets the right
answer as soon as one connection behaves, else SERVFAIL by the deadline, and
never a made-up answer."""
import asyncio

import dns.rcode
import pytest

from lib import behaviours, client, dotd
from lib.behaviours import RESETS, STALLS, WRONG, serve as good
from lib.cache import CALM
from lib.client import ask_many_udp, query, texts
from lib.process import wait_until
from lib.zone import many_address

FAST = {'connect_timeout': '300ms', 'answer_timeout': '300ms',
        'retry_min': '50ms', 'query_timeout': '15s',
        'connections_per_server': 1, 'hedge_budget': None}
WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
CLOSES = [behaviours.close_after_query, behaviours.close_without_notify,
          behaviours.close_mid_frame]
FAULTS = STALLS + RESETS + CLOSES + [behaviours.answering(w) for w in WRONG]
NAMES = [f.__name__ for f in STALLS + RESETS + CLOSES + WRONG]

every_fault = pytest.mark.parametrize('fault', FAULTS, ids=NAMES)


@every_fault
def test_first_connection_is_bad(serve, dotstub, fault):
    """The second is good: the query that met the first is answered."""
    server = serve([fault, good])
    stub = dotstub([server], **FAST)
    assert texts(stub.udp('www.example')) == WWW
    assert texts(stub.tcp('www.example')) == WWW


@every_fault
def test_every_connection_is_bad(serve, dotstub, fault):
    """SERVFAIL by the deadline, or nothing but the truth; still alive."""
    server = serve(fault)
    stub = dotstub([server], **{**FAST, 'query_timeout': '600ms'})
    got = stub.udp('www.example')
    assert got.rcode() == dns.rcode.SERVFAIL and not got.answer
    got = stub.tcp('www.example')
    assert got.rcode() == dns.rcode.SERVFAIL and not got.answer


@every_fault
def test_burst_meets_a_bad_connection(serve, dotstub, fault):
    """Every query in flight when it breaks is answered exactly once."""
    server = serve([fault, good])
    stub = dotstub([server], **FAST)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(50)])
    assert len(answers) == 50
    for k, got in answers.items():
        assert len(got) == 1
        assert texts(client.parse(got[0])) == [
            f'n{k}.many.example. A {many_address(k)}']


# ---- right answers in odd wrappings

@pytest.mark.parametrize('size', list(range(1, 46)))
def test_answer_cut_at_every_octet(serve, dotstub, size):
    """In two or more TLS records."""
    stub = dotstub([serve(behaviours.cut_at(size))])
    assert stub.udp('only4.example').answer


@pytest.mark.parametrize('size', [1, 2, 3, 5, 7, 11, 40])
def test_records_cut_into_segments(serve, dotstub, size):
    stub = dotstub([serve(behaviours.segments_of(size))])
    assert stub.udp('only4.example').answer


@pytest.mark.parametrize('count', [2, 10, 100])
def test_answers_coalesced(serve, dotstub, count):
    """Many answers in one TLS record, last query first."""
    server = serve(behaviours.batch(count))
    stub = dotstub([server], ready=[server], connections_per_server=1, **CALM)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(count)])
    assert len(answers) == count
    for k, got in answers.items():
        assert texts(client.parse(got[0])) == [
            f'n{k}.many.example. A {many_address(k)}']


def test_coalesced_and_cut(serve, dotstub):
    """A stream of frames, in records that end anywhere."""
    async def script(conn):
        await conn.handshake()
        queries = [await conn.query() for _ in range(20)]
        data = b''.join(dotd.frame(conn.answer_to(q)) for q in queries)
        await conn.send_pieces(data[i:i + 33] for i in range(0, len(data),
                                                             33))
        await conn.stall()
    server = serve(script)
    stub = dotstub([server], ready=[server], connections_per_server=1, **CALM)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(20)])
    assert len(answers) == 20


def test_largest_answers_interleaved(serve, dotstub):
    stub = dotstub([serve()], **CALM)
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'size-{65535 - k}.example', 'TXT', query_id=k)
                 for k in range(20)])
        got = [c.receive() for _ in range(20)]
    assert all(len(data) > 65000 for data in got)


def test_every_answer_twice(serve, dotstub):
    stub = dotstub([serve(behaviours.twice)], **FAST)
    for k in range(20):
        got = stub.udp(f'n{k}.many.example')
        assert texts(got) == [f'n{k}.many.example. A {many_address(k)}']


def test_unasked_answers(serve, dotstub):
    """They may cost the connection, never an answer."""
    server = serve([behaviours.unasked, good])
    stub = dotstub([server], **FAST)
    for k in range(20):
        got = stub.udp(f'n{k}.many.example')
        assert texts(got) == [f'n{k}.many.example. A {many_address(k)}']


def test_answer_for_another_connection(serve, dotstub):
    """ID and question fit, but the query went over the other connection."""
    async def silent(conn):
        await conn.handshake()
        conn.server.asked = await conn.query()
        await conn.stall()

    async def liar(conn):
        """Answers, unasked, what it knows the other one was asked."""
        await conn.handshake()
        while not hasattr(conn.server, 'asked'):
            await asyncio.sleep(0.005)
        false = conn.answer_to(conn.server.asked).replace(
            b'\xc0\x00\x02', b'\xc6\x33\x64')
        await conn.send(false)
        await conn.stall()
    server = serve([silent, liar, good])
    stub = dotstub([server], **{**FAST, 'connections_per_server': 2})
    got = stub.udp('www.example')
    assert texts(got) == WWW or got.rcode() == dns.rcode.SERVFAIL


def test_counts_that_lie(serve, dotstub):
    """ANCOUNT 65,535 and one record: passed on as it is, or refused."""
    stub = dotstub([serve(behaviours.answering(behaviours.counts_lie))],
                   **{**FAST, 'query_timeout': '600ms'})
    with client.Udp(stub.port) as c:
        assert c.ask_raw(query('www.example')) is not None


def test_close_while_the_client_writes(serve, dotstub):
    """Closed with unread queries in the socket: the kernel sends RST."""
    async def script(conn):
        await conn.handshake()
        await conn.query()
        await conn.close()
    server = serve([script, script, good])
    stub = dotstub([server], ready=[server], **FAST)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(300)])
    assert len(answers) == 300
    assert all(client.parse(a[0]).answer for a in answers.values())


@pytest.mark.parametrize('count', [1, 2, 7])
def test_server_closes_after_a_few_queries(serve, dotstub, count):
    """As some public servers do: no query is lost at the seam."""
    server = serve(behaviours.close_after(count))
    stub = dotstub([server], retry_min='50ms')
    for k in range(30):
        got = stub.udp(f'n{k}.many.example')
        assert texts(got) == [f'n{k}.many.example. A {many_address(k)}']


def test_burst_over_connections_that_close(serve, dotstub):
    server = serve(behaviours.close_after(10))
    stub = dotstub([server], retry_min='50ms')
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(60)])
    assert len(answers) == 60
    assert all(client.parse(a[0]).answer for a in answers.values())


def test_idle_close(serve, dotstub):
    """The server closes all; the next query notices nothing."""
    server = serve()
    stub = dotstub([server], ready=[server])
    for _ in range(5):
        assert stub.udp('www.example').answer
        server.each_open(lambda conn: conn.close())


def test_idle_reset(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server])
    for _ in range(5):
        assert stub.udp('www.example').answer
        server.each_open(lambda conn: conn.reset())


@pytest.mark.parametrize('length', [1, 2])
def test_fresh_connections_that_die_in_a_row(serve, dotstub, length):
    """Each takes the query and dies; the last one answers."""
    server = serve([behaviours.reset_after_query] * length + [good])
    stub = dotstub([server], retry_min='10ms', retry_max='100ms')
    assert texts(stub.udp('www.example')) == WWW


@pytest.mark.parametrize('length', [5, 10])
def test_server_that_kills_many_connections(serve, dotstub, length):
    """The query may be what kills them: SERVFAIL is fair. Once one connection
    lives, all is well again."""
    server = serve([behaviours.reset_after_query] * length + [good])
    stub = dotstub([server], retry_min='10ms', retry_max='100ms')

    def is_answered():
        got = stub.udp('www.example')
        assert texts(got) == WWW or got.rcode() == dns.rcode.SERVFAIL
        return got.answer
    wait_until(is_answered, 6, 'it answers again')


@pytest.mark.parametrize('count', [2, 8, 16])
def test_stale_connections_in_a_row(serve, dotstub, count):
    """They were good, were idle, and each dies of the next query."""
    async def once(conn):
        await conn.handshake()
        first = await conn.query()
        conn.server.wait_for = getattr(conn.server, 'wait_for', 0) + 1
        while conn.server.wait_for < count:  # so that all are open
            await asyncio.sleep(0.005)
        await conn.answer(first)
        await conn.query()
        conn.reset()
    server = serve([once] * count + [good])
    stub = dotstub([server], ready=[server], connections_per_server=count,
                   queries_per_connection=1, **CALM)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(count)])
    assert len(answers) == count
    assert len(server.open) == count
    assert texts(stub.udp('www.example')) == WWW


def test_garbage_in_place_of_tls(serve, dotstub):
    async def script(conn):
        await conn.send_raw(b'\x00' * 500)
        await conn.stall()
    server = serve([script, good])
    assert texts(dotstub([server], **FAST).udp('www.example')) == WWW


def test_plain_dns_in_place_of_tls(serve, dotstub):
    """A server that speaks DNS over TCP on this port gets no query."""
    async def script(conn):
        data = query('www.example').to_wire()
        await conn.send_raw(dotd.frame(data))
        await conn.read()
    server = serve(script)
    stub = dotstub([server], **{**FAST, 'query_timeout': '600ms'})
    got = stub.udp('www.example')
    assert got.rcode() == dns.rcode.SERVFAIL
    assert all(b'\x03www\x07example' not in c.raw
               for c in server.connections)


def test_flipped_bit_in_a_record(serve, dotstub):
    """The authentication tag fails: never an answer."""
    async def script(conn):
        await conn.handshake()
        q = await conn.query()
        data = bytearray(conn.encrypt(dotd.frame(conn.answer_to(q))))
        data[-20] ^= 1
        await conn.send_raw(bytes(data))
        await conn.stall()
    server = serve([script, good])
    assert texts(dotstub([server], **FAST).udp('www.example')) == WWW


def test_endless_answers(serve, dotstub):
    """A flood nobody asked for neither fills memory nor stops the rest."""
    async def script(conn):
        await conn.handshake()
        q = await conn.query()
        answer = conn.answer_to(q)
        flood = dotd.frame(b'\x99\x99' + answer[2:]) * 100
        while True:
            await conn.send_plain(flood)
    server = serve([script, good])
    assert texts(dotstub([server], **FAST).udp('www.example')) == WWW


# ---- versions, keys

@pytest.mark.parametrize('kind', ['rsa', 'ec', 'ec384'])
@pytest.mark.parametrize('version', [dotd.TLS12, dotd.TLS13])
def test_versions_and_keys(serve, dotstub, ca, kind, version):
    server = serve(leaf=ca.leaf(kind=kind), versions=(version, version))
    stub = dotstub([server], ready=[server])
    assert texts(stub.udp('www.example')) == WWW
    assert len({c.version for c in server.ready}) == 1
    assert server.ready[0].version == version.name.replace('_', '.')


@pytest.mark.parametrize('version', [dotd.TLS12, dotd.TLS13])
def test_answer_cut_at_odd_sizes_in_each_version(serve, dotstub, version):
    server = serve(behaviours.segments_of(3), versions=(version, version))
    stub = dotstub([server], ready=[server])
    assert texts(stub.udp('www.example')) == WWW
    assert stub.tcp('size-9000.example', 'TXT').answer
