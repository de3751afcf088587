"""Stale answers (RFC 8767): better than none, and never in place of one."""
import subprocess
import threading
import time

import dns.flags
import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import (AD, ON, RD, STALE, STALE_NXDOMAIN, STALE_TTL_S, asked,
                       dig, errors, is_stale, ttl, ttls, wait_asked,
                       wait_gone, wait_stale)
from lib.client import query, texts
from lib.dotstub import config_text, find_binary
from lib.process import wait_until
from lib.recorder import Table

ONLY4 = ['only4.example. A 192.0.2.4']
# Nobody waits by accident: a client of these tests gives up before.
PATIENT = {**ON, 'query_timeout': '1m', 'answer_timeout': '1m',
           'stale_answer_after': '1m', 'retry_min': '50ms',
           'retry_max': '100ms'}


@pytest.fixture
def expired(serve, dotstub):
    """expired(script, *names, **config): a server, and dotstub whose cache
    has an answer to each name, past its end."""
    def start(script, *names, **config):
        server = serve(script)
        stub = dotstub([server], ready=[server], **{**PATIENT, **config})
        for name in names:
            stub.udp(name)
        for name in names:
            wait_gone(stub, name)
        assert asked(server) == len(names)
        return stub, server
    return start


def test_at_once_when_no_server_is_reachable(expired):
    """TTL 30, extended error 3, for NXDOMAIN 19; nothing is waited for; and
    fresh answers as soon as the server is back."""
    stub, server = expired(behaviours.lasting(1), 'only4.example',
                           'missing.example')
    server.down()
    for transport in ('udp', 'tcp'):
        got = stub.ask(transport, 'only4.example', edns=1232)
        assert texts(got) == ONLY4
        assert ttl(got) == STALE_TTL_S and errors(got) == [STALE]
        got = stub.ask(transport, 'missing.example', edns=1232)
        assert got.rcode() == dns.rcode.NXDOMAIN
        assert ttl(got) == STALE_TTL_S and errors(got) == [STALE_NXDOMAIN]
    got = stub.udp('ONLY4.example', query_id=77)
    assert got.edns == -1 and ttl(got) == STALE_TTL_S and got.id == 77
    assert got.question[0].name.to_text() == 'ONLY4.example.'
    assert 'EDE: 3 (Stale Answer)' in dig(stub, 'only4.example')
    server.up()
    wait_until(lambda: ttl(stub.udp('only4.example')) == 1, 5, 'fresh again')
    assert not errors(stub.udp('only4.example', edns=1232))


def test_from_fresh_to_stale(serve, dotstub):
    """The server dies within the TTL: its answers go on to their end, then
    on as stale ones; never without."""
    server = serve(behaviours.lasting(5))
    stub = dotstub([server], ready=[server], **PATIENT)
    assert ttl(stub.udp('only4.example')) == 5
    server.down()
    got = stub.udp('only4.example', edns=1232)
    assert 1 <= ttl(got) <= 5 and not is_stale(got)
    got = wait_stale(stub, 'only4.example')
    assert texts(got) == ONLY4 and ttl(got) == STALE_TTL_S
    assert asked(server) == 1


def test_every_record_has_the_ttl(expired):
    def change(message):
        message.answer[-1].ttl = 1
        for rrset in message.answer[:-1]:
            rrset.ttl = 300
    stub, server = expired(behaviours.changing(change), 'hop1.example')
    server.down()
    assert set(ttls(stub.udp('hop1.example'))) == {STALE_TTL_S}


def test_stale_is_not_authentic(serve, dotstub):
    """AD of a fresh answer is not AD of a stale one."""
    def change(message):
        message.flags |= AD
        message.answer[0].ttl = 1
    server = serve(behaviours.changing(change))
    stub = dotstub([server], ready=[server], **PATIENT)
    assert stub.udp('only4.example', flags=RD | AD).flags & AD
    server.down()
    got = wait_stale(stub, 'only4.example', flags=RD | AD)
    assert not got.flags & AD


def holding(expired, *names, ttl_s=1, **config):
    """As expired, with a server that holds its answers from then on."""
    is_answering = threading.Event()
    is_answering.set()

    def change(message):
        for rrset in message.answer + message.authority:
            rrset.ttl = ttl_s if not second else 200
    second = []
    stub, server = expired(behaviours.while_set(is_answering, change),
                           *names, **config)
    second.append(True)
    is_answering.clear()
    return stub, server, is_answering


def test_after_a_while_when_the_server_stalls(expired):
    """The query goes to the server, the stale answer to the client; the
    server's own answer is for those who come later."""
    stub, server, is_answering = holding(expired, 'only4.example',
                                         stale_answer_after='100ms')
    for transport in ('udp', 'tcp', 'udp'):
        got = stub.ask(transport, 'only4.example', edns=1232)
        assert texts(got) == ONLY4 and errors(got) == [STALE]
        assert ttl(got) == STALE_TTL_S
        wait_asked(server, 2)  # one refresh for them all
    is_answering.set()
    wait_until(lambda: ttl(stub.udp('only4.example')) != STALE_TTL_S, 5,
               'the fresh answer')
    got = stub.udp('only4.example', edns=1232)
    assert 190 < ttl(got) <= 200 and not errors(got)
    assert asked(server) == 2


def test_only_the_first_waits(expired):
    """Once a server was too slow, who asks next waits no more: ten in a row
    have their answers in half the time that they would wait."""
    stub, server, _ = holding(expired, 'only4.example',
                              stale_answer_after='3s',
                              connections_per_server=1)
    assert is_stale(stub.udp('only4.example', edns=1232))
    end = time.monotonic() + 15
    for number in range(10):
        left_s = max(0.001, end - time.monotonic())
        got = stub.ask('tcp' if number % 2 else 'udp', 'only4.example',
                       edns=1232, timeout_s=left_s)
        assert is_stale(got)
    wait_asked(server, 2)


def test_who_waits_while_the_server_thinks(expired):
    """Within stale_answer_after nothing stale is given, and a server that
    answers by then is what clients get, all of them."""
    stub, server, is_answering = holding(expired, 'only4.example')
    with client.Udp(stub.port) as one, client.Tcp(stub.port) as two:
        one.send(query('only4.example', edns=1232))
        two.send(query('only4.example', edns=1232))
        server.wait(lambda s: asked(s) == 2)
        assert one.receive(0.1) is None
        is_answering.set()
        for c in (one, two):
            got = client.parse(c.receive())
            assert texts(got) == ONLY4 and not errors(got)
            assert ttl(got) == 200
    assert asked(server) == 2


def test_all_who_wait_get_it(expired):
    """Ten that wait for the same question, told together, once each."""
    stub, server, _ = holding(expired, 'only4.example',
                              stale_answer_after='300ms')
    clients = [client.Udp(stub.port) for _ in range(10)]
    try:
        for number, c in enumerate(clients):
            c.send(query('only4.example', edns=1232, query_id=number))
        for number, c in enumerate(clients):
            got = client.parse(c.receive())
            assert got.id == number and errors(got) == [STALE]
            assert c.receive(0.01) is None
    finally:
        for c in clients:
            c.close()
    wait_asked(server, 2)


def test_without_a_stale_answer_the_server_is_waited_for(expired):
    """Another name has nothing stale; its client waits to the deadline."""
    stub, _, _ = holding(expired, 'only4.example', query_timeout='3s',
                         stale_answer_after='50ms')
    assert is_stale(stub.udp('only4.example', edns=1232))
    got = stub.udp('www.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL and not is_stale(got)


@pytest.mark.parametrize('code', ['SERVFAIL', 'REFUSED', 'NOTIMP', 'FORMERR'])
def test_error_of_the_server(expired, code):
    """RFC 8767 section 4: what is known is better than an error; and the
    server is left alone for failure_ttl."""
    state = {'code': None}

    def change(message):
        for rrset in message.answer:
            rrset.ttl = 1
        if state['code'] is not None:
            message.answer = []
            message.set_rcode(state['code'])
    stub, server = expired(behaviours.changing(change), 'only4.example',
                           failure_ttl='1m')
    state['code'] = dns.rcode.from_text(code)
    got = stub.udp('only4.example', edns=1232)
    assert texts(got) == ONLY4 and errors(got) == [STALE]
    count = asked(server)
    for _ in range(5):
        assert is_stale(stub.udp('only4.example', edns=1232))
    assert asked(server) == count


def test_nxdomain_replaces_what_was(expired):
    """A name that is gone is gone: no stale answer brings it back."""
    is_gone = []

    def change(message):
        for rrset in message.answer:
            rrset.ttl = 1
        if is_gone:
            message.answer = []
            message.set_rcode(dns.rcode.NXDOMAIN)
    stub, server = expired(behaviours.changing(change), 'only4.example')
    is_gone.append(True)
    assert stub.udp('only4.example').rcode() == dns.rcode.NXDOMAIN
    server.down()
    got = stub.udp('only4.example', flags=0, edns=1232)
    assert not texts(got)


def test_stale_without_rd(expired):
    """RD=0 is answered from the cache, stale too when no server is there."""
    stub, server = expired(behaviours.lasting(1), 'only4.example')
    server.down()
    wait_until(lambda: is_stale(stub.udp('only4.example', edns=1232)), 5,
               'the loss is seen')
    got = stub.udp('only4.example', flags=0, edns=1232)
    assert texts(got) == ONLY4 and errors(got) == [STALE]


def test_serve_stale_0(expired):
    stub, server = expired(behaviours.lasting(1), 'only4.example',
                           serve_stale=0, query_timeout='3s')
    server.down()
    for _ in range(2):
        got = stub.udp('only4.example', edns=1232)
        assert got.rcode() == dns.rcode.SERVFAIL
        assert not got.answer and not is_stale(got)


def test_serve_stale_ends(expired):
    """serve_stale past its end the answer is no more."""
    stub, server = expired(behaviours.lasting(1), 'only4.example',
                           serve_stale='1s', query_timeout='3s')
    server.down()

    def is_gone():
        got = stub.udp('only4.example', edns=1232)
        return got.rcode() == dns.rcode.SERVFAIL
    wait_until(is_gone, 5, 'the end of the stale answer', step_s=0.02)


def test_large_stale_answer(expired):
    """Cut over UDP, whole over TCP, as ever."""
    is_answering = threading.Event()
    is_answering.set()

    def change(message):
        for rrset in message.answer:
            rrset.ttl = 1
    server_script = behaviours.while_set(is_answering, change)
    stub, server = expired(server_script, cache_size='4MiB',
                           stale_answer_after='50ms')
    stub.tcp('size-20000.example', 'TXT')
    wait_gone(stub, 'size-20000.example', 'TXT')
    is_answering.clear()
    for _ in range(2):  # who waits for the server, and who does not
        with client.Tcp(stub.port) as c:
            c.send(query('size-20000.example', 'TXT', edns=1232))
            data = c.receive()
        got = client.parse(data)
        assert is_stale(got) and set(ttls(got)) == {STALE_TTL_S}
        assert len(data) > 19900
        assert stub.udp('size-20000.example', 'TXT').flags & dns.flags.TC
    server.down()
    assert is_stale(stub.tcp('size-20000.example', 'TXT', edns=1232))


def short_lived(is_ill):
    """A plain server: www.corp for a second, SERVFAIL once it is ill."""
    def behave(query):
        response = Table({'www.corp A': '192.0.2.9'}).respond(query.message)
        for rrset in response.answer:
            rrset.ttl = 1
        if is_ill.is_set():
            response.answer.clear()
            response.set_rcode(dns.rcode.SERVFAIL)
        return response
    return behave


@pytest.mark.parametrize('common, zone, is_given', [
    ('1h', 0, False), ('1h', '1s', False), (0, '1h', True),
    ('1s', '1h', True)])
def test_a_zone_has_its_own_rule(serve, dotstub, plain, common, zone,
                                 is_given):
    """How long stale answers are given: the zone's rule, less or more than
    the common one, and also right after a failure."""
    is_ill = threading.Event()
    public, corp = serve(), plain(short_lived(is_ill))
    stub = dotstub([public], ready=[public], cache_size='1MiB',
                   serve_stale=common, zones={
                       'corp': {'servers': [corp.udp_entry],
                                'serve_stale': zone}})
    assert stub.udp('www.corp').answer
    is_ill.set()
    time.sleep(2.2)  # past the TTL, and a second more
    for _ in range(3):
        assert bool(stub.udp('www.corp').answer) == is_given


def test_a_zone_that_is_not_cached_any_more(serve, dotstub, plain):
    is_ill = threading.Event()
    public, corp = serve(), plain(short_lived(is_ill))
    zone = {'servers': [corp.udp_entry]}
    stub = dotstub([public], ready=[public], cache_size='1MiB',
                   zones={'corp': zone})
    assert stub.udp('www.corp').answer
    stub.values['zones'] = {'corp': {**zone, 'cache': False}}
    stub.config_file.write_text(config_text(
        {k: v for k, v in stub.values.items() if v is not None}))
    subprocess.run([find_binary(), 'reload', '-c', stub.config_file],
                   stdout=subprocess.DEVNULL, check=True)
    is_ill.set()
    time.sleep(1.2)  # past the TTL
    assert stub.udp('www.corp').rcode() == dns.rcode.SERVFAIL
