"""Names that the public DNS does not know are answered here, and nobody is
asked about them."""
import re
import shutil
import subprocess

import dns.rcode
import pytest

from lib.cache import CALM
from lib.client import rcode_text, texts
from lib.namespace import Namespace, is_possible
from lib.recorder import (Table, assert_private, dig, public_names,
                          public_server)

KINDS = ['A', 'AAAA', 'TXT', 'NS', 'SOA', 'HTTPS', 'ANY']

# Neither these nor what is below them is there.
NOWHERE = ['invalid', 'test', 'local', 'onion', 'alt', 'internal']

# The zone itself is there and empty; nothing is below it.
EMPTY = ['home.arpa', '10.in-addr.arpa', '16.172.in-addr.arpa',
         '31.172.in-addr.arpa', '168.192.in-addr.arpa', '254.169.in-addr.arpa',
         '0.in-addr.arpa', '127.in-addr.arpa', '64.100.in-addr.arpa',
         '127.100.in-addr.arpa', '2.0.192.in-addr.arpa',
         '100.51.198.in-addr.arpa', '113.0.203.in-addr.arpa',
         '255.255.255.255.in-addr.arpa', 'd.f.ip6.arpa', '8.e.f.ip6.arpa',
         'b.e.f.ip6.arpa', '8.b.d.0.1.0.0.2.ip6.arpa']

# Beside them, and like any name of the internet.
PUBLIC = ['test.example', 'notlocal', 'mylocalhost', 'onion.example',
          'example', 'example.com', 'ipv4only.arpa',
          '170.0.0.192.in-addr.arpa', '9.in-addr.arpa', '15.172.in-addr.arpa',
          '32.172.in-addr.arpa', '63.100.in-addr.arpa',
          '128.100.in-addr.arpa', '1.0.0.2.ip6.arpa', 'arpa', 'in-addr.arpa',
          'internal.example', 'homearpa']


@pytest.fixture
def pair(serve, dotstub):
    server = public_server(serve)
    return dotstub([server], ready=[server], **CALM), server


def nothing_left(server):
    assert public_names(server) == []


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
@pytest.mark.parametrize('name', NOWHERE)
def test_no_such_name(pair, name, transport):
    stub, server = pair
    for asked in (name, f'www.{name}', f'a.b.C.{name.upper()}'):
        for kind in KINDS:
            got = stub.ask(transport, asked, kind)
            assert got.rcode() == dns.rcode.NXDOMAIN, (asked, kind)
            assert not got.answer
            # What resolvers keep a "no" by: RFC 2308.
            soa, = got.authority
            assert soa.name.to_text().lower() == name + '.'
    nothing_left(server)


@pytest.mark.parametrize('name', EMPTY)
def test_empty_zones(pair, name):
    stub, server = pair
    for kind in ('A', 'PTR', 'TXT'):
        got = stub.udp(name, kind)
        assert got.rcode() == dns.rcode.NOERROR and not got.answer
        got = stub.udp(f'7.6.{name}', kind)
        assert got.rcode() == dns.rcode.NXDOMAIN
        assert got.authority
    assert stub.udp(name, 'SOA').answer
    nothing_left(server)


def test_no_designated_resolver(pair):
    """RFC 9462 section 6.4: NODATA."""
    stub, server = pair
    for name in ('resolver.arpa', '_dns.resolver.arpa'):
        got = stub.udp(name, 'SVCB')
        assert got.rcode() == dns.rcode.NOERROR
        assert not got.answer and got.authority
    nothing_left(server)


def test_localhost(pair):
    stub, server = pair
    for name in ('localhost', 'www.localhost', 'LOCALHOST'):
        asked = f'{name}. '
        assert texts(stub.udp(name, 'A')) == [asked + 'A 127.0.0.1']
        assert texts(stub.udp(name, 'AAAA')) == [asked + 'AAAA ::1']
        got = stub.udp(name, 'MX')
        assert got.rcode() == dns.rcode.NOERROR and not got.answer
    assert texts(stub.udp('1.0.0.127.in-addr.arpa', 'PTR')) == [
        '1.0.0.127.in-addr.arpa. PTR localhost.']
    ipv6 = '1.' + '0.' * 31 + 'ip6.arpa'
    assert texts(stub.udp(ipv6, 'PTR')) == [f'{ipv6}. PTR localhost.']
    assert stub.udp('2.0.0.127.in-addr.arpa', 'PTR').rcode() == 3
    nothing_left(server)


def test_names_beside_them_are_asked(pair):
    stub, server = pair
    for name in PUBLIC:
        assert stub.udp(name).rcode() == dns.rcode.NXDOMAIN
    # In this order; one may be asked for twice by accident.
    assert list(dict.fromkeys(public_names(server))) == PUBLIC
    assert_private(server)


def test_a_delegation_may_be_asked_for(pair):
    """Whether 10.in-addr.arpa is signed is for its parent to say: RFC 4035
    section 3.1.4.1."""
    stub, server = pair
    stub.udp('10.in-addr.arpa', 'DS')
    stub.udp('home.arpa', 'DS')
    assert public_names(server) == ['10.in-addr.arpa', 'home.arpa']
    stub.udp('x.home.arpa', 'DS')
    assert len(public_names(server)) == 2


def test_a_zone_claims_its_names(serve, dotstub, plain):
    ours = plain(Table({'printer.local A': '192.0.2.9',
                        'www.test A': '192.0.2.8',
                        '5.0.0.10.in-addr.arpa PTR': 'five.corp.',
                        'nas.home.arpa A': '10.0.0.3'}))
    server = public_server(serve)
    stub = dotstub([server], ready=[server], zones={
        'local': ours.udp_entry, 'www.test': ours.udp_entry,
        '10.0.0.0/8': ours.udp_entry, 'home.arpa': ours.udp_entry})
    for name, kind, data in [
            ('printer.local', 'A', '192.0.2.9'), ('www.test', 'A', '192.0.2.8'),
            ('5.0.0.10.in-addr.arpa', 'PTR', 'five.corp.'),
            ('nas.home.arpa', 'A', '10.0.0.3')]:
        assert texts(stub.udp(name, kind)) == [f'{name}. {kind} {data}']
    # Only what was claimed: its neighbours stay here.
    before = set(ours.names())
    for name in ('test', 'mail.test', 'x.internal', '1.1.168.192.in-addr.arpa'):
        assert rcode_text(stub.udp(name)) in ('NXDOMAIN', 'NOERROR')
    assert set(ours.names()) == before
    nothing_left(server)


def test_a_zone_of_all_claims_none(serve, dotstub):
    """ "." stands for the internet, which does not know these names."""
    server = public_server(serve)
    stub = dotstub([], zones={'.': [server.entry]},
                   ready=[server])
    assert stub.udp('www.test').rcode() == dns.rcode.NXDOMAIN
    nothing_left(server)


def test_real_clients(pair):
    stub, server = pair
    said = dig(stub.port, 'www.test', 'AAAA')
    assert 'status: NXDOMAIN' in said and re.search(r'flags: qr aa rd ra', said)
    said = dig(stub.port, '-x', '192.168.1.1')
    assert 'status: NXDOMAIN' in said
    if shutil.which('kdig'):
        done = subprocess.run(['kdig', '@127.0.0.1', '-p', str(stub.port),
                               '+tcp', '+short', 'localhost', 'A'],
                              capture_output=True, timeout=60, check=False)
        assert done.stdout == b'127.0.0.1\n'
    nothing_left(server)


def test_getent(tmp_path, ca):
    """What programs on the machine see, with a server that cannot be there."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    from lib.dotstub import Dotstub
    with Namespace(tmp_path) as ns:
        with Dotstub(tmp_path, ['192.0.2.53#dot.example'], ca.file, port=53,
                     prefix=ns.prefix, listen=['127.0.0.1']):
            for name in ('www.invalid', 'x.local', 'y.onion'):
                said, code = ns.run('getent', 'ahosts', name)
                assert code == 2, said
            said, code = ns.run('getent', 'ahostsv4', 'www.localhost')
            assert code == 0 and '127.0.0.1' in said
