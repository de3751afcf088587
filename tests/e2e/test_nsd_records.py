"""NSD 4.6.1 takes one read of the TLS session for one query and never answers
the second query of a TLS record: every query needs a record of its own."""
import socket
import ssl
import threading

import pytest

from lib import behaviours, client, real
from lib.cache import CALM
from lib.client import ask_many_udp, framed, query
from lib.dotstub import Dotstub
from lib.process import PATIENCE_S


@pytest.fixture(scope='module')
def nsd(tmp_path_factory, leaf):
    try:
        with real.Nsd(tmp_path_factory.mktemp('nsd'), leaf) as server:
            yield server
    except real.Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope='module')
def stub(tmp_path_factory, ca, nsd):
    with Dotstub(tmp_path_factory.mktemp('stub'), [nsd], ca.file,
                 connections_per_server=1) as s:
        yield s


def test_the_trap_is_there(nsd, ca):
    """Two queries in one record: how many answers come (1 with 4.6.1)."""
    context = ssl.create_default_context(cafile=ca.file)
    with socket.create_connection(('127.0.0.1', nsd.port)) as raw:
        with context.wrap_socket(raw, server_hostname='dot.example') as tls:
            tls.sendall(framed(query('www.example', query_id=1))
                        + framed(query('www.example', query_id=2)))
            tls.settimeout(PATIENCE_S)
            data = tls.recv(4096)
            tls.settimeout(0.5)
            try:
                while len(data) < 4000 and (more := tls.recv(4096)):
                    data += more
            except TimeoutError:
                pass
            assert data, 'NSD answered nothing at all'


@pytest.mark.parametrize('count', [2, 3, 10, 100])
def test_burst_over_udp(stub, count):
    answers = ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(count)])
    assert len(answers) == count


@pytest.mark.parametrize('count', [2, 3, 10, 100])
def test_burst_over_tcp(stub, count):
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k)
                 for k in range(count)])
        assert {client.parse(c.receive()).id for _ in range(count)} == set(
            range(count))


def test_last_query_of_a_burst_is_not_left_behind(stub):
    """Nothing follows the burst that could push the answers out."""
    for _ in range(10):
        answers = ask_many_udp(stub.port, [
            query(f'n{k}.many.example', query_id=k) for k in range(4)])
        assert len(answers) == 4


def writes(stub):
    """write(2) and writev(2) calls so far; datagrams are not among them."""
    with open(f'/proc/{stub.pid}/io') as f:
        return int(dict(line.split(':') for line in f)['syscw'])


def test_records_of_a_turn_leave_in_one_write(serve, dotstub):
    """A record each, but not a system call each."""
    event = threading.Event()
    server = serve(behaviours.gate(event))
    stub = dotstub([server], ready=[server], connections_per_server=1,
                   tcp_max_queries_per_client=1000, **CALM)
    before = writes(stub)
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k)
                 for k in range(400)])
        server.wait(lambda s: len(s.queries) == 400)
        assert writes(stub) - before < 400 * 0.32
    records = server.ready[0].records
    assert [len(r) for r in records] == [
        2 + len(q.wire) for q in server.queries]
    event.set()
