"""Nothing in clear, nothing to strangers, no names in the log."""
import os
import pathlib
import sys

import dns.rcode
import pytest

from lib import client, dotd
from lib.client import query
from lib.dotstub import Dotstub
from lib.namespace import Namespace, is_possible
from lib.process import Process, wait_until

HERE = pathlib.Path(__file__).parent
SECRETS = ['secret-one.many.example', 'secret-two.example',
           'n54321.many.example']


def ask_all(stub):
    for name in SECRETS:
        stub.udp(name)
        stub.tcp(name)


def seen_in(data):
    data = data.lower()
    return [s for s in SECRETS if s.split('.')[0].encode() in data]


def test_no_name_in_the_octets_the_server_gets(straight):
    stub, server = straight
    ask_all(stub)
    assert set(server.names()) == set(SECRETS)
    for conn in server.connections:
        assert not seen_in(bytes(conn.raw))


@pytest.mark.parametrize('names', [['false.example'], ['example']])
@pytest.mark.parametrize('version', [dotd.TLS12, dotd.TLS13])
def test_not_an_octet_to_a_server_with_another_name(serve, dotstub, ca,
                                                    names, version):
    server = serve(leaf=ca.leaf(names), versions=(version, version))
    stub = dotstub([server], query_timeout='300ms', retry_min='50ms')
    for name in SECRETS:
        assert stub.udp(name).rcode() == dns.rcode.SERVFAIL
    server.wait(lambda s: len(s.connections) >= 2)
    assert not server.plaintext and not server.queries
    for conn in server.connections:
        assert not seen_in(bytes(conn.raw))
        # One flight: no handshake was finished by this client.
        assert not conn.is_handshaken or version == dotd.TLS13


def test_no_early_data(serve, dotstub):
    """The first flight of a resumed session carries no query."""
    server = serve(versions=(dotd.TLS13, dotd.TLS13))
    stub = dotstub([server], ready=[server], connections_per_server=1)
    for _ in range(3):
        ask_all(stub)
        server.each_open(lambda conn: conn.close())
    stub.udp('www.example')
    assert any(c.is_resumed for c in server.ready)
    # The extension early_data (42) with no length, in a ClientHello.
    assert all(b'\x00\x2a\x00\x00' not in bytes(c.raw[:600])
               for c in server.connections)


def test_names_are_not_logged(serve, dotstub, ca):
    """Not even when all fails, at the default level and at info."""
    for level in ('notice', 'info'):
        server = serve()
        stub = dotstub([server], ready=[server], log_level=level,
                       query_timeout='300ms')
        ask_all(stub)
        server.down()
        ask_all(stub)
        with client.Udp(stub.port) as c:
            c.send(query(SECRETS[0]).to_wire()[:-3])
            c.receive(0.5)
        stub.stop()
        assert stub.log() and not seen_in(stub.log().encode())


# ---- every packet on the machine

def packets(file):
    data = file.read_bytes()
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at:at + 4], 'big')
        yield data[at + 4:at + 4 + size]
        at += 4 + size


def ports_of(packet):
    """Source and destination port of an IPv4 packet behind 14 octets."""
    if packet[12:14] != b'\x08\x00':
        return None
    at = 14 + (packet[14] & 15) * 4
    return (int.from_bytes(packet[at:at + 2], 'big'),
            int.from_bytes(packet[at + 2:at + 4], 'big'))


def test_every_packet_on_the_wire(tmp_path, ca):
    """Names are seen between client and dotstub (port 53), nowhere else."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    leaf = ca.leaf(['dot.example'])
    env = {**os.environ, 'PYTHONPATH': str(HERE),
           'PYTHONDONTWRITEBYTECODE': '1'}
    capture = tmp_path / 'packets'
    with Namespace(tmp_path) as ns:
        sniffer = Process([*ns.prefix, sys.executable, '-m', 'lib.sniff',
                           capture], tmp_path / 'sniff.log', env=env)
        server = Process([*ns.prefix, sys.executable, '-m', 'lib.dotd',
                          leaf.chain_file, leaf.key_file, '127.0.0.1',
                          '853'], tmp_path / 'dotd.log', env=env)
        with sniffer, server:
            wait_until(lambda: 'listening' in sniffer.log()
                       and ':853' in server.log(), 5,
                       lambda: sniffer.log() + server.log())
            with Dotstub(tmp_path, ['127.0.0.1#dot.example',
                                    '127.0.0.9#dot.example'], ca.file,
                         port=53, prefix=ns.prefix, listen=['127.0.0.1']):
                for name in SECRETS:
                    for how in ('+notcp', '+tcp'):
                        out, code = ns.run('dig', '-r', '@127.0.0.1', how,
                                           '+tries=1', '+time=20', name)
                        assert code == 0, out
            wait_until(lambda: any(SECRETS[-1] in seen_in(p)
                                   for p in packets(capture)), 5,
                       'the last packets')
        found = [p for p in packets(capture) if seen_in(p)]
    assert found, 'the capture is empty'
    assert all(53 in ports_of(p) for p in found)
    assert any(853 in (ports_of(p) or ()) for p in packets(capture))
