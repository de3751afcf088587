"""DNS cookies towards clients: RFC 7873, RFC 9018."""
import dns.edns
import dns.rcode
import pytest

from lib import client
from lib.cache import CALM
from lib.client import query, texts
from lib.recorder import Table, dig, public_server
from test_rates import Client

COOKIE = 10
MINE = bytes(range(1, 9))


def option(data):
    return dns.edns.GenericOption(COOKIE, data)


def cookie_of(answer):
    """The octets of the answer's cookie, or None."""
    found = [o.to_wire() for o in answer.options if int(o.otype) == COOKIE]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def pair(serve, dotstub):
    def start(**config):
        server = public_server(serve, {'www.example A': '192.0.2.80'})
        config.setdefault('cookies', True)
        return dotstub([server], ready=[server], **CALM, **config), server
    return start


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_a_cookie_comes_back(pair, transport):
    stub, _ = pair(cache_size='1MiB')
    for name in ('www.example', 'www.example', 'localhost', 'nobody.example'):
        got = stub.ask(transport, name, edns=1232, options=[option(MINE)])
        cookie = cookie_of(got)
        assert cookie[:8] == MINE and len(cookie) == 24
        assert cookie[8:12] == b'\x01\0\0\0'  # RFC 9018 section 4
        # With the whole cookie, and with one that is not ours.
        again = stub.ask(transport, name, edns=1232, options=[option(cookie)])
        assert again.rcode() == got.rcode()
        assert len(cookie_of(again)) == 24
        wrong = cookie[:-1] + bytes([cookie[-1] ^ 1])
        again = stub.ask(transport, name, edns=1232, options=[option(wrong)])
        assert again.rcode() == got.rcode()
        assert cookie_of(again) not in (None, wrong)


def test_each_address_has_its_own(pair):
    stub, _ = pair()
    cookies = set()
    for source in ('127.0.0.2', '127.0.0.3'):
        with Client(stub.port, source) as c:
            got = c.ask('localhost', edns=1232, options=[option(MINE)])
            cookies.add(cookie_of(got)[16:])
    assert len(cookies) == 2


@pytest.mark.parametrize('length', [0, 1, 7, 9, 15, 41, 60])
def test_lengths_that_are_none(pair, length):
    """RFC 7873 section 5.2.2: FORMERR."""
    stub, server = pair()
    got = stub.udp('www.example', edns=1232, options=[option(b'x' * length)])
    assert got.rcode() == dns.rcode.FORMERR
    assert 'www.example' not in server.names()


def test_lengths_that_may_be(pair):
    """A server cookie may have 8 to 32 octets."""
    stub, _ = pair()
    for length in (8, 16, 24, 40):
        got = stub.udp('www.example', edns=1232,
                       options=[option(b'x' * length)])
        assert texts(got) and cookie_of(got)[:8] == b'x' * 8


def test_without_it_none_is_given(pair):
    stub, _ = pair()
    assert cookie_of(stub.udp('www.example', edns=1232)) is None
    assert not stub.udp('www.example').options


def test_off_by_default(pair):
    stub, _ = pair(cookies=None)
    for data in (MINE, b'x' * 3):
        got = stub.udp('www.example', edns=1232, options=[option(data)])
        assert texts(got) and cookie_of(got) is None


def test_they_stay_between_client_and_dotstub(serve, dotstub, plain):
    corp = plain(Table({'www.corp A': '192.0.2.1'}))
    server = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server], cookies=True, **CALM,
                   zones={'corp': corp.udp_entry})
    for name in ('www.example', 'www.corp'):
        assert stub.udp(name, edns=1232, options=[option(MINE)]).answer
    for q in [*server.queries, *corp.queries]:
        assert COOKIE not in q.options() and MINE not in q.wire


def test_good_at_every_worker(pair):
    """A cookie of one worker is good at the others: it exempts from the limit
    on answers, whichever worker has the client's socket."""
    stub, _ = pair(workers=3, response_rate_limit=1, response_rate_slip=0)
    with Client(stub.port, '127.0.0.2') as c:
        got = c.ask('localhost', edns=1232, options=[option(MINE)])
        good = cookie_of(got)
    for _ in range(12):
        with Client(stub.port, '127.0.0.2') as c:
            for _ in range(20):
                assert c.ask('localhost', edns=1232,
                             options=[option(good)])


def test_a_stolen_one_is_none(pair):
    stub, _ = pair(response_rate_limit=1, response_rate_slip=0)
    with Client(stub.port, '127.0.0.2') as c:
        good = cookie_of(c.ask('localhost', edns=1232,
                               options=[option(MINE)]))
    with Client(stub.port, '127.0.1.3') as thief:
        assert thief.ask('www.example', edns=1232, options=[option(good)])
        assert not all(thief.ask('www.example', 0.2, edns=1232,
                                 options=[option(good)]) for _ in range(8))


def bare(stub, transport, **options):
    """What is answered to a query without a question."""
    asked = query('www.example', query_id=7, **options)
    asked.question = []
    kind = {'udp': client.Udp, 'tcp': client.Tcp}[transport]
    with kind(stub.port) as c:
        c.send(asked.to_wire())
        return client.parse(c.receive())


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_no_question_but_for_a_cookie(pair, transport):
    """RFC 7873 section 5.4."""
    stub, server = pair()
    got = bare(stub, transport, edns=1232, options=[option(MINE)])
    cookie = cookie_of(got)
    assert got.rcode() == dns.rcode.NOERROR and got.id == 7
    assert cookie[:8] == MINE and len(cookie) == 24
    assert not got.question and not got.answer
    again = bare(stub, transport, edns=1232, options=[option(cookie)])
    assert again.rcode() == dns.rcode.NOERROR
    wrong = cookie[:-1] + bytes([cookie[-1] ^ 1])
    again = bare(stub, transport, edns=1232, options=[option(wrong)])
    assert again.rcode() == dns.rcode.BADCOOKIE
    assert len(cookie_of(again)) == 24 and cookie_of(again) != wrong
    # Nothing but a cookie of the right length makes it good.
    for asked in ({}, {'edns': 1232}, {'edns': 1232, 'options': [option(b'x')]}):
        assert bare(stub, transport, **asked).rcode() == dns.rcode.FORMERR
    assert server.names() == []


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_no_question_and_no_cookies_here(pair, transport):
    stub, _ = pair(cookies=None)
    got = bare(stub, transport, edns=1232, options=[option(MINE)])
    assert got.rcode() == dns.rcode.FORMERR and cookie_of(got) is None


def test_what_dig_says(pair):
    """dig checks that its own cookie came back."""
    stub, _ = pair()
    said = dig(stub.port, '+cookie', 'www.example')
    assert '(good)' in said and '192.0.2.80' in said
    with client.Udp(stub.port) as c:
        assert c.ask(query('www.example')).answer
