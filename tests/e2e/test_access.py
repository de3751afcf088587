"""Who is served, and whom dotstub tells what about others: allow, minimal
ANY, options that are not relayed."""
import os
import signal
import socket
import subprocess
import time

import dns.edns
import dns.rcode
import pytest

from lib import client
from lib.cache import CALM
from lib.client import extended_errors, query, texts
from lib.dotstub import Dotstub, config_text, find_binary
from lib.namespace import Namespace, is_possible
from lib.process import wait_until
from lib.recorder import (Table, assert_private, dig, public_names,
                          public_server)

PROHIBITED = 18  # RFC 8914
REFUSALS_PER_S = 8


@pytest.fixture
def pair(serve, dotstub):
    def start(**config):
        server = public_server(serve, {'www.example A': '192.0.2.80'})
        return dotstub([server], ready=[server], **CALM, **config), server
    return start


# ---- allow

def test_others_are_refused(pair):
    stub, server = pair(allow=['127.0.0.1'])
    assert '192.0.2.80' in dig(stub.port, 'www.example')
    said = dig(stub.port, 'www.example', '+notcp', source='127.0.0.2')
    assert 'status: REFUSED' in said and 'EDE: 18 (Prohibited)' in said
    assert 'ANSWER: 0' in said
    # Over TCP there is no connection to answer on.
    said = dig(stub.port, 'www.example', '+tcp', source='127.0.0.2')
    assert 'status:' not in said
    # Not what is answered here either.
    assert 'REFUSED' in dig(stub.port, 'localhost', source='127.0.0.2')
    assert public_names(server) == ['www.example']


def test_ranges(pair):
    stub, _ = pair(allow=['127.0.0.0/30', '127.1.0.0/16', '::1'])
    for source in ('127.0.0.1', '127.0.0.3', '127.1.255.1'):
        assert 'NOERROR' in dig(stub.port, 'www.example', source=source)
    for source in ('127.0.0.4', '127.2.0.1'):
        assert 'REFUSED' in dig(stub.port, 'www.example', source=source)


def test_few_are_told(pair):
    """Addresses may be forged: only some REFUSED leave in a second."""
    stub, server = pair(allow=['127.0.0.1'])
    got = []
    with client.Udp(stub.port) as honest:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(('127.0.0.2', 0))
            sock.connect(('127.0.0.1', stub.port))
            sock.settimeout(0.2)
            began = time.monotonic()
            for k in range(200):
                sock.send(query('www.example', query_id=k).to_wire())
            # Whoever is served waits behind them in the same queue.
            assert texts(honest.ask(query('www.example')))
            took_s = time.monotonic() - began
            try:
                while True:
                    got.append(sock.recv(4096))
            except TimeoutError:
                pass
    assert 0 < len(got) <= (2 + took_s) * REFUSALS_PER_S
    assert all(wire[3] & 15 == dns.rcode.REFUSED for wire in got)
    assert server.names().count('www.example') == 1


def test_default_ranges(tmp_path, ca):
    """Private and link-local addresses, and no others."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    with Namespace(tmp_path) as ns:
        with Dotstub(tmp_path, ['127.0.0.9#dot.example'], ca.file, port=53,
                     prefix=ns.prefix, listen=['0.0.0.0', '::']):
            # The namespace has one public and one private address.
            for to, source, status in [
                    ('127.0.0.1', '127.0.0.5', 'NOERROR'),
                    ('192.0.2.200', '192.0.2.200', 'REFUSED'),
                    ('fd00::200', 'fd00::200', 'NOERROR'),
                    ('::1', '::1', 'NOERROR')]:
                said, _ = ns.run('dig', '-r', f'@{to}', '-b', source,
                                 '+tries=1', 'localhost')
                assert f'status: {status}' in said, said


def test_an_open_door_is_warned_of(tmp_path):
    path = tmp_path / 'open.yaml'
    text = 'servers: quad9\nlisten: 192.0.2.1\nallow: any\n'

    def check(text):
        path.write_text(text)
        done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr
    warning = 'anyone is answered, without a limit'
    assert warning in check(text)
    assert warning not in check(text + 'response_rate_limit: 10\n')
    assert warning not in check(text.replace('192.0.2.1', '127.0.0.1'))


@pytest.mark.parametrize('allow', ['127.0.0.1/8', 'localhost', '10.0.0.0/33',
                                   '10.0.0.0-10.0.0.9'])
def test_ranges_that_are_wrong(tmp_path, ca, allow):
    stub = Dotstub(tmp_path, ['127.0.0.1:1#dot.example'], ca.file,
                   allow=[allow])
    stub.start(wait=False)
    assert stub.process.wait() == 2 and 'allow' in stub.log()


def test_allow_is_reloaded(pair):
    stub, _ = pair(allow=['127.0.0.1'])
    assert 'REFUSED' in dig(stub.port, 'localhost', source='127.0.0.2')
    values = {**stub.values, 'allow': ['127.0.0.2']}
    new = stub.config_file.with_suffix('.new')
    new.write_text(config_text(
        {k: v for k, v in values.items() if v is not None}))
    os.replace(new, stub.config_file)
    stub.process.signal(signal.SIGHUP)
    wait_until(lambda: 'going on with the new' in stub.log(), 10, stub.log)
    assert 'NOERROR' in dig(stub.port, 'localhost', source='127.0.0.2')
    assert 'REFUSED' in dig(stub.port, 'localhost', source='127.0.0.1')


# ---- ANY

def test_minimal_any(serve, dotstub, plain):
    """RFC 8482: one small record in place of all; zones that name servers
    are asked as ever."""
    zone = plain(Table({'www.corp A': '192.0.2.1'}))
    server = public_server(serve)
    stub = dotstub([server], ready=[server], minimal_any=True, **CALM,
                   zones={'corp': zone.udp_entry})
    for transport in ('udp', 'tcp'):
        got = stub.ask(transport, 'www.example', 'ANY')
        assert texts(got) == ['www.example. HINFO "RFC8482" ""']
    assert public_names(server) == []
    stub.udp('www.corp', 'ANY')
    assert set(zone.names()) == {'www.corp'}
    assert 'RFC8482' in dig(stub.port, 'example', 'ANY', '+notcp')


def test_any_is_forwarded_without_it(pair):
    stub, server = pair()
    stub.udp('www.example', 'ANY')
    assert public_names(server) == ['www.example']


# ---- what of others is told

def test_no_octet_of_the_client_leaves(pair):
    """Neither its address, nor its ID, nor its spelling of options."""
    stub, server = pair()
    marks = [bytes([0xa0 + i]) * 9 for i in range(4)]
    options = [dns.edns.GenericOption(65001 + i, m)
               for i, m in enumerate(marks)]
    for transport in ('udp', 'tcp'):
        got = stub.ask(transport, 'www.example', edns=1232, options=options)
        assert texts(got) and not extended_errors(got)
    assert not any(m in q.wire for q in server.queries for m in marks)
    assert_private(server)
