"""Clients over TCP (RFC 7766, RFC 9210)."""
import dns.edns
import dns.flags
import pytest

from lib import behaviours, client
from lib.cache import CALM
from lib.client import framed, query, texts
from lib.zone import LONG_STRINGS, Zone, many_address

from test_udp import KINDS


@pytest.mark.parametrize('name,kind', [*KINDS, ('long.example', 'TXT')])
def test_answer_is_the_servers(straight, name, kind):
    stub, _ = straight
    want = Zone().respond(query(name, kind))
    got = stub.tcp(name, kind)
    assert texts(got) == texts(want)
    assert got.rcode() == want.rcode()
    assert not got.flags & dns.flags.TC


def test_long_text_whole(straight):
    stub, _ = straight
    record = stub.tcp('long.example', 'TXT').answer[0][0]
    assert [s.decode() for s in record.strings] == LONG_STRINGS


@pytest.mark.parametrize('size', [512, 1232, 4096, 16383, 16384, 16385,
                                  32768, 65000, 65535])
def test_answers_of_all_sizes(straight, size):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        c.send(query(f'size-{size}.example', 'TXT', edns=1232))
        data = c.receive()
    # Our own OPT takes the place of the server's, of the same size or less.
    assert size - 128 < len(data) <= 65535
    got = client.parse(data)
    assert got.answer and not got.flags & dns.flags.TC


def test_frame_in_any_pieces(straight):
    """A frame cut at every octet."""
    stub, _ = straight
    data = framed(query('www.example', query_id=5))
    with client.Tcp(stub.port) as c:
        for cut in range(1, len(data)):
            c.send_raw(data[:cut])
            c.send_raw(data[cut:])
            assert client.parse(c.receive()).answer


def test_frame_octet_by_octet(straight):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        for octet in framed(query('www.example')):
            c.send_raw(bytes([octet]))
        assert client.parse(c.receive()).answer


def test_frames_coalesced_and_cut(straight):
    """Two and a half frames in one segment, the rest in the next."""
    stub, _ = straight
    data = b''.join(framed(query(f'n{k}.many.example', query_id=k))
                    for k in range(5))
    for cut in (1, 2, 3, 30, 90, len(data) - 1):
        with client.Tcp(stub.port) as c:
            c.send_raw(data[:cut])
            c.send_raw(data[cut:])
            assert {client.parse(c.receive()).id for _ in range(5)} == set(
                range(5))


def test_many_queries_one_after_the_other(straight):
    stub, server = straight
    with client.Tcp(stub.port) as c:
        for k in range(100):
            got = c.ask(query(f'n{k}.many.example', query_id=k))
            assert got.id == k and got.answer
    # Few connections; one on which the machine stands still is left.
    assert len([s for s in server.connections if s.queries]) < 10


def test_out_of_order_answers(serve, dotstub):
    """The server answers the last first; so does dotstub."""
    server = serve(behaviours.batch(8))
    stub = dotstub([server], ready=[server], connections_per_server=1, **CALM)
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k) for k in range(8)])
        for k in reversed(range(8)):
            got = client.parse(c.receive())
            assert got.id == k
            assert texts(got) == [f'n{k}.many.example. A {many_address(k)}']


def test_slow_query_does_not_hold_up_others(serve, dotstub):
    server = serve(behaviours.dropping(
        lambda n, q: q.name.startswith('n0.')))
    stub = dotstub([server], ready=[server], answer_timeout='3s')
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k) for k in range(3)])
        assert {client.parse(c.receive()).id for _ in range(2)} == {1, 2}


def test_half_close_still_gets_answers(serve, dotstub):
    server = serve(behaviours.delayed(0.1))
    stub = dotstub([server], ready=[server])
    with client.Tcp(stub.port) as c:
        c.send(*[query(f'n{k}.many.example', query_id=k) for k in range(3)])
        c.half_close()
        assert {client.parse(c.receive()).id for _ in range(3)} == {0, 1, 2}
        assert c.is_closed_by_peer()


def test_half_close_without_a_query(straight):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        c.half_close()
        assert c.is_closed_by_peer()


def test_half_close_inside_a_frame(straight):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        c.send_raw(framed(query('www.example'))[:20])
        c.half_close()
        assert c.is_closed_by_peer()


def test_client_leaves_before_its_answer(serve, dotstub):
    """By FIN or RST; the program lives on and the answer goes nowhere."""
    server = serve(behaviours.delayed(0.05))
    stub = dotstub([server], ready=[server])
    for leave in (client.Tcp.close, client.Tcp.reset):
        c = client.Tcp(stub.port)
        names = {f'{leave.__name__}{k}.example' for k in range(20)}
        c.send(*[query(name) for name in names])
        server.wait(lambda s, names=names: names <= set(s.names()))
        leave(c)
    assert stub.tcp('www.example').answer


@pytest.mark.parametrize('frame', [
    b'\x00\x00', b'\x00\x01x', b'\x00\x0bhello world'])
def test_frames_too_short_for_a_message(straight, frame):
    """Not DNS: the connection ends, others are served on."""
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        c.send_raw(frame)
        assert c.is_closed_by_peer()
    assert stub.tcp('www.example').answer


def test_another_protocol(straight):
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        c.send_raw(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
        c.half_close()
        assert c.is_closed_by_peer()
    assert stub.tcp('www.example').answer


def test_largest_query_frame(straight):
    """65,535 octets of query: an answer or a close, not a hang."""
    stub, _ = straight
    with client.Tcp(stub.port) as c:
        data = query('www.example').to_wire()
        c.send_raw(b'\xff\xff' + data + b'\x00' * (65535 - len(data)))
        c.half_close()
        while c.receive() is not None:
            pass
    assert stub.tcp('www.example').answer


# ---- idle time and keepalive

def test_idle_client_is_closed(serve, dotstub):
    stub = dotstub([serve()], tcp_idle_timeout='2s')
    with client.Tcp(stub.port) as c:
        assert c.ask(query('www.example')).answer
        assert c.is_closed_by_peer()


def test_client_that_never_asks_is_closed(serve, dotstub):
    stub = dotstub([serve()], tcp_idle_timeout='300ms')
    with client.Tcp(stub.port) as c:
        assert c.is_closed_by_peer()


def test_client_that_stops_in_a_frame_is_closed(serve, dotstub):
    stub = dotstub([serve()], tcp_idle_timeout='300ms')
    with client.Tcp(stub.port) as c:
        c.send_raw(b'\x00')
        assert c.is_closed_by_peer()


def test_waiting_is_not_idling(serve, dotstub):
    """The answer takes longer than the idle time."""
    server = serve(behaviours.delayed(4))
    stub = dotstub([server], ready=[server], tcp_idle_timeout='1500ms', **CALM)
    with client.Tcp(stub.port) as c:
        assert c.ask(query('www.example')).answer


def test_keepalive_is_answered(serve, dotstub):
    """RFC 7828: the idle time in units of 100 ms, only to who asks."""
    stub = dotstub([serve()], tcp_idle_timeout='7s')
    keepalive = dns.edns.GenericOption(11, b'')
    with client.Tcp(stub.port) as c:
        got = c.ask(query('www.example', edns=1232, options=[keepalive]))
        values = [o.to_wire() for o in got.options if o.otype == 11]
        assert values == [(70).to_bytes(2, 'big')]
        got = c.ask(query('www.example', edns=1232))
        assert not [o for o in got.options if o.otype == 11]


def test_no_keepalive_over_udp(straight):
    stub, _ = straight
    keepalive = dns.edns.GenericOption(11, b'')
    got = stub.udp('www.example', edns=1232, options=[keepalive])
    assert got.answer
    assert not [o for o in got.options if o.otype == 11]
