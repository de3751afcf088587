"""Clients over UDP: every kind of answer, bursts, sizes, addresses."""
import random

import dns.flags
import dns.rcode
import pytest

from lib import client
from lib.client import ask_many_udp, query, texts
from lib.zone import Zone, many_address

KINDS = [('www.example', 'A'), ('www.example', 'AAAA'), ('hop1.example', 'A'),
         ('hop1.example', 'AAAA'), ('mail.example', 'MX'),
         ('mid.example', 'TXT'), ('srv.example', 'SRV'),
         ('caa.example', 'CAA'), ('example', 'SOA'),
         ('missing.example', 'A'), ('only4.example', 'AAAA')]


@pytest.mark.parametrize('name,kind', KINDS)
def test_answer_is_the_servers(straight, name, kind):
    stub, _ = straight
    want = Zone().respond(query(name, kind))
    got = stub.udp(name, kind, edns=1232)
    assert texts(got) == texts(want)
    assert got.rcode() == want.rcode()
    assert got.authority == want.authority
    assert got.flags & dns.flags.QR


def test_burst_of_256_from_one_socket(straight):
    """One answer each, no more, each the right one."""
    stub, server = straight
    messages = [query(f'n{k}.many.example', query_id=k) for k in range(256)]
    answers = ask_many_udp(stub.port, messages)
    assert len(answers) == 256
    for k, got in answers.items():
        assert len(got) == 1
        assert texts(client.parse(got[0])) == [
            f'n{k}.many.example. A {many_address(k)}']
    assert len(set(server.names()) - {'.'}) == 256


def test_many_sockets_with_the_same_id(straight):
    """The client's ID is the client's own affair."""
    stub, _ = straight
    clients = [client.Udp(stub.port) for _ in range(50)]
    try:
        for k, c in enumerate(clients):
            c.send(query(f'n{k}.many.example', query_id=7))
        for k, c in enumerate(clients):
            got = client.parse(c.receive())
            assert got.id == 7
            assert texts(got) == [f'n{k}.many.example. A {many_address(k)}']
    finally:
        for c in clients:
            c.close()


def test_same_query_twice_from_one_socket(straight):
    """Same ID, same question: one answer for each that was sent."""
    stub, _ = straight
    with client.Udp(stub.port) as c:
        for _ in range(3):
            c.send(query('www.example', query_id=99))
        assert all(client.parse(c.receive()).id == 99 for _ in range(3))
        assert c.receive(0.05) is None


def test_answers_come_when_they_are_ready(serve, dotstub):
    """A slow answer holds up no other."""
    from lib.behaviours import dropping
    server = serve(dropping(lambda n, q: q.name.startswith('n0.')))
    stub = dotstub([server], ready=[server], answer_timeout='3s')
    with client.Udp(stub.port) as c:
        for k in range(3):
            c.send(query(f'n{k}.many.example', query_id=k))
        got = {client.parse(c.receive()).id for _ in range(2)}
        assert got == {1, 2}


# ---- what does not fit

@pytest.mark.parametrize('edns,limit', [
    (None, 512), (512, 512), (600, 600), (100, 512), (1232, 1232),
    (4096, 1232)])
def test_size_limit(straight, edns, limit):
    """min(the client's size or 512, our 1232): whole up to it, TC above."""
    stub, _ = straight
    own_opt = 11 if edns is not None else 0
    for size in (limit - 30, limit + own_opt + 200):
        with client.Udp(stub.port) as c:
            data = c.ask_raw(query(f'size-{size}.example', 'TXT', edns=edns))
        got = client.parse(data)
        is_over = size > limit
        assert bool(got.flags & dns.flags.TC) == is_over, (size, limit)
        assert len(data) <= limit
        assert bool(got.answer) != is_over


def test_exactly_at_the_limit(straight):
    stub, _ = straight
    with client.Udp(stub.port) as c:
        data = c.ask_raw(query('size-523.example', 'TXT'))
        # 512 octets and an OPT record of 11 that this client did not ask for
        assert len(data) <= 512
        assert not client.parse(data).flags & dns.flags.TC
        data = c.ask_raw(query('size-524.example', 'TXT'))
        assert client.parse(data).flags & dns.flags.TC


def test_truncated_keeps_question_and_opt(straight):
    stub, _ = straight
    got = stub.udp('LONG.example', 'TXT', edns=1232)
    assert got.flags & dns.flags.TC
    assert got.question[0].name.to_text() == 'LONG.example.'
    assert not got.answer and not got.authority
    assert got.edns == 0
    without = stub.udp('long.example', 'TXT')
    assert without.flags & dns.flags.TC and without.edns == -1


def test_max_udp_size_is_configurable(serve, dotstub):
    server = serve()
    stub = dotstub([server], max_udp_size=4096)
    got = stub.udp('size-4000.example', 'TXT', edns=4096)
    assert not got.flags & dns.flags.TC and got.answer


# ---- addresses

def test_ipv6_listener(serve, dotstub):
    from lib.ports import free_port
    server = serve()
    port = free_port('::1')
    dotstub([server], wait=False,
            listen=[f'[::1]:{port}']).wait_listening(port)
    with client.Udp(port, '::1') as c:
        assert texts(c.ask(query('only4.example'))) == [
            'only4.example. A 192.0.2.4']


def test_many_listen_addresses(serve, dotstub):
    from lib.ports import free_port
    server = serve()
    addresses = [f'127.0.0.{n}' for n in range(1, 11)] + ['::1']
    port = free_port(*addresses)
    dotstub([server], wait=False, listen=[
        f'[{a}]:{port}' if ':' in a else f'{a}:{port}' for a in addresses
    ]).wait_listening(port)
    for address in addresses:
        with client.Udp(port, address) as c:
            assert c.ask(query('www.example')).answer, address
        with client.Tcp(port, address) as c:
            assert c.ask(query('www.example')).answer, address


@pytest.mark.parametrize('wildcard,address', [
    ('0.0.0.0', '127.0.0.77'), ('[::]', '::1')])
def test_answer_leaves_from_the_address_asked(serve, dotstub, wildcard,
                                              address):
    """A connected socket drops an answer from any other address."""
    from lib.ports import free_port
    server = serve()
    port = free_port('0.0.0.0', '::')
    dotstub([server], wait=False,
            listen=[f'{wildcard}:{port}']).wait_listening(port)
    with client.Udp(port, address) as c:
        assert c.ask(query('www.example')).answer


@pytest.mark.parametrize('workers', [2, 4])
def test_workers(serve, dotstub, workers):
    """Each has sockets of its own; clients notice nothing."""
    server = serve()
    stub = dotstub([server], ready=[server], workers=workers)
    for _ in range(8):
        messages = [query(f'n{k}.many.example', query_id=k)
                    for k in range(50)]
        answers = ask_many_udp(stub.port, messages)
        assert len(answers) == 50
        assert all(len(a) == 1 for a in answers.values())
        assert stub.tcp('www.example').answer


# ---- hostile datagrams

def test_random_datagrams_do_not_disturb(straight):
    """Garbage of all sizes; dotstub answers the next good query."""
    stub, _ = straight
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    with client.Udp(stub.port) as c:
        for _ in range(500):
            c.send(rng.randbytes(rng.choice([0, 1, 11, 12, 13, 40, 600,
                                             4000])))
    with client.Udp(stub.port) as good:
        message = query('www.example')
        answers = [good.ask_raw(message, 1) for _ in range(10)]
        assert any(answers), f'seed {seed}'
