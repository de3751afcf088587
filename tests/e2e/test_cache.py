"""The cache: what is kept, for how long, and how a hit looks."""
import threading
import time

import dns.edns
import dns.flags
import dns.rcode
import dns.rrset
import pytest

from lib import behaviours, client
from lib.cache import (AD, CALM, CD, ON, RD, Clock, asked, dig, errors, ttl,
                       ttls, wait_gone)
from lib.client import query, texts
from lib.process import wait_until
from lib.zone import LONG_STRINGS

BOTH = pytest.mark.parametrize('transport', ['udp', 'tcp'])
WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']


@pytest.fixture
def cached(serve, dotstub):
    """cached(script, **config): a server with this script, and dotstub with
    a cache before it. A pair."""
    def start(script=behaviours.serve, **config):
        server = serve(script)
        stub = dotstub([server], ready=[server], **{**ON, **CALM, **config})
        return stub, server
    return start


# ---- hits

@pytest.mark.parametrize('name,kind', [
    ('www.example', 'A'), ('hop1.example', 'AAAA'), ('mail.example', 'MX'),
    ('long.example', 'TXT'), ('private.example', 'TYPE65280'),
    ('example', 'SOA'), ('www.example', 'ANY'), ('missing.example', 'A'),
    ('only4.example', 'AAAA'), ('hop1.example', 'MX')])
def test_second_query_costs_nothing(cached, name, kind):
    """A hit is the server's answer, section by section."""
    stub, server = cached()
    first, second = (stub.tcp(name, kind, edns=1232) for _ in range(2))
    assert asked(server) == 1
    assert texts(second) == texts(first)
    assert second.authority == first.authority
    assert second.rcode() == first.rcode()
    assert second.flags == first.flags


def test_what_is_asked_often_outlives_what_is_asked_once(cached):
    """Names that come once do not drive out those that come again, however
    many they are; and an answer's first client is not a second one."""
    stub, server = cached(cache_size='256KiB')
    often = [f'n{k}.many.example' for k in range(50)]
    for _ in range(5):
        for name in often:
            assert stub.udp(name).answer
    assert asked(server) == 50
    for start in range(1000, 4000, 200):
        answers = client.ask_many_udp(stub.port, [
            query(f'n{k}.many.example', query_id=k)
            for k in range(start, start + 200)])
        assert len(answers) == 200
    wait_until(lambda: asked(server) >= 3050, 5, 'all were asked')
    before = asked(server)
    for name in often:
        assert stub.udp(name).answer
    assert asked(server) - before < 10


def test_types_and_names_are_told_apart(cached):
    stub, server = cached()
    for _ in range(2):
        assert texts(stub.udp('www.example', 'A')) == WWW
        assert texts(stub.udp('www.example', 'AAAA')) == [
            'www.example. AAAA 2001:db8::1']
        assert texts(stub.udp('only4.example', 'A')) == [
            'only4.example. A 192.0.2.4']
    assert asked(server) == 3


def test_classes_are_told_apart(cached):
    """The class is of the key: CH (REFUSED by this server) is no IN."""
    stub, _ = cached()
    for _ in range(2):
        assert stub.udp('www.example').rcode() == dns.rcode.NOERROR
        assert stub.udp('www.example', rdclass='CH').rcode() == (
            dns.rcode.REFUSED)


@BOTH
def test_id_and_spelling_come_back(cached, transport):
    stub, server = cached()
    assert stub.ask(transport, 'www.example').answer
    for number, name in enumerate(['www.example', 'WWW.EXAMPLE',
                                   'wWw.ExAmPlE']):
        message = query(name, query_id=1000 + number)
        with {'udp': client.Udp, 'tcp': client.Tcp}[transport](
                stub.port) as c:
            got = c.ask(message)
        assert got.id == 1000 + number
        assert got.question[0].name.to_text() == name + '.'
        assert {s.name.to_text() for s in got.answer} == {name + '.'}
    assert asked(server) == 1


@pytest.mark.parametrize('fill,hit', [('udp', 'tcp'), ('tcp', 'udp')])
def test_one_cache_for_both_transports(cached, fill, hit):
    stub, server = cached()
    assert texts(stub.ask(fill, 'www.example')) == WWW
    assert texts(stub.ask(hit, 'www.example')) == WWW
    assert asked(server) == 1


@pytest.mark.parametrize('fill', ['udp', 'tcp'])
def test_large_answers(cached, fill):
    """Cut over UDP, whole over TCP, one query upstream."""
    stub, server = cached(cache_size='4MiB')
    for size in (2000, 20000, 64000):
        name = f'size-{size}.example'
        stub.ask(fill, name, 'TXT', edns=1232)
        cut = stub.udp(name, 'TXT', edns=1232)
        assert cut.flags & dns.flags.TC and not cut.answer
        assert cut.edns == 0 and cut.payload == 1232
        with client.Tcp(stub.port) as c:
            c.send(query(name, 'TXT', edns=1232))
            assert size - 30 < len(c.receive()) <= size
        assert asked(server, name) == 1


def test_dig_retries_over_tcp_from_the_cache(cached):
    stub, server = cached()
    for _ in range(2):
        out = dig(stub, '+short', 'long.example', 'TXT')
        assert out.count('" "') == len(LONG_STRINGS) - 1
    assert asked(server) == 1


def test_client_sizes(cached):
    """Each client gets what fits it, of one kept answer."""
    stub, server = cached(max_udp_size=4096)
    for edns, is_cut in [(None, True), (512, True), (1500, False),
                         (1000, True), (4096, False)]:
        with client.Udp(stub.port) as c:
            data = c.ask_raw(query('size-1200.example', 'TXT', edns=edns))
        assert bool(client.parse(data).flags & dns.flags.TC) == is_cut, edns
        assert len(data) <= max(512, edns or 0)
    assert asked(server) == 1


def test_cache_size_0_is_off(cached):
    stub, server = cached(cache_size=0)
    for _ in range(3):
        assert texts(stub.udp('www.example')) == WWW
    assert asked(server) == 3


# ---- EDNS, DO, CD, AD

@pytest.mark.parametrize('first', [None, 1232])
def test_opt_is_made_for_each_client(cached, first):
    stub, server = cached()
    assert stub.udp('www.example', edns=first).answer
    assert stub.udp('www.example').edns == -1
    got = stub.udp('www.example', edns=4096)
    assert got.edns == 0 and got.payload == 1232 and not got.options
    assert asked(server) == 1


def test_keepalive_of_a_hit(cached):
    """RFC 7828: over TCP to who asks for it, not kept."""
    stub, server = cached(tcp_idle_timeout='7s')
    option = dns.edns.GenericOption(11, b'')
    got = stub.tcp('www.example', edns=1232, options=[option])
    for _ in range(2):
        got = stub.tcp('www.example', edns=1232, options=[option])
        assert [o.to_wire() for o in got.options] == [b'\0\x46']
        assert not stub.tcp('www.example', edns=1232).options
    assert asked(server) == 1


def test_do_and_cd_are_kept_apart(cached):
    """Four kinds of question, four queries, and what comes back is said."""
    stub, server = cached()
    for _ in range(2):
        for has_do in (False, True):
            for flags in (RD, RD | CD):
                got = stub.udp('www.example', edns=1232, dnssec_ok=has_do,
                               flags=flags)
                assert texts(got) == WWW
                assert bool(got.ednsflags & dns.flags.DO) == has_do
                assert got.flags & CD == flags & CD
    kinds = {(q.message.ednsflags & dns.flags.DO, q.message.flags & CD)
             for q in server.queries}
    assert len(kinds) == 4 and asked(server) == 4


def authentic(message):
    message.flags |= AD


@pytest.mark.parametrize('flags', [RD, RD | AD])
def test_ad_of_a_hit(cached, flags):
    """RFC 6840 5.8: whoever filled the cache, AD to who understands it."""
    stub, server = cached(behaviours.changing(authentic))
    assert bool(stub.udp('www.example', flags=flags).flags & AD) == (
        bool(flags & AD))
    assert not stub.udp('www.example', flags=RD).flags & AD
    assert stub.udp('www.example', flags=RD | AD).flags & AD
    assert not stub.udp('www.example', flags=RD, edns=1232).flags & AD
    assert asked(server) == 1
    for _ in range(2):
        assert stub.udp('www.example', flags=RD, edns=1232,
                        dnssec_ok=True).flags & AD
    assert asked(server) == 2


def test_ad_of_a_hit_is_never_made_up(cached):
    stub, server = cached()
    for _ in range(2):
        assert not stub.udp('www.example', flags=RD | AD).flags & AD
    assert asked(server) == 1


def test_flags_of_a_hit_are_those_of_the_first_answer(cached):
    def change(message):
        message.flags |= dns.flags.AA
    stub, _ = cached(behaviours.changing(change))
    first, second = (stub.udp('www.example') for _ in range(2))
    assert first.flags == second.flags


def test_extended_errors_are_kept(cached):
    """Filled by a client that cannot see them, given to one that can."""
    def change(message):
        message.answer = []
        message.set_rcode(dns.rcode.NXDOMAIN)
        message.authority = [soa('example', 300, 300)]
        message.use_edns(0, 0, 4096, options=[
            dns.edns.EDEOption(15, 'blocked'),
            dns.edns.GenericOption(10, b'12345678abcdefgh')])
    stub, server = cached(behaviours.changing(change))
    assert stub.udp('www.example').edns == -1
    got = stub.udp('www.example', edns=1232)
    assert client.extended_errors(got) == [(15, 'blocked')]
    assert len(got.options) == 1
    assert 'EDE: 15 (Blocked)' in dig(stub, 'www.example')
    assert asked(server) == 1


def test_answer_for_a_client_subnet_is_not_kept(cached):
    """RFC 7871 7.3.1: a scope of 0 is for all, any other is not."""
    def ecs(scope):
        def change(message):
            message.use_edns(0, 0, 4096, options=[
                dns.edns.ECSOption('198.51.100.0', 24, scope)])
        return change
    script = behaviours.answering(lambda conn, q: behaviours.frame(
        conn.answer_to(q, ecs(24 if q.name.startswith('n') else 0))))
    stub, server = cached(script)
    for _ in range(2):
        assert stub.udp('n1.many.example', edns=1232).answer
        assert stub.udp('www.example', edns=1232).answer
    assert asked(server, 'n1.many.example') == 2
    assert asked(server, 'www.example') == 1


# ---- recursion not desired

def test_without_rd(cached):
    """From the cache; what is not there is refused, and not asked for."""
    stub, server = cached()
    for edns, codes in [(None, []), (1232, [0])]:
        got = stub.udp('www.example', flags=0, edns=edns)
        assert got.rcode() == dns.rcode.REFUSED and errors(got) == codes
    assert not server.queries
    assert stub.udp('www.example').answer
    got = stub.udp('www.example', flags=0)
    assert texts(got) == WWW and not got.flags & RD
    assert 'status: NOERROR' in dig(stub, '+norecurse', 'www.example')
    assert 'status: REFUSED' in dig(stub, '+norecurse', 'mid.example', 'TXT')
    assert asked(server) == 1


# ---- time

def test_ttl_counts_down_and_ends(cached):
    """Each second takes one off; at the end the server is asked anew."""
    stub, server = cached(behaviours.lasting(2))

    def life_of(name):
        """The TTLs that were seen, up to the first fresh one."""
        seen = []

        def has_begun_anew():
            seen.append(ttl(stub.udp(name)))
            return seen[-1] == 2 and asked(server, name) > 1
        wait_until(has_begun_anew, 5, lambda: f'the end of the TTL: {seen}',
                   step_s=0.02)
        return seen
    # A machine that stands still may let a second pass unseen.
    for k in range(8):
        name = f'n{k}.many.example'
        seen = life_of(name)
        if 1 in seen and asked(server, name) == 2:
            break
    assert seen[0] == 2 and seen[-2:] == [1, 2] and asked(server, name) == 2
    assert sorted(seen[:-1], reverse=True) == seen[:-1] and min(seen) == 1


def test_ttl_is_what_is_left(cached):
    """Bounded by the clock on both sides; records keep their differences."""
    def change(message):
        message.answer[0].ttl = 100
        message.answer[-1].ttl = 50
    stub, _ = cached(behaviours.changing(change))
    clock = Clock(lambda: stub.udp('only4.example'))
    began = time.monotonic()
    assert ttls(stub.udp('hop1.example'))[0] == 100

    def has_counted():
        return clock.check(lambda: stub.udp('only4.example'), 50) < 50
    wait_until(has_counted, 3, 'one second', step_s=0.05)
    wait_until(lambda: ttls(stub.udp('hop1.example'))[0] < 100, 3,
               'one second of the other')
    first, *_, last = ttls(stub.udp('hop1.example'))
    assert 100 - (time.monotonic() - began) - 1 < first < 100
    assert first - last == 50


def test_least_ttl_of_a_chain_is_the_answers(cached):
    """hop1 ends with its shortest record, not with the first."""
    def change(message):
        message.answer[-1].ttl = 2
    stub, server = cached(behaviours.changing(change))

    def was_kept(name, count):
        """False: the machine stood still until it had ended."""
        assert ttls(stub.udp(name)) == count * [300] + [2]
        return stub.udp(name, flags=0).answer
    name = next((name for name, count in (
        ('hop1.example', 3), ('hop2.example', 2), ('hop3.example', 1))
        if was_kept(name, count)), None)
    assert name, 'not one was kept'
    wait_gone(stub, name)
    assert asked(server, name) == 1


@pytest.mark.parametrize('name', ['www.example', 'missing.example'])
def test_ttl_0_is_not_kept(cached, name):
    stub, server = cached(behaviours.lasting(0), min_ttl='10s')
    for _ in range(3):
        assert stub.udp(name).rcode() in (0, 3)
    assert asked(server) == 3


def test_top_bit_of_a_ttl_is_0(cached):
    """RFC 2181 section 8: 0x80000000 and more is 0, so not kept."""
    def make(conn, q):
        data = bytearray(conn.answer_to(q))
        at = data.index(b'\xc0\x0c\0\x01\0\x01') + 6
        data[at:at + 4] = b'\xff\xff\xff\xff'
        return behaviours.frame(bytes(data))
    stub, server = cached(behaviours.answering(make))
    for _ in range(2):
        assert stub.udp('only4.example').answer
    assert asked(server) == 2


@pytest.mark.parametrize('config,name,given,kept', [
    ({'min_ttl': '60s'}, 'www.example', 5, 60),
    ({'min_ttl': '60s'}, 'www.example', 61, 61),
    ({'max_ttl': '60s'}, 'www.example', 3600, 60),
    ({'max_ttl': '60s'}, 'www.example', 59, 59),
    ({'max_ttl': '60s'}, 'missing.example', 3600, 60),
    ({'min_ttl': '60s'}, 'missing.example', 5, 60),
    ({'max_negative_ttl': '60s'}, 'missing.example', 3600, 60),
    ({'max_negative_ttl': '60s'}, 'only4.example', 3600, 60),
    ({'max_negative_ttl': '60s'}, 'www.example', 3600, 3600),
    ({'max_negative_ttl': '30s', 'min_ttl': '60s'}, 'missing.example', 5,
     30)])
def test_bounds_of_ttls(cached, config, name, given, kept):
    stub, server = cached(behaviours.lasting(given), **config)
    kind = 'AAAA' if name == 'only4.example' else 'A'

    def ask():
        return stub.udp(name, kind)
    Clock(ask).check(ask, kept)
    assert asked(server) == 1


@pytest.mark.parametrize('config,given,kept', [
    ({'min_ttl': '60s'}, 5, 60), ({'max_ttl': '60s'}, 3600, 60)])
def test_bounds_hold_for_the_first_answer_too(cached, config, given, kept):
    """As docs/configuration.md has it: before an answer is kept and given."""
    stub, _ = cached(behaviours.lasting(given), **config)
    assert ttl(stub.udp('www.example')) == kept


# ---- answers that say no: RFC 2308

def soa(name, ttl_s, minimum_s):
    return dns.rrset.from_text(
        name + '.', ttl_s, 'IN', 'SOA',
        f'ns.example. host.example. 1 3600 600 86400 {minimum_s}')


@pytest.mark.parametrize('name,kind', [
    ('missing.example', 'A'), ('only4.example', 'AAAA')])
@pytest.mark.parametrize('ttl_s,minimum_s', [(300, 40), (40, 300)])
def test_negative_answers(cached, name, kind, ttl_s, minimum_s):
    """For the lesser of the SOA's TTL and its minimum; the SOA goes with
    it, with what is left."""
    def change(message):
        message.authority = [soa('example', ttl_s, minimum_s)]
    stub, server = cached(behaviours.changing(change))
    first = stub.udp(name, kind)

    def ask():
        got = stub.udp(name, kind)
        assert got.rcode() == first.rcode() and not got.answer
        assert got.authority[0].rdtype == dns.rdatatype.SOA
        return got
    Clock(ask).check(ask, 40, slack_s=1)
    assert asked(server) == 1


def test_negative_answer_ends(cached):
    stub, server = cached(behaviours.lasting(1))
    assert stub.udp('missing.example').rcode() == dns.rcode.NXDOMAIN
    wait_gone(stub, 'missing.example')
    assert stub.udp('missing.example').rcode() == dns.rcode.NXDOMAIN
    assert asked(server) == 2


def alias(message, *, rcode, with_soa):
    """The name is an alias (TTL 300) of one that is not there."""
    name = message.question[0].name
    message.answer = [dns.rrset.from_text(name, 300, 'IN', 'CNAME',
                                          'gone.example.')]
    message.authority = [soa('example', 300, 50)] if with_soa else []
    message.set_rcode(rcode)


@pytest.mark.parametrize('rcode', [dns.rcode.NXDOMAIN, dns.rcode.NOERROR])
@pytest.mark.parametrize('with_soa', [True, False])
def test_alias_of_nothing(cached, rcode, with_soa):
    """RFC 2308 2.1 and 2.2: kept with its CNAME, if there is a SOA."""
    stub, server = cached(behaviours.changing(
        lambda m: alias(m, rcode=rcode, with_soa=with_soa)))
    for _ in range(2):
        got = stub.udp('www.example')
        assert got.rcode() == rcode
        assert texts(got) == ['www.example. CNAME gone.example.']
    assert asked(server) == (1 if with_soa else 2)
    if with_soa:
        assert max(ttls(got)) <= 50


@pytest.mark.parametrize('name,kind', [
    ('missing.example', 'A'), ('only4.example', 'AAAA')])
def test_negative_without_soa_is_not_kept(cached, name, kind):
    def change(message):
        message.authority = []
    stub, server = cached(behaviours.changing(change))
    for _ in range(2):
        assert not stub.udp(name, kind).answer
    assert asked(server) == 2


def test_referral_is_not_kept(cached):
    """NOERROR with NS and without SOA says nothing of the name."""
    def change(message):
        message.answer = []
        message.authority = [dns.rrset.from_text('example.', 300, 'IN', 'NS',
                                                 'ns.example.')]
    stub, server = cached(behaviours.changing(change))
    for _ in range(2):
        assert stub.udp('www.example').authority
    assert asked(server) == 2


# ---- failures: RFC 9520

def test_servfail_is_kept(cached):
    """The server is not asked again while failure_ttl lasts."""
    stub, server = cached(behaviours.servfail, failure_ttl='5m')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    count = asked(server)
    for number in range(10):
        got = stub.ask('udp' if number % 2 else 'tcp', 'www.example',
                       edns=1232)
        assert got.rcode() == dns.rcode.SERVFAIL
        assert errors(got) == [13]  # Cached Error
    assert asked(server) == count


def test_servfail_is_forgotten(cached):
    """A server that is well again is asked after failure_ttl."""
    state = {'rcode': dns.rcode.SERVFAIL}

    def change(message):
        if state['rcode']:
            message.answer = []
            message.set_rcode(state['rcode'])
    stub, _ = cached(behaviours.changing(change), failure_ttl='1s')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    state['rcode'] = 0
    wait_until(lambda: texts(stub.udp('www.example')) == WWW, 5,
               'the failure is forgotten', step_s=0.02)


def test_servfail_keeps_the_servers_reason(cached):
    def change(message):
        message.answer = []
        message.set_rcode(dns.rcode.SERVFAIL)
        message.use_edns(0, 0, 4096,
                         options=[dns.edns.EDEOption(7, 'signature')])
    stub, _ = cached(behaviours.changing(change))
    for _ in range(2):
        got = stub.udp('www.example', edns=1232)
        assert got.rcode() == dns.rcode.SERVFAIL
        assert client.extended_errors(got) == [(7, 'signature')]


@pytest.mark.parametrize('code,config', [
    ('SERVFAIL', {'failure_ttl': 0}), ('REFUSED', {}), ('FORMERR', {}),
    ('NOTIMP', {})])
def test_other_errors_are_not_kept(cached, code, config):
    rcode = dns.rcode.from_text(code)
    stub, server = cached(behaviours.rcode(rcode), **config)
    for _ in range(3):
        before = asked(server)
        assert stub.udp('www.example').rcode() == rcode
        assert asked(server) > before


def test_no_answer_is_a_failure_too(cached):
    """RFC 9520 3.2: a query that the servers leave unanswered."""
    stub, server = cached(behaviours.dropping(
        lambda number, q: q.name == 'www.example'), query_timeout='500ms',
        failure_ttl='1m', answer_timeout='1m')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    server.wait(asked, what='the query')
    for _ in range(3):
        assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    assert asked(server, 'www.example') == 1
    # Others are asked for, and answered where that is not late by accident.
    assert any(stub.udp(f'n{k}.many.example').answer for k in range(8))


def test_all_down_is_not_kept(cached):
    """That nobody can be reached says nothing of the name: it is asked for
    as soon as a server is back, whatever failure_ttl is."""
    stub, server = cached(query_timeout='500ms', retry_min='50ms',
                          retry_max='100ms', failure_ttl='5m')
    server.down()
    # One that is answered late, by accident, is a failure and kept.
    queries = [query(f'n{k}.many.example', query_id=k) for k in range(8)]
    got = client.ask_many_udp(stub.port, queries)
    assert len(got) == 8
    for data, in got.values():
        assert client.parse(data).rcode() == dns.rcode.SERVFAIL
    server.up()
    wait_until(lambda: any(stub.udp(f'n{k}.many.example').answer
                           for k in range(8)), 5, 'an answer')


# ---- what is never kept

def test_truncated_answer_is_not_kept(cached):
    def change(message):
        message.flags |= dns.flags.TC
    stub, server = cached(behaviours.changing(change))
    for _ in range(2):
        assert stub.udp('www.example').flags & dns.flags.TC
    assert asked(server) == 2


@pytest.mark.parametrize('spoil', [
    behaviours.counts_lie,
    lambda conn, q: behaviours.frame(conn.answer_to(q) + b'\0garbage')],
    ids=['counts', 'trailing garbage'])
def test_broken_answer_is_not_kept(cached, spoil):
    """Once broken, then right: the broken one left nothing behind."""
    is_broken = threading.Event()
    is_broken.set()

    def make(conn, q):
        if is_broken.is_set():
            return spoil(conn, q)
        return behaviours.frame(conn.answer_to(q))
    stub, server = cached(behaviours.answering(make), query_timeout='500ms',
                          retry_min='50ms', retry_max='100ms', failure_ttl=0)
    stub.udp('www.example')
    count = asked(server)
    is_broken.clear()
    wait_until(lambda: texts(stub.udp('www.example')) == WWW, 5,
               'the right answer')
    assert asked(server) > count


def test_queries_with_records_of_their_own_pass_by(cached):
    """They may be signed: neither from the cache nor into it."""
    stub, server = cached()
    data = query('www.example', query_id=9).to_wire()
    record = b'\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01x'
    data = data[:10] + b'\x00\x01' + data[12:] + record
    with client.Udp(stub.port) as c:
        for count in (1, 2):
            assert c.ask(data).answer
            assert asked(server) == count
        assert c.ask(query('www.example')).answer
        assert asked(server) == 3
        assert c.ask(data).answer
        assert asked(server) == 4


def test_zone_transfers_and_other_opcodes_stay_refused(cached):
    stub, server = cached()
    for _ in range(2):
        assert stub.tcp('example', 'AXFR').rcode() != dns.rcode.NOERROR
    assert not server.queries


# ---- prefetch

def test_prefetch(cached):
    """In the last tenth a hit is answered at once, and the server asked once
    in the background; the fresh answer takes the old one's place."""
    is_answering = threading.Event()

    def change(message):
        message.answer[0].ttl = 4
    stub, server = cached(behaviours.while_set(is_answering, change),
                          stale_answer_after='1m', answer_timeout='1m',
                          query_timeout='1m')

    def is_refreshed(name):
        """Five hits after the server was asked, which holds still: a miss
        has no answer. False: no hit fell into the last tenth."""
        is_answering.set()
        assert stub.udp(name).answer
        is_answering.clear()
        hits = 0
        with client.Udp(stub.port) as c:
            while hits < 5:
                data = c.ask_raw(query(name), 1)
                if data is None:
                    return False
                assert texts(client.parse(data))
                hits += asked(server, name) == 2
                time.sleep(0.01)
        return True
    # A machine that is busy elsewhere may let the last tenth pass.
    names = [f'n{k}.many.example' for k in range(8)]
    name = next((n for n in names if is_refreshed(n)), None)
    assert name, 'a refresh while hits go on'
    assert asked(server, name) == 2
    is_answering.set()
    wait_until(lambda: ttl(stub.udp(name)) > 1, 3, 'fresh again')
    assert asked(server, name) == 2


def test_query_without_rd_refreshes_nothing(cached):
    """It costs no query upstream up to the end of the TTL and after it."""
    stub, server = cached(behaviours.lasting(2))

    def was_kept(name):
        """False: the machine stood still until it had ended."""
        assert stub.udp(name).answer
        return stub.udp(name, flags=0).answer
    names = [f'n{k}.many.example' for k in range(4)]
    name = next((n for n in names if was_kept(n)), None)
    assert name, 'not one was kept'
    wait_gone(stub, name)
    assert asked(server, name) == 1
