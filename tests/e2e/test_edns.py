"""EDNS(0): OPT is hop by hop; DO, CD and AD as RFC 6840 5.7-5.8 has them."""
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from lib import behaviours, client
from lib.client import query

AD, CD, DO = dns.flags.AD, dns.flags.CD, dns.flags.DO
RD = dns.flags.RD


def authentic(conn, q):
    """The server vouches for every answer."""
    def spoil(message):
        message.flags |= AD
    return behaviours.frame(conn.answer_to(q, spoil))


@pytest.fixture
def vouching(serve, dotstub):
    server = serve(behaviours.answering(authentic))
    return dotstub([server], ready=[server]), server


def test_opt_only_to_clients_that_sent_one(straight):
    stub, server = straight
    assert stub.udp('www.example').edns == -1
    assert stub.udp('www.example', edns=1232).edns == 0
    assert stub.tcp('www.example').edns == -1
    assert stub.tcp('www.example', edns=1232).edns == 0
    assert all(q.message.edns == 0 for q in server.queries)


def test_our_own_size_in_opt(straight):
    """Towards the client our limit, not the server's."""
    stub, _ = straight
    assert stub.udp('www.example', edns=4096).payload == 1232


@pytest.mark.parametrize('version', [1, 2, 255])
@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_badvers(straight, transport, version):
    stub, server = straight
    message = query('www.example', edns=1232)
    message.use_edns(version, payload=1232)
    ask = {'udp': client.Udp, 'tcp': client.Tcp}[transport]
    with ask(stub.port) as c:
        got = c.ask(message)
    assert got.rcode() == dns.rcode.BADVERS
    assert got.edns == 0 and not got.answer
    assert not server.queries


def test_do_passes(straight):
    stub, server = straight
    got = stub.udp('www.example', edns=1232, dnssec_ok=True)
    assert server.queries[-1].message.ednsflags & DO
    assert got.ednsflags & DO
    got = stub.udp('www.example', edns=1232)
    assert not server.queries[-1].message.ednsflags & DO
    assert not got.ednsflags & DO


def test_cd_passes_and_comes_back(straight):
    stub, server = straight
    got = stub.udp('www.example', flags=RD | CD)
    assert server.queries[-1].message.flags & CD
    assert got.flags & CD
    got = stub.udp('www.example', flags=RD)
    assert not server.queries[-1].message.flags & CD
    assert not got.flags & CD


def test_ad_only_to_clients_that_understand_it(vouching):
    """RFC 6840 5.8: AD in the answer only after DO or AD in the query."""
    stub, _ = vouching
    assert not stub.udp('www.example', flags=RD).flags & AD
    assert stub.udp('www.example', flags=RD | AD).flags & AD
    assert stub.udp('www.example', flags=RD, edns=1232,
                    dnssec_ok=True).flags & AD


def test_ad_is_never_made_up(straight):
    stub, _ = straight
    assert not stub.udp('www.example', flags=RD | AD).flags & AD


def test_opt_not_at_the_end(straight):
    """OPT may stand anywhere in the additional section."""
    stub, server = straight
    data = query('www.example', query_id=9).to_wire()
    opt = b'\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00'
    other = b'\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01x'
    with client.Udp(stub.port) as c:
        got = c.ask(data[:10] + b'\x00\x02' + data[12:] + opt + other)
    assert got.edns == 0 and got.answer
    assert len(server.queries) == 1


def test_two_opts_are_an_error(straight):
    """RFC 6891 6.1.1."""
    stub, server = straight
    data = query('www.example', query_id=9).to_wire()
    opt = b'\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00'
    with client.Udp(stub.port) as c:
        got = c.ask_raw(data[:10] + b'\x00\x02' + data[12:] + opt + opt)
    assert got[3] & 15 == dns.rcode.FORMERR
    assert not server.queries


@pytest.mark.parametrize('tail', [
    b'\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x05',      # RDATA runs out
    b'\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x09',
    b'\x00\x00\x29\x04\xd0\x00'])
def test_broken_opt(straight, tail):
    stub, server = straight
    data = query('www.example', query_id=9).to_wire()
    with client.Udp(stub.port) as c:
        got = c.ask_raw(data[:10] + b'\x00\x01' + data[12:] + tail)
    assert got is not None and got[3] & 15 == dns.rcode.FORMERR
    assert not server.queries


def test_options_of_the_server_do_not_cross(serve, dotstub):
    """Its cookie, padding and keepalive are between it and dotstub."""
    def with_options(conn, q):
        def spoil(message):
            message.use_edns(0, 0, 4096, options=[
                dns.edns.GenericOption(10, b'12345678abcdefgh'),
                dns.edns.GenericOption(11, b'\x01\x00'),
                dns.edns.GenericOption(12, b'\x00' * 100)])
        return behaviours.frame(conn.answer_to(q, spoil))
    server = serve(behaviours.answering(with_options))
    stub = dotstub([server], ready=[server])
    got = stub.udp('www.example', edns=1232)
    assert got.answer and not got.options
    assert stub.udp('www.example').edns == -1


def test_extended_errors_of_the_server_cross(serve, dotstub):
    """RFC 8914 section 3: a forwarder may pass them on."""
    def with_error(conn, q):
        def spoil(message):
            message.answer = []
            message.set_rcode(dns.rcode.NXDOMAIN)
            message.use_edns(0, 0, 4096, options=[
                dns.edns.EDEOption(15, 'blocked by the server')])
        return behaviours.frame(conn.answer_to(q, spoil))
    server = serve(behaviours.answering(with_error))
    stub = dotstub([server], ready=[server])
    got = stub.udp('www.example', edns=1232)
    assert client.extended_errors(got) == [(15, 'blocked by the server')]


def test_server_without_edns(serve, dotstub):
    """An answer without OPT is an answer; ours is added for the client."""
    def plain(conn, q):
        return behaviours.frame(
            conn.answer_to(q, lambda m: m.use_edns(False)))
    server = serve(behaviours.answering(plain))
    stub = dotstub([server], ready=[server])
    got = stub.udp('www.example', edns=1232)
    assert got.answer and got.edns == 0
