"""What a query looks like inside the channel: padded, without the client's
options (RFC 7830, RFC 8467, RFC 6891 6.1.1)."""
import dns.edns
import pytest

from lib.client import query
from lib import client

COOKIE, ECS, PADDING, KEEPALIVE, NSID = 10, 8, 12, 11, 3
NAMES = ['.', 'a.example', 'www.example', 'x' * 63 + '.example',
         '.'.join(['b' * 61] * 2) + '.example', '.'.join(['c' * 61] * 4)]
CLIENT_OPTIONS = [
    dns.edns.GenericOption(COOKIE, b'\x01\x02\x03\x04\x05\x06\x07\x08'),
    dns.edns.ECSOption('198.51.100.0', 24),
    dns.edns.GenericOption(PADDING, b'\x00' * 31),
    dns.edns.GenericOption(65001, b'private use'),
]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('edns', [None, 1232])
def test_every_query_is_a_multiple_of_128(straight, name, edns):
    stub, server = straight
    stub.udp(name, 'AAAA', edns=edns)
    stub.tcp(name, 'AAAA', edns=edns)
    assert len(server.queries) == 2
    for q in server.queries:
        assert len(q.wire) % 128 == 0
        assert set(q.options()) == {PADDING, KEEPALIVE}  # RFC 7828: ours
        assert not q.options()[PADDING].strip(b'\x00')


@pytest.mark.parametrize('block', [16, 100, 512])
def test_block_is_configurable(serve, dotstub, block):
    server = serve()
    stub = dotstub([server], padding_block=block)
    for name in NAMES:
        stub.udp(name)
    assert {len(q.wire) % block for q in server.queries} == {0}


def test_padding_can_be_turned_off(serve, dotstub):
    server = serve()
    stub = dotstub([server], padding_block=0)
    stub.udp('www.example')
    assert PADDING not in server.queries[0].options()


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_options_of_the_client_do_not_cross(straight, transport):
    stub, server = straight
    options = list(CLIENT_OPTIONS)
    if transport == 'tcp':
        options.append(dns.edns.GenericOption(KEEPALIVE, b''))
    got = stub.ask(transport, 'www.example', edns=4096, options=options)
    assert got.answer
    assert set(server.queries[0].options()) == {PADDING, KEEPALIVE}
    assert server.queries[0].options()[KEEPALIVE] == b''
    assert b'\xc6\x33\x64' not in server.queries[0].wire


def test_sizes_do_not_tell_the_options(straight):
    """The same question with and without options: the same size."""
    stub, server = straight
    stub.udp('www.example')
    stub.udp('www.example', edns=1232)
    stub.udp('www.example', edns=4096, options=CLIENT_OPTIONS)
    assert len({len(q.wire) for q in server.queries}) == 1


def test_one_query_is_one_record(straight):
    """Length and message together, never two queries in one TLS record."""
    stub, server = straight
    client.ask_many_udp(stub.port, [query(f'n{k}.many.example', query_id=k)
                                    for k in range(100)])

    def are_alike(_server):  # one may just be coming
        return all([len(r) for r in conn.records]
                   == [2 + len(q.wire) for q in conn.queries]
                   for conn in server.connections)
    server.wait(are_alike, what='a record for each query')
