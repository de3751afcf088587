"""The wire: what passes untouched, what is answered here, what is dropped."""
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest

from lib import behaviours, client
from lib.client import query, rcode_text
from lib.process import PATIENCE_S

BOTH = pytest.mark.parametrize('transport', ['udp', 'tcp'])


def ask_raw(stub, transport, data, timeout_s=PATIENCE_S):
    """None: no answer (TCP: the connection ended)."""
    if transport == 'udp':
        with client.Udp(stub.port) as c:
            return c.ask_raw(data, timeout_s)
    with client.Tcp(stub.port) as c:
        c.send(data)
        return c.receive(timeout_s)


# ---- what passes through

@BOTH
@pytest.mark.parametrize('kind,rdclass', [
    ('TYPE65280', 'IN'), ('TYPE731', 'IN'), ('A', 'CH'), ('TXT', 'CLASS1234'),
    ('ANY', 'IN')])
def test_types_and_classes_pass(straight, transport, kind, rdclass):
    """Unknown or not, they are the server's affair; ANY too."""
    stub, server = straight
    got = stub.ask(transport, 'www.example', kind, rdclass=rdclass)
    asked = server.queries[-1].message.question[0]
    assert dns.rdatatype.to_text(asked.rdtype) == kind
    assert dns.rdataclass.to_text(asked.rdclass) == rdclass
    assert got.question[0] == asked


def test_unknown_record_passes(straight):
    stub, _ = straight
    got = stub.udp('private.example', 'TYPE65280')
    assert got.answer[0][0].to_digestable() == bytes([1, 2, 3, 4, 5])


@BOTH
def test_response_octets_are_the_servers(serve, dotstub, transport):
    """All but the ID, the spelling and OPT: octet by octet."""
    sent = []

    def remember(conn, q):
        sent.append(conn.answer_to(q, lambda m: m.use_edns(False)))
        return behaviours.frame(sent[-1])
    server = serve(behaviours.answering(remember))
    stub = dotstub([server], ready=[server])
    got = ask_raw(stub, transport, query('hop1.example', query_id=0x1234))
    assert got == b'\x12\x34' + sent[-1][2:]


def odd(conn, q):
    """A response that dnspython would not make: records as they come."""
    end = 12 + len(q.message.question[0].name.to_wire()) + 4
    records = (
        b'\xc0\x0c\xff\x00\x00\x01\x00\x00\x00\x2a\x00\x03abc'   # TYPE65280
        b'\xc0\x0c\x00\x01\x00\x03\x00\x00\x00\x00\x00\x00'      # CH A, empty
        b'\x00\xfa\xfa\x00\x01\xff\xff\xff\xff\x00\x02\xc0\x0c'  # root owner
        b'\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x01\x00\x01\x00')
    # AA, Z (the reserved bit), AD, CD and an rcode nobody knows
    return behaviours.frame(q.wire[:2] + b'\x85\xf0' + b'\x00\x01\x00\x02'
                            + b'\x00\x01\x00\x01' + q.wire[12:end] + records)


def test_odd_records_pass_untouched(serve, dotstub):
    server = serve(behaviours.answering(odd))
    stub = dotstub([server], ready=[server])
    message = query('www.example').to_wire()
    got = ask_raw(stub, 'udp', message)
    sent = odd(None, server.queries[-1])[2:]
    assert got[:2] == message[:2]
    assert got[4:] == sent[4:]
    assert got[2:4][0] == 0x85


@BOTH
def test_id_and_spelling_come_back(straight, transport):
    """0x20: the letters of the question as the client wrote them."""
    stub, _ = straight
    for k, name in enumerate(['wWw.ExAmPlE', 'WWW.EXAMPLE', 'www.example',
                              'hOp1.eXample']):
        got = stub.ask(transport, name, query_id=k * 21845)
        assert got.id == k * 21845
        assert got.question[0].name.to_text() == name + '.'
        assert got.answer


@BOTH
def test_spelling_when_the_server_changes_it(serve, dotstub, transport):
    """A server that answers in lower case is believed all the same."""
    def lower(conn, q):
        answer = conn.answer_to(q)
        name = q.message.question[0].name.to_wire()
        return behaviours.frame(answer.replace(name, name.lower(), 1))
    stub = dotstub([serve(behaviours.answering(lower))])
    got = stub.ask(transport, 'wWw.ExAmPlE')
    assert got.question[0].name.to_text() == 'wWw.ExAmPlE.'
    assert got.answer


def test_odd_names_pass(straight):
    """Root, 63-octet labels, 255-octet names, octets that are not text."""
    stub, server = straight
    names = ['.', 'a' * 63 + '.example', '.'.join(['b' * 61] * 4),
             r'\000\255\032\.x.example', '*.example', '_tcp.example']
    for name in names:
        got = stub.udp(name)
        assert server.queries[-1].message.question[0].name == (
            got.question[0].name), name


def test_rd_bit_passes(straight):
    stub, server = straight
    stub.udp('www.example', flags=0)
    assert not server.queries[-1].message.flags & dns.flags.RD
    stub.udp('www.example', flags=dns.flags.RD)
    assert server.queries[-1].message.flags & dns.flags.RD


def test_ids_towards_the_server_are_dotstubs_own(straight):
    """Unique on their connection, whatever clients choose."""
    stub, server = straight
    client.ask_many_udp(stub.port, [query(f'n{k}.many.example', query_id=k)
                                    for k in range(64)])
    for _ in range(16):
        stub.udp('www.example', query_id=1)
    for conn in server.ready:
        ids = [q.id for q in conn.queries]
        assert len(set(ids)) == len(ids)


# ---- what is answered here

def with_opcode(opcode):
    data = bytearray(query('www.example', query_id=77).to_wire())
    data[2] = opcode << 3 | 1
    return bytes(data)


@BOTH
@pytest.mark.parametrize('opcode', [1, 2, 3, 4, 5, 6, 15])
def test_other_opcodes(straight, transport, opcode):
    stub, server = straight
    got = ask_raw(stub, transport, with_opcode(opcode))
    assert got[:2] == b'\x00\x4d'
    assert got[3] & 15 == dns.rcode.NOTIMP
    assert got[2] >> 3 & 15 == opcode and got[2] & 0x80
    assert not server.queries


HEADER = bytes.fromhex('abcd01000001000000000000')
BAD_QUESTIONS = {
    'none': HEADER[:4] + bytes(8),
    'missing': HEADER,
    'cut name': HEADER + b'\x03ww',
    'no type': HEADER + b'\x03www\x00',
    'half a class': HEADER + b'\x03www\x00\x00\x01\x00',
    'two questions': HEADER[:4] + b'\x00\x02' + bytes(6)
    + b'\x03www\x00\x00\x01\x00\x01' * 2,
    'pointer to itself': HEADER + b'\xc0\x0c\x00\x01\x00\x01',
    'pointer forward': HEADER + b'\xc0\x30\x00\x01\x00\x01',
    'reserved label type': HEADER + b'\x40www\x00\x00\x01\x00\x01',
    'name of 256 octets': HEADER + b'\x3f' + b'a' * 63 + (b'\x3f'
                          + b'a' * 63) * 3 + b'\x00\x00\x01\x00\x01',
}


@BOTH
@pytest.mark.parametrize('title', BAD_QUESTIONS)
def test_bad_questions(straight, transport, title):
    """The header parses, the question does not: FORMERR, with its ID."""
    stub, server = straight
    got = ask_raw(stub, transport, BAD_QUESTIONS[title])
    assert got is not None, 'no answer'
    assert got[:2] == b'\xab\xcd' and got[2] & 0x80
    assert got[3] & 15 == dns.rcode.FORMERR
    assert not server.queries


@BOTH
@pytest.mark.parametrize('kind', ['AXFR', 'IXFR'])
def test_zone_transfers(straight, transport, kind):
    stub, server = straight
    got = stub.ask(transport, 'example', kind)
    assert rcode_text(got) in ('NOTIMP', 'REFUSED')
    assert not server.queries


# ---- what is dropped

@pytest.mark.parametrize('size', range(0, 12))
def test_datagrams_without_a_header(straight, size):
    stub, server = straight
    with client.Udp(stub.port) as c:
        c.send(HEADER[:size])
        # A good query behind it gets the first answer that comes.
        assert c.ask(query('www.example')).answer
    assert len(server.queries) == 1


def test_responses_are_not_answered(straight):
    """QR=1: answering could make two programs talk for ever."""
    stub, server = straight
    data = bytearray(query('www.example', query_id=1).to_wire())
    data[2] |= 0x80
    with client.Udp(stub.port) as c:
        c.send(bytes(data))
        assert c.ask(query('www.example', query_id=2)).id == 2
    assert len(server.queries) == 1
