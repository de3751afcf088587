"""Reconnecting: session tickets of TLS 1.3, sessions of TLS 1.2."""
import pytest

from lib import behaviours, dotd
from lib.client import texts

WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
both_versions = pytest.mark.parametrize('version', [dotd.TLS12, dotd.TLS13])


def reconnect(stub, server):
    """Close all connections, ask again; the connections made since."""
    before = len(server.connections)
    server.each_open(lambda conn: conn.close())
    assert texts(stub.udp('www.example')) == WWW
    return [c for c in server.connections[before:] if c.is_handshaken]


@both_versions
def test_reconnect_resumes(serve, dotstub, version):
    server = serve(versions=(version, version))
    stub = dotstub([server], ready=[server], connections_per_server=1)
    assert texts(stub.udp('www.example')) == WWW
    assert not server.ready[0].is_resumed
    for _ in range(3):
        since = reconnect(stub, server)
        assert since and all(c.is_resumed for c in since)


@both_versions
def test_without_tickets(serve, dotstub, version):
    """A server that gives none: full handshakes, no failure."""
    server = serve(versions=(version, version), tickets=0)
    stub = dotstub([server], ready=[server])
    assert texts(stub.udp('www.example')) == WWW
    for _ in range(2):
        assert reconnect(stub, server)


@both_versions
def test_server_forgot_its_keys(serve, dotstub, leaf, version):
    """Restarted: the ticket is unknown, a full handshake follows at once."""
    server = serve(versions=(version, version))
    stub = dotstub([server], ready=[server])
    assert texts(stub.udp('www.example')) == WWW
    server.set_leaf(leaf, (version, version))
    assert not reconnect(stub, server)[0].is_resumed
    assert reconnect(stub, server)


@pytest.mark.parametrize('first,second', [
    (dotd.TLS13, dotd.TLS12), (dotd.TLS12, dotd.TLS13)])
def test_server_changes_its_version(serve, dotstub, leaf, first, second):
    server = serve(versions=(first, first))
    stub = dotstub([server], ready=[server])
    assert texts(stub.udp('www.example')) == WWW
    server.set_leaf(leaf, (second, second))
    assert reconnect(stub, server)[0].version != server.ready[0].version


def test_tickets_are_used_once(serve, dotstub):
    """RFC 8446 C.4: while the server gives new ones, no two connections show
    the same ticket."""
    server = serve(versions=(dotd.TLS13, dotd.TLS13), tickets=1)
    stub = dotstub([server], ready=[server], connections_per_server=1)
    assert texts(stub.udp('www.example')) == WWW
    for _ in range(4):
        reconnect(stub, server)
    shown = [identity_of(bytes(c.raw)) for c in server.ready]
    shown = [i for i in shown if i]
    assert len(shown) >= 2 and len(set(shown)) == len(shown)


def identity_of(raw):
    """The first PSK identity in a ClientHello (RFC 8446 4.2.11)."""
    at = 5 + 4 + 2 + 32
    at += 1 + raw[at]
    at += 2 + int.from_bytes(raw[at:at + 2], 'big')
    at += 1 + raw[at]
    end = at + 2 + int.from_bytes(raw[at:at + 2], 'big')
    at += 2
    while at < end:
        kind = int.from_bytes(raw[at:at + 2], 'big')
        size = int.from_bytes(raw[at + 2:at + 4], 'big')
        if kind == 41:
            identity = int.from_bytes(raw[at + 6:at + 8], 'big')
            return raw[at + 8:at + 8 + identity]
        at += 4 + size
    return None


def test_ticket_and_answer_in_one_segment(serve, dotstub):
    server = serve(behaviours.ticket_with_answer,
                   versions=(dotd.TLS13, dotd.TLS13))
    stub = dotstub([server], ready=[server], connections_per_server=1)
    assert texts(stub.udp('www.example')) == WWW
    assert reconnect(stub, server)[0].is_resumed


def test_tickets_in_the_middle_of_answers(serve, dotstub):
    """Between the two halves of each answer comes a new ticket."""
    server = serve(behaviours.ticket_in_the_middle,
                   versions=(dotd.TLS13, dotd.TLS13))
    stub = dotstub([server], ready=[server], connections_per_server=1)
    for _ in range(20):
        assert texts(stub.udp('www.example')) == WWW
    assert len(server.ready) == 1
    assert reconnect(stub, server)[0].is_resumed


def test_many_tickets_at_once(serve, dotstub):
    """More than dotstub keeps."""
    server = serve(versions=(dotd.TLS13, dotd.TLS13), tickets=50)
    stub = dotstub([server], ready=[server], connections_per_server=1)
    assert texts(stub.udp('www.example')) == WWW
    assert reconnect(stub, server)[0].is_resumed
