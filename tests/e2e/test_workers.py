"""Several workers: one cache, one query upstream for what two of them are
asked, one process in bounded memory."""
import os
import threading
import time

import dns.flags
import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import (STALE, any_case, asked, errors, ttl, wait_asked,
                       wait_gone, wait_taken)
from lib.client import query, texts
from lib.process import PATIENCE_S, wait_until

WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
# One connection a worker: the server sees which worker asks.
TWO = {'workers': 2, 'connections_per_server': 1, 'query_timeout': '1m',
       'answer_timeout': '1m', 'connect_timeout': '1m'}


@pytest.fixture
def two(serve, dotstub):
    """two(script, **config): a server and dotstub with two workers, both of
    them connected. A pair."""
    def start(script=behaviours.serve, **config):
        server = serve(script)
        stub = dotstub([server], **{**TWO, 'cache_size': '1MiB', **config})
        server.wait_ready(2)
        return stub, server
    return start


@pytest.fixture
def held(two):
    """As two, with a server that answers nothing before the event is set."""
    events = []

    def start(is_set=False, change=None, **config):
        event = threading.Event()
        events.append(event)
        if is_set:
            event.set()
        return (*two(behaviours.while_set(event, change), **config), event)
    yield start
    for event in events:
        event.set()


def one_client_of_each(stub, server, transport):
    """Two clients that the kernel gave to different workers, in the order of
    the workers' connections to the server."""
    found = {}
    for number in range(64):
        c = {'udp': client.Udp, 'tcp': client.Tcp}[transport](stub.port)
        name = f'n{number + 1000}.many.example'
        assert c.ask(query(name)).answer
        worker = next(q.conn.number for q in server.queries
                      if q.name == name)
        if worker in found:
            c.close()
            continue
        found[worker] = c
        if len(found) == 2:
            return [found[w] for w in sorted(found)]
    raise AssertionError('all 64 clients came to one worker')


# ---- threads

@pytest.mark.parametrize('workers', [1, 2, 3])
def test_one_thread_for_each_worker(serve, dotstub, workers):
    server = serve()
    stub = dotstub([server], ready=[server], workers=workers)
    assert stub.udp('www.example').answer
    wait_until(lambda: len(os.listdir(f'/proc/{stub.pid}/task'))
               == workers + 1, 3, 'workers + 1 threads')
    assert f'{workers} worker{"s" if workers > 1 else ""}' in stub.log()


def test_auto_is_within_the_processors(serve, dotstub):
    """Of those that the process may use, at most 4."""
    server = serve()
    cpu = str(min(os.sched_getaffinity(0)))
    stub = dotstub([server], ready=[server], workers='auto',
                   prefix=['taskset', '-c', cpu])
    assert '; 1 worker\n' in stub.log()
    stub = dotstub([server], ready=[server], workers='auto')
    count = int(stub.log().rsplit('; ', 1)[1].split()[0])
    assert 1 <= count <= min(4, len(os.sched_getaffinity(0)))


# ---- one cache

@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_cache_is_shared(two, transport):
    """Filled by one client, hit by 50 others from other ports."""
    stub, server = two()
    assert texts(stub.udp('www.example')) == WWW
    for number in range(50):
        got = stub.ask(transport, any_case('www.example', number))
        assert len(texts(got)) == 2
    assert asked(server) == 1
    # They did come to both workers: names of their own do.
    for c in one_client_of_each(stub, server, transport):
        assert texts(c.ask(query('www.example'))) == WWW
        c.close()
    assert asked(server, 'www.example') == 1


def test_stale_and_failures_are_shared(two):
    """What one worker learned of a name, the other one knows."""
    state = {'rcode': 0}

    def change(message):
        for rrset in message.answer:
            rrset.ttl = 1
        if state['rcode']:
            message.answer = []
            message.set_rcode(state['rcode'])
    stub, server = two(behaviours.changing(change), failure_ttl='1m')
    clients = one_client_of_each(stub, server, 'udp')
    assert clients[0].ask(query('only4.example')).answer
    wait_gone(stub, 'only4.example')
    state['rcode'] = dns.rcode.SERVFAIL
    for c in clients:
        got = c.ask(query('only4.example', edns=1232))
        assert texts(got) and errors(got) == [STALE]
        assert c.ask(query('www.example')).rcode() == dns.rcode.SERVFAIL
    assert asked(server, 'only4.example') == 2
    assert asked(server, 'www.example') == 1
    for c in clients:
        c.close()


# ---- one query upstream

@pytest.mark.parametrize('cache_size', ['1MiB', 0])
@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_50_clients_one_query(held, transport, cache_size):
    """From 50 ports, so of both workers; the cache may be off."""
    stub, server, event = held(cache_size=cache_size)
    kind = {'udp': client.Udp, 'tcp': client.Tcp}[transport]
    clients = [kind(stub.port) for _ in range(50)]
    try:
        for number, c in enumerate(clients):
            c.send(query(any_case('www.example', number), query_id=number,
                         edns=(None, 512, 1232)[number % 3]))
        for c in clients:
            wait_taken(c)
        wait_asked(server, 1)
        event.set()
        for number, c in enumerate(clients):
            got = client.parse(c.receive())
            name = any_case('www.example', number) + '.'
            assert got.id == number and len(texts(got)) == 2
            assert got.question[0].name.to_text() == name
            assert got.edns == (0 if number % 3 else -1)
    finally:
        for c in clients:
            c.close()
    assert asked(server) == 1


def test_large_answer_crosses(held):
    """From worker to worker, to each client what fits it."""
    stub, server, event = held(is_set=True, cache_size=0)
    clients = one_client_of_each(stub, server, 'tcp')
    event.clear()
    name = 'size-65000.example'
    for c in clients:
        c.send(query(name, 'TXT', query_id=5))
        wait_taken(c)
    event.set()
    first, second = (c.receive() for c in clients)
    assert first == second and len(first) > 64900
    assert asked(server, name) == 1
    for c in clients:
        c.close()


@pytest.mark.parametrize('options', [
    {'dnssec_ok': True}, {'flags': dns.flags.RD | dns.flags.CD}],
    ids=['DO', 'CD'])
def test_different_questions_stay_apart(held, options):
    stub, server, event = held(is_set=True)
    clients = one_client_of_each(stub, server, 'udp')
    event.clear()
    before = asked(server)
    clients[0].send(query('www.example', edns=1232))
    clients[1].send(query('www.example', edns=1232, **options))
    for c in clients:
        wait_taken(c)
    wait_asked(server, before + 2)
    event.set()
    for c in clients:
        assert texts(client.parse(c.receive())) == WWW
        c.close()


@pytest.mark.parametrize('leads', [0, 1])
def test_leader_leaves(held, leads):
    """Its client goes; the other worker's has its answer all the same."""
    stub, server, event = held(is_set=True)
    clients = one_client_of_each(stub, server, 'tcp')
    leader, follower = clients[leads], clients[1 - leads]
    event.clear()
    leader.send(query('www.example'))
    server.wait(lambda s: asked(s, 'www.example') == 1)
    follower.send(query('WWW.example', query_id=9))
    wait_taken(follower)
    assert asked(server, 'www.example') == 1
    leader.reset()
    server.wait(lambda s: asked(s, 'www.example') == 2)
    event.set()
    got = client.parse(follower.receive())
    assert got.id == 9 and len(texts(got)) == 2
    assert got.question[0].name.to_text() == 'WWW.example.'
    asking = [q.conn.number for q in server.queries
              if q.name.lower() == 'www.example']
    assert asking[0] != asking[1]
    follower.close()


def test_leader_fails(two):
    """Its query is lost for good; the follower asks by itself, and gets
    what its own connection brings."""
    def script(conn):
        """The connection that asks for www first never answers that."""
        return (behaviours.dropping(
            lambda _, q: q.name == 'www.example'
            and next(p for p in conn.server.queries
                     if p.name == 'www.example').conn is conn))(conn)
    stub, server = two(script, query_timeout='6s', cache_size=0)
    leader, follower = one_client_of_each(stub, server, 'udp')
    leader.send(query('www.example'))
    server.wait(lambda s: asked(s, 'www.example') == 1)
    time.sleep(3)  # the follower's own deadline is later than the leader's
    follower.send(query('www.example', edns=1232))
    wait_taken(follower)
    assert client.parse(leader.receive()).rcode() == dns.rcode.SERVFAIL
    assert texts(client.parse(follower.receive())) == WWW
    assert asked(server, 'www.example') == 2
    leader.close()
    follower.close()


def test_refresh_is_for_all_workers(held):
    """A stale answer at both, one query upstream for a fresh one."""
    ttls = [1]

    def change(message):
        for rrset in message.answer:
            rrset.ttl = ttls[-1]
    stub, server, event = held(True, change, stale_answer_after='100ms')
    clients = one_client_of_each(stub, server, 'udp')
    assert clients[0].ask(query('only4.example')).answer
    wait_gone(stub, 'only4.example')
    event.clear()
    ttls.append(200)
    for c in clients:
        got = c.ask(query('only4.example', edns=1232))
        assert errors(got) == [STALE]
    server.wait(lambda s: asked(s, 'only4.example') == 2)
    event.set()
    for c in clients:
        wait_until(lambda c=c: ttl(c.ask(query('only4.example'))) > 100, 5,
                   'the fresh answer')
        c.close()
    assert asked(server, 'only4.example') == 2


# ---- bounds

def resident_kib(stub):
    """0 under AddressSanitizer, which keeps what was freed."""
    with open(f'/proc/{stub.pid}/status') as f:
        fields = dict(line.split(':', 1) for line in f)
    if int(fields['VmSize'].split()[0]) > 1 << 32:
        return 0
    return int(fields['VmRSS'].split()[0])


def ask_names(stub, first, count, window=200):
    """Ask for so many names of their own; octets in, octets out."""
    head = bytes.fromhex('01000001000000000000')
    tail = b'\4many\7example\0\0\1\0\1'
    with client.Udp(stub.port) as c:
        c.sock.settimeout(PATIENCE_S)
        send, receive = c.sock.send, c.sock.recv
        for begin in range(first, first + count, window):
            for k in range(begin, begin + window):
                label = b'n%d' % k
                send(b'%c%c' % (k >> 8 & 255, k & 255) + head
                     + bytes([len(label)]) + label + tail)
            for _ in range(window):
                assert receive(512)[3] & 15 == 0


def test_memory_is_bounded(serve, dotstub):
    """100,000 names against 4 MiB.

    All that is not the cache (connections, queries in flight) has grown to
    its size in the first 2,000 names. From then on what comes is the
    cache's: 4 MiB, which it keeps to within 5 %, and 512 KiB for what
    malloc makes of the rest. Without a bound it would be over 9 MiB."""
    server = serve(behaviours.bulk)
    stub = dotstub([server], ready=[server], cache_size='4MiB',
                   query_timeout='25s')
    ask_names(stub, 0, 2000)
    before = resident_kib(stub)
    ask_names(stub, 2000, 98000)
    grown = resident_kib(stub) - before
    assert grown <= 4096 * 1.05 + 512
    assert before == 0 or grown > 2048, 'was anything kept?'
    time.sleep(1)
    assert resident_kib(stub) - before <= grown + 64, 'it grew while idle'
    assert stub.udp('n99999.many.example').answer
    assert stub.tcp('www.example').answer
    assert stub.udp('n99999.many.example', flags=0).answer
