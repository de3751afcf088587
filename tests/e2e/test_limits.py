"""Bounds: what hostile or clumsy clients may take, and that others are
served on (DESIGN.md section 5)."""
import os
import threading

import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import CALM
from lib.client import ask_many_udp, extended_errors, query, texts
from lib.process import wait_until
from lib.zone import many_address


def memory_kib(stub):
    """Resident; 0 under AddressSanitizer, which keeps what was freed."""
    with open(f'/proc/{stub.pid}/status') as f:
        fields = dict(line.split(':', 1) for line in f)
    if int(fields['VmSize'].split()[0]) > 1 << 32:
        return 0
    return int(fields['VmRSS'].split()[0])


def open_files(stub):
    return len(os.listdir(f'/proc/{stub.pid}/fd'))


def still_serves(stub):
    assert stub.udp('www.example').answer
    assert stub.tcp('www.example').answer


# ---- TCP clients

def test_1000_pipelined_queries(straight):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        sender = threading.Thread(target=c.send, args=[
            query(f'n{k}.many.example', query_id=k) for k in range(1000)])
        sender.start()
        got = {}
        while len(got) < 1000:
            m = client.parse(c.receive())
            got[m.id] = texts(m)
        sender.join()
    for k, records in got.items():
        assert records == [f'n{k}.many.example. A {many_address(k)}']


def test_queries_in_flight_of_one_client(serve, dotstub):
    """At the bound its stream is not read; nothing is lost, others go on."""
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], tcp_max_queries_per_client=8,
                   **CALM)
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k) for k in range(40)])
        server.wait(lambda s: len(s.queries) >= 8)
        with client.Tcp(stub.port) as other:
            other.send(query('www.example'))
            server.wait(lambda s: 'www.example' in s.names())
            assert len(server.queries) == 9
            gate.set()
            assert other.receive()
        assert {client.parse(c.receive()).id for _ in range(40)} == set(
            range(40))


def test_slow_reader(serve, dotstub):
    """6 MB of answers are not read for a while: its further queries wait at
    the client, not as answers in our memory; others are served on."""
    server = serve()
    stub = dotstub([server], ready=[server], tcp_max_queries_per_client=8)
    before = memory_kib(stub)
    with client.Tcp(stub.port, receive_buffer=4096) as c:
        sender = threading.Thread(target=c.send, args=[
            query(f'size-{60000 + k}.example', 'TXT', query_id=k)
            for k in range(100)])
        sender.start()
        server.wait(lambda s: s.queries)
        for k in range(20):
            assert stub.udp(f'n{k}.many.example').answer
        still_serves(stub)
        assert memory_kib(stub) - before < 32 * 1024
        got = {client.parse(c.receive()).id for _ in range(100)}
        sender.join()
    assert got == set(range(100))


@pytest.mark.parametrize('in_flight', [4, 128])
def test_reader_that_never_reads_is_closed(serve, dotstub, in_flight):
    """At once when the answers in flight alone are too many."""
    server = serve()
    stub = dotstub([server], ready=[server], tcp_max_unread='64KiB',
                   tcp_max_queries_per_client=in_flight,
                   tcp_idle_timeout='300ms', connections_per_server=1)
    files, before = open_files(stub), memory_kib(stub)
    with client.Tcp(stub.port, receive_buffer=4096) as c:
        c.send(*[query(f'size-{60000 + k}.example', 'TXT', query_id=k)
                 for k in range(120)])
        server.wait(lambda s: len(s.queries) > 20)
        wait_until(lambda: open_files(stub) <= files, 5,
                   'the client is closed')
        assert memory_kib(stub) - before < 32 * 1024
    still_serves(stub)


def test_many_idle_clients(serve, dotstub):
    """At the bound the longest idle one makes room."""
    stub = dotstub([serve()], tcp_max_clients=20,
                   tcp_max_clients_per_address=100)
    clients = [client.Tcp(stub.port) for _ in range(30)]
    try:
        assert clients[-1].ask(query('www.example')).answer
        still_serves(stub)
        assert clients[0].is_closed_by_peer()
    finally:
        for c in clients:
            c.close()


def test_bound_with_busy_clients(serve, dotstub):
    """None is idle: the next one waits in the kernel until one is done."""
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], tcp_max_clients=4, **CALM)
    clients = [client.Tcp(stub.port) for _ in range(4)]
    try:
        for k, c in enumerate(clients):
            c.send(query(f'n{k}.many.example'))
        server.wait(lambda s: len(s.queries) == 4)
        with client.Tcp(stub.port) as late:
            late.send(query('only4.example'))
            assert ask_many_udp(stub.port, [bytes(12)], 1) is not None
            gate.set()
            for c in clients:
                assert client.parse(c.receive()).answer
            assert client.parse(late.receive()).answer
    finally:
        for c in clients:
            c.close()


def test_clients_of_one_address(serve, dotstub):
    """The one too many is closed; another address is not concerned."""
    stub = dotstub([serve()], tcp_max_clients_per_address=5)
    clients = [client.Tcp(stub.port) for _ in range(5)]
    try:
        for c in clients:
            assert c.ask(query('www.example')).answer
        with client.Tcp(stub.port) as extra:
            assert extra.is_closed_by_peer()
        with client.Tcp(stub.port, source='127.0.0.2') as other:
            assert other.ask(query('www.example')).answer
        clients.pop().close()

        def is_let_in():
            with client.Tcp(stub.port) as again:
                try:
                    again.send(query('www.example'))
                    return again.receive() is not None
                except OSError:
                    return False
        wait_until(is_let_in, 3, 'a place is free again')
    finally:
        for c in clients:
            c.close()


def test_clients_that_come_and_go(straight):
    """Nothing is left of 500 of them."""
    stub, _ = straight
    still_serves(stub)
    files = open_files(stub)
    for k in range(500):
        c = client.Tcp(stub.port)
        if k % 3 == 0:
            c.send(query('www.example'))
        c.reset() if k % 2 else c.close()

    def is_let_in():  # the last of them may still be counted
        try:
            return bool(stub.tcp('www.example').answer)
        except (AssertionError, OSError):
            return False
    wait_until(is_let_in, 5, 'there is a place again')
    still_serves(stub)
    wait_until(lambda: open_files(stub) <= files + 2, 5,
               'all descriptors are given back')


def test_out_of_file_descriptors(serve, dotstub):
    """New TCP clients wait or are refused; UDP goes on; it recovers."""
    server = serve()
    stub = dotstub([server], ready=[server],
                   prefix=['prlimit', '--nofile=40:40'])
    clients = []
    try:
        for _ in range(60):
            clients.append(client.Tcp(stub.port))
        for k in range(20):
            assert stub.udp(f'n{k}.many.example').answer
    finally:
        for c in clients:
            c.close()
    still_serves(stub)
    assert len(stub.log().splitlines()) < 100


# ---- queries in flight

def test_max_queries(serve, dotstub):
    """SERVFAIL at once for what is over the bound, the others answered."""
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], max_queries=16, **CALM)
    with client.Udp(stub.port) as c:
        for k in range(20):
            c.send(query(f'n{k}.many.example', query_id=k, edns=1232))
        refused = [client.parse(c.receive()) for _ in range(4)]
        for m in refused:
            assert m.rcode() == dns.rcode.SERVFAIL
            assert extended_errors(m)
        gate.set()
        good = [client.parse(c.receive()) for _ in range(16)]
        assert all(m.answer for m in good)
    assert len(server.queries) == 16


@pytest.mark.parametrize('bound', [1, 4])
def test_queries_per_connection(serve, dotstub, bound):
    """What does not fit the connections waits for a place."""
    server = serve(behaviours.delayed(0.005))
    stub = dotstub([server], ready=[server], connections_per_server=2,
                   queries_per_connection=bound)
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(100)])
    assert len(answers) == 100
    assert all(client.parse(a[0]).answer for a in answers.values())
    server.wait(lambda s: len(s.open) <= 2, what='few connections')


def test_flood_of_5000_queries(straight):
    """Every one is answered, or dropped by the kernel: never twice."""
    stub, _ = straight
    answered = 0
    for start in range(0, 5000, 200):
        answers = ask_many_udp(stub.port, [
            query(f'n{k}.many.example', query_id=k)
            for k in range(start, start + 200)])
        assert all(len(a) == 1 for a in answers.values())
        answered += len(answers)
    assert answered == 5000
    assert memory_kib(stub) < 64 * 1024
