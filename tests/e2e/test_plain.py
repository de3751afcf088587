"""Plain servers of zones: what leaves in clear text, to whom, and what is
believed of what comes back."""
import collections
import socket

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from lib import client, plaind, real
from lib.cache import CALM
from lib.client import extended_errors, query, texts
from lib.zone import LONG_STRINGS, Zone, many_address

from test_udp import KINDS


@pytest.fixture
def zoned(serve, dotstub):
    """zoned(servers, **zone keys): dotstub with the zone "example" at plain
    servers, and a DoT server for everything else. A pair."""
    def start(servers, config=None, **zone):
        public = serve()
        stub = dotstub([public], ready=[public],
                       zones={'example': {'servers': servers, **zone}},
                       **(config or {}))
        return stub, public
    return start


def ask_in_turn(stub, count, first=0):
    """So many names, one after the other; how many had the right answer."""
    good = 0
    with client.Udp(stub.port) as c:
        for k in range(first, first + count):
            got = c.ask(query(f'n{k}.many.example'))
            good += texts(got) == [
                f'n{k}.many.example. A {many_address(k)}']
    return good


def is_asked_once(server):
    """Is there a name that came once? (A datagram that the machine keeps for
    too long is sent again; not one for each of the names.)"""
    return 1 in collections.Counter(server.names()).values()


# ---- who gets what

def test_only_names_of_the_zone_reach_it(plain, zoned):
    server = plain()
    stub, public = zoned([server.udp_entry])
    assert stub.udp('www.example').answer
    for name in ['www.public-name.net', 'example.net', 'notexample',
                 'www.example.org']:
        assert stub.udp(name).rcode() == dns.rcode.NXDOMAIN
    assert stub.tcp('n7.many.EXAMPLE').answer
    assert set(server.names()) == {'www.example', 'n7.many.example'}
    assert set(public.names()) == {'www.public-name.net', 'example.net',
                                   'notexample', 'www.example.org'}


def test_public_names_stay_padded(plain, zoned):
    server = plain()
    stub, public = zoned([server.udp_entry])
    stub.udp('www.public-name.net')
    stub.udp('www.example')
    assert len(public.queries[-1].wire) % 128 == 0
    assert dns.edns.OptionType.PADDING in public.queries[-1].options()
    assert not server.queries[0].options()
    assert len(server.queries[0].wire) == 12 + len('www.example') + 2 + 4 + 11


def test_no_option_of_the_client_crosses(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry])
    options = [dns.edns.GenericOption(65001, b'from the client'),
               dns.edns.ECSOption('198.51.100.0', 24)]
    with client.Udp(stub.port) as c:
        assert c.ask(query('www.example', edns=4096, dnssec_ok=True,
                           options=options)).answer
    got = server.queries[0]
    assert got.has_opt and not got.options()
    assert got.message.payload == 1232
    assert got.message.ednsflags & dns.flags.DO


def test_nothing_leaves_before_a_client_asks(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry, server.tcp_entry])
    stub.udp('www.public-name.net')
    assert not server.queries and not server.connections


# ---- what cannot be guessed

def test_ports_and_ids_differ(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry])
    assert ask_in_turn(stub, 200) == 200
    assert len(set(server.names())) == 200 and is_asked_once(server)
    assert len({q.port for q in server.queries}) > 180
    assert len({q.id for q in server.queries}) > 190


def test_ports_differ_in_a_burst(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry])
    answers = client.ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(200)])
    assert len(answers) == 200
    assert len({q.port for q in server.queries}) > 180


def test_spelling_is_random(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry], random_case=True)
    got = stub.udp('wWw.Example')
    assert got.question[0].name.to_text() == 'wWw.Example.'
    assert ask_in_turn(stub, 30) == 30
    spellings = {q.spelling for q in server.queries
                 if q.name != 'www.example'}
    assert sum(s != s.lower() for s in spellings) > 25
    assert {s.lower() for s in spellings} == {
        f'n{k}.many.example' for k in range(30)}


def test_spelling_is_the_clients_without_the_option(plain, zoned):
    server = plain()
    stub, _ = zoned([server.udp_entry])
    assert stub.udp('wWw.Example').answer
    assert server.queries[0].spelling == 'wWw.Example'


# ---- what is believed

def forge(query, **changes):
    """A wrong answer, that is right but for the changes."""
    name = changes.get('name', query.spelling)
    forged = dns.message.make_response(dns.message.make_query(
        name, changes.get('kind', 'A')))
    forged.id = changes.get('id', query.id)
    forged.answer.append(dns.rrset.from_text(
        name + '.', 300, 'IN', 'A', '203.0.113.66'))
    return forged


@pytest.mark.parametrize('changes', [
    {'id': lambda q: q.id ^ 1},
    {'name': lambda q: 'xxx.example'},
    {'kind': lambda q: 'AAAA'},
], ids=['id', 'name', 'type'])
def test_forged_answers_do_not_end_a_query(plain, zoned, changes):
    def behave(q):
        made = {key: value(q) for key, value in changes.items()}
        return [forge(q, **made), forge(q, **made).to_wire()[:20], b'',
                plaind.Later(0.05, plaind.answer(q))]
    server = plain(behave)
    stub, _ = zoned([server.udp_entry])
    assert ask_in_turn(stub, 6) == 6
    assert is_asked_once(server)


def test_forged_answers_from_another_port(plain, zoned):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        def behave(q):
            other.sendto(forge(q).to_wire(), q.peer)
            return plaind.Later(0.05, plaind.answer(q))
        server = plain(behave)
        stub, _ = zoned([server.udp_entry])
        assert ask_in_turn(stub, 3) == 3


def test_another_spelling_is_not_believed(plain, zoned):
    def behave(q):
        return [plaind.lower_case(q), plaind.Later(0.05, plaind.answer(q))]
    server = plain(behave)
    stub, _ = zoned([server.udp_entry], random_case=True)
    forged = plaind.Query('udp', None, query('www.example').to_wire())
    assert plaind.lower_case(forged)  # the behaviour itself works
    for k in range(6):
        got = stub.udp(f'a-long-name-with-many-letters-{k}.example')
        assert got.rcode() == dns.rcode.NXDOMAIN
    assert is_asked_once(server)


def test_late_and_double_answers(plain, zoned):
    def behave(q):
        right = plaind.answer(q)
        return [right, right, plaind.Later(0.02, right)]
    server = plain(behave)
    stub, _ = zoned([server.udp_entry])
    assert ask_in_turn(stub, 50) == 50
    assert is_asked_once(server)


# ---- TCP

@pytest.mark.parametrize('size', [1300, 5000, 60000])
def test_cut_answers_are_asked_for_over_tcp(plain, zoned, size):
    server = plain()
    stub, _ = zoned([server.udp_entry])
    name = f'size-{size}.example'
    got = stub.tcp(name, 'TXT')
    want = client.parse(plaind.answer(server.over('tcp')[0]))
    assert texts(got) == texts(want)
    assert server.queries[0].transport == 'udp'
    assert stub.udp(name, 'TXT').flags & dns.flags.TC


def test_tcp_connection_is_shared_and_kept(plain, zoned):
    server = plain()
    stub, _ = zoned([server.tcp_entry], CALM)
    assert ask_in_turn(stub, 50) == 50
    answers = client.ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(100, 200)])
    assert len(answers) == 100
    assert len(set(server.names())) == 150 and not server.over('udp')
    assert server.connections == 1


def test_tcp_server_closes_after_each_answer(plain, zoned):
    server = plain(lambda q: [plaind.answer(q), plaind.CLOSE])
    stub, _ = zoned([server.tcp_entry])
    assert ask_in_turn(stub, 20) == 20
    assert server.connections >= 20


def test_tcp_closed_in_the_middle_of_an_answer(plain, zoned):
    first = plain(lambda q: plaind.CLOSE)
    second = plain()
    stub, _ = zoned([first.tcp_entry, second.tcp_entry])
    assert ask_in_turn(stub, 3) == 3
    assert first.connections and second.queries


def test_tcp_refused_after_a_cut_answer(plain, zoned):
    """Cut is what the client over UDP gets, who can ask no better."""
    server = plain(lambda q: plaind.CLOSE if q.transport == 'tcp'
                   else plaind.answer(q))
    stub, _ = zoned([server.udp_entry])
    got = stub.udp('size-3000.example', 'TXT')
    assert got.flags & dns.flags.TC and got.rcode() == dns.rcode.NOERROR


# ---- servers that fail

def test_next_server_when_one_is_silent(plain, zoned):
    first, second = plain(plaind.silent), plain()
    stub, _ = zoned([first.udp_entry, second.udp_entry])
    assert ask_in_turn(stub, 30) == 30
    assert len(set(second.names())) == 30
    assert len(set(first.names())) < 20  # set back


def test_next_server_when_a_port_is_closed(plain, zoned):
    first, second = plain(), plain()
    stub, _ = zoned([first.udp_entry, second.udp_entry])
    assert ask_in_turn(stub, 5) == 5
    assert len(set(second.names())) < 5
    first.down()
    assert ask_in_turn(stub, 20, 5) == 20
    assert {f'n{k}.many.example' for k in range(5, 25)} <= set(second.names())
    first.up()

    def is_back(_server):
        before = len(first.queries)
        ask_in_turn(stub, 1)
        return len(first.queries) > before
    first.wait(is_back, 10)
    assert ask_in_turn(stub, 40, 25) == 40
    again = {f'n{k}.many.example' for k in range(25, 65)}
    assert len(again & set(first.names())) > 20
    assert len(again & set(second.names())) < 20


@pytest.mark.parametrize('rcode', ['SERVFAIL', 'REFUSED', 'NOTIMP'])
def test_next_server_after_an_error(plain, zoned, rcode):
    first = plain(plaind.error(dns.rcode.from_text(rcode)))
    second = plain()
    stub, _ = zoned([first.udp_entry, second.udp_entry])
    assert ask_in_turn(stub, 5) == 5
    assert len(set(second.names())) == 5


def test_server_without_edns(plain, zoned):
    server = plain(plaind.without_edns)
    stub, _ = zoned([server.udp_entry])
    assert ask_in_turn(stub, 5) == 5
    have = [q.has_opt for q in server.queries]
    assert have[0] and len(set(server.names())) == 5
    # At first, before its answer was there; never again after it.
    assert not any(q.has_opt for q in server.queries
                   if q.name != 'n0.many.example')


def test_datagrams_are_lost(plain, zoned):
    """Every other one; it is asked again."""
    count = iter(range(1000))
    server = plain(lambda q: plaind.answer(q) if next(count) % 2 else None)
    stub, _ = zoned([server.udp_entry])
    assert ask_in_turn(stub, 6) == 6


def test_all_down(plain, zoned):
    first, second = plain(), plain()
    stub, _ = zoned([first.udp_entry, second.tcp_entry])
    first.down()
    second.down()
    got = stub.udp('www.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL
    (code, text), = extended_errors(got)
    assert code == 22
    assert f'{first.udp_entry} connection refused' in text
    assert f'{second.tcp_entry} ' in text and 'refused' in text
    # The others go on.
    assert stub.udp('www.public-name.net').rcode() == dns.rcode.NXDOMAIN


def test_all_silent_until_the_deadline(plain, zoned):
    server = plain(plaind.silent)
    stub, public = zoned([server.udp_entry], {'query_timeout': '1s'})
    got = stub.udp('www.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL
    assert [code for code, _ in extended_errors(got)] == [23]
    assert len(server.queries) >= 2
    assert 'www.example' not in public.names()


@pytest.mark.parametrize('strategy', ['failover', 'round_robin', 'fastest',
                                      'race'])
def test_every_strategy(plain, zoned, strategy):
    servers = [plain(), plain(plaind.silent), plain()]
    stub, _ = zoned([s.udp_entry for s in servers], strategy=strategy)
    assert ask_in_turn(stub, 40) == 40


# ---- real servers

@pytest.fixture(scope='module', params=['nsd', 'unbound'])
def real_plain(request, tmp_path_factory, leaf):
    folder = tmp_path_factory.mktemp(f'plain-{request.param}')
    kind = {'nsd': real.PlainNsd, 'unbound': real.PlainUnbound}[request.param]
    try:
        server = kind(folder, leaf).start()
    except real.Missing as e:
        pytest.skip(str(e))
    yield server
    server.stop()


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
@pytest.mark.parametrize('scheme', ['udp', 'tcp'])
def test_real_server(real_plain, zoned, scheme, transport):
    stub, _ = zoned([f'{scheme}://127.0.0.1:{real_plain.port}'],
                    random_case=True)
    for name, kind in KINDS:
        want = Zone().respond(query(name, kind))
        got = stub.ask(transport, name, kind, edns=1232)
        assert texts(got) == texts(want), (name, kind)
        assert got.rcode() == want.rcode(), (name, kind)
    record = stub.tcp('long.example', 'TXT').answer[0][0]
    assert [s.decode() for s in record.strings] == LONG_STRINGS


def test_real_server_in_a_burst(real_plain, zoned):
    stub, _ = zoned([f'udp://127.0.0.1:{real_plain.port}'])
    answers = client.ask_many_udp(stub.port, [
        query(f'n{k}.many.example', query_id=k) for k in range(200)])
    assert len(answers) == 200
