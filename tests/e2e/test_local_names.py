"""Names that the configuration and hosts files give: answered here, asked of
nobody, and followed while the files change."""
import os
import subprocess

import dns.flags
import dns.rcode
import pytest

from lib import client
from lib.cache import CALM
from lib.client import query, texts
from lib.dotstub import Dotstub, find_binary
from lib.namespace import Namespace, is_possible
from lib.process import wait_until
from lib.recorder import (dig, public_names, public_server, wait_for_log)

HOSTS = '''127.0.0.1\tlocalhost
::1 localhost ip6-localhost
# the machines of this network
192.0.2.10  nas.lan nas   # with a disk
192.0.2.11\tPrinter.LAN\r
2001:db8::10 nas.lan
192.0.2.12 two.lan
192.0.2.13 two.lan
fe80::1%eth0 router.lan
not-an-address broken.lan
0.0.0.0 nowhere.lan
'''

RECORDS = [
    'web.lan 300 IN A 192.0.2.20', 'web.lan 300 A 192.0.2.21',
    'web.lan AAAA 2001:db8::20',
    'www.lan CNAME web.lan', 'alias.lan. 60 CNAME www.lan.',
    'out.lan CNAME www.example',
    'lan 120 MX 10 mail.lan', 'mail.lan A 192.0.2.25',
    '_dns._udp.lan SRV 1 2 53 ns.lan',
    'txt.lan TXT "with blanks; and \\"quotes\\"" second',
    '99.2.0.192.in-addr.arpa PTR named.by.hand',
    'deep.under.nothing.lan A 192.0.2.30',
]


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / 'hosts'
    path.write_text(HOSTS)
    return path


@pytest.fixture
def local(serve, dotstub, hosts):
    """dotstub with hosts and records, and the server that must see none."""
    server = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server], hosts=[str(hosts)],
                   records=RECORDS, local_ttl='90s', **CALM)
    return stub, server


def test_hosts_file(local):
    stub, server = local
    for transport in ('udp', 'tcp'):
        for name, kind, data in [
                ('nas.lan', 'A', ['192.0.2.10']),
                ('NAS.Lan', 'AAAA', ['2001:db8::10']),
                ('nas', 'A', ['192.0.2.10']),
                ('printer.lan', 'A', ['192.0.2.11']),
                ('two.lan', 'A', ['192.0.2.12', '192.0.2.13']),
                ('nowhere.lan', 'A', ['0.0.0.0'])]:
            got = stub.ask(transport, name, kind)
            assert texts(got) == [f'{name}. {kind} {d}' for d in data]
            assert got.answer[0].ttl == 90
            assert got.flags & dns.flags.AA and got.flags & dns.flags.RA
    # The name is known, this type of it is not.
    for name, kind in [('printer.lan', 'AAAA'), ('nas.lan', 'TXT')]:
        got = stub.udp(name, kind)
        assert got.rcode() == dns.rcode.NOERROR
        assert not got.answer and got.authority
    assert public_names(server) == []
    # Of no use without its scope, so it is not there; and no bad line.
    assert stub.udp('router.lan', 'AAAA').rcode() == dns.rcode.NXDOMAIN
    assert public_names(server) == ['router.lan']
    assert 'passed over: 1, the first is line 10' in stub.log()


def test_reverse_names_are_made(local):
    stub, server = local
    for address, name in [('192.0.2.10', 'nas.lan.'),
                          ('192.0.2.11', 'printer.lan.'),
                          ('2001:db8::10', 'nas.lan.'),
                          ('192.0.2.20', 'web.lan.'),
                          ('2001:db8::20', 'web.lan.'),
                          ('192.0.2.99', 'named.by.hand.')]:
        assert dig(stub.port, '+short', '-x', address).lower().strip() == name
    assert public_names(server) == []


def test_records_of_every_type(local):
    stub, server = local
    for name, kind, wanted in [
            ('web.lan', 'A', ['web.lan. A 192.0.2.20',
                              'web.lan. A 192.0.2.21']),
            ('web.lan', 'AAAA', ['web.lan. AAAA 2001:db8::20']),
            ('www.lan', 'CNAME', ['www.lan. CNAME web.lan.']),
            ('alias.lan', 'AAAA', ['alias.lan. CNAME www.lan.',
                                   'web.lan. AAAA 2001:db8::20',
                                   'www.lan. CNAME web.lan.']),
            ('lan', 'MX', ['lan. MX 10 mail.lan.']),
            ('_dns._udp.lan', 'SRV', ['_dns._udp.lan. SRV 1 2 53 ns.lan.']),
            ('txt.lan', 'TXT', ['txt.lan. TXT "with blanks; and '
                                '\\"quotes\\"" "second"']),
            ('deep.under.nothing.lan', 'A',
             ['deep.under.nothing.lan. A 192.0.2.30'])]:
        assert texts(stub.udp(name, kind)) == wanted
    assert stub.udp('web.lan', 'A').answer[0].ttl == 300
    assert stub.udp('web.lan', 'AAAA').answer[0].ttl == 90
    assert public_names(server) == []


def test_alias_that_leads_outside(local):
    """Only its first step is ours."""
    stub, _ = local
    assert texts(stub.udp('out.lan')) == ['out.lan. CNAME www.example.']


def test_names_beside_them_are_asked(local):
    stub, server = local
    for name in ('x.lan', 'a.nas.lan', 'under.nothing.lan', 'nas.lan.example'):
        assert stub.udp(name).rcode() == dns.rcode.NXDOMAIN
    assert public_names(server) == ['x.lan', 'a.nas.lan', 'under.nothing.lan',
                                    'nas.lan.example']


def test_they_come_before_all_else(serve, dotstub, plain, tmp_path, hosts):
    """Before deny lists, zones, search noise and special names."""
    deny = tmp_path / 'deny'
    deny.write_text('nas.lan\n')
    zone = plain()
    server = public_server(serve)
    stub = dotstub([server], ready=[server], hosts=str(hosts),
                   deny_lists=str(deny), zones={'lan': zone.udp_entry},
                   search_noise=['lan'],
                   records=['www.com.lan A 192.0.2.1', 'a.test A 192.0.2.2',
                            'localhost A 127.0.0.9'])
    for name, data in [('nas.lan', '192.0.2.10'), ('www.com.lan', '192.0.2.1'),
                       ('a.test', '192.0.2.2')]:
        assert texts(stub.udp(name)) == [f'{name}. A {data}']
    assert 'A 127.0.0.9' in ' '.join(texts(stub.udp('localhost')))
    assert not zone.queries and public_names(server) == []


def test_hosts_file_is_followed(serve, dotstub, hosts):
    """Replaced, written in place, gone, back; every query is answered."""
    server = public_server(serve)
    stub = dotstub([server], ready=[server], hosts=str(hosts), workers=2)

    def wait_for(data):
        def is_there():
            got = stub.udp('nas.lan')
            assert got.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
            return texts(got) == [f'nas.lan. A {d}' for d in data]
        wait_until(is_there, 10, lambda: f'{data}:\n{stub.log()}',
                   step_s=0.02)
    wait_for(['192.0.2.10'])
    new = hosts.with_suffix('.new')
    new.write_text('192.0.2.77 nas.lan\n')
    os.replace(new, hosts)
    wait_for(['192.0.2.77'])
    with hosts.open('a') as file:
        file.write('192.0.2.78 nas.lan\n')
    wait_for(['192.0.2.77', '192.0.2.78'])
    hosts.unlink()
    wait_for_log(stub, 'has changed', 3)
    hosts.write_text('192.0.2.79 nas.lan\n')
    wait_for(['192.0.2.79'])
    # Each worker takes it in a turn of its own.
    wait_until(lambda: texts(stub.udp('79.2.0.192.in-addr.arpa', 'PTR')) == [
        '79.2.0.192.in-addr.arpa. PTR nas.lan.'], 5, 'the reverse name')


def test_hosts_file_as_kubernetes_mounts_it(serve, dotstub, tmp_path):
    """A ConfigMap is a link to a file behind a link to a folder, and the
    second link is what is replaced."""
    folder = tmp_path / 'mounted'
    for number in (1, 2):
        (folder / f'..{number}').mkdir(parents=True)
        (folder / f'..{number}' / 'hosts').write_text(
            f'192.0.2.{number} nas.lan\n')
    (folder / '..data').symlink_to('..1')
    (folder / 'hosts').symlink_to('..data/hosts')
    server = public_server(serve)
    stub = dotstub([server], ready=[server], hosts=str(folder / 'hosts'))
    assert texts(stub.udp('nas.lan')) == ['nas.lan. A 192.0.2.1']
    (folder / '..data_tmp').symlink_to('..2')
    os.replace(folder / '..data_tmp', folder / '..data')
    wait_until(lambda: texts(stub.udp('nas.lan')) == ['nas.lan. A 192.0.2.2'],
               10, stub.log, step_s=0.02)


def test_hosts_file_that_is_not_there(tmp_path, ca):
    """At the start that is an error: nobody would notice later."""
    stub = Dotstub(tmp_path, ['127.0.0.1:1#dot.example'], ca.file,
                   hosts=[str(tmp_path / 'none')])
    stub.start(wait=False)
    assert stub.process.wait() == 2
    assert 'none' in stub.log()


@pytest.mark.parametrize('record, said', [
    ('www.lan A 192.0.2.256', 'not an IPv4 address'),
    ('www.lan AAAA 192.0.2.1', 'not an IPv6 address'),
    ('www.lan NAPTR 1', 'not a type known here'),
    ('*.lan A 192.0.2.1', 'wildcards'),
    ('www.lan A 192.0.2.1 192.0.2.2', 'too much'),
    ('www.lan MX mail.lan', 'not a number'),
    ('www.lan TXT "open', 'no closing quote')])
def test_records_that_are_wrong(tmp_path, record, said):
    path = tmp_path / 'wrong.yaml'
    path.write_text(f"servers: quad9\nrecords:\n  - '{record}'\n")
    done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'wrong.yaml:3:' in done.stderr and said in done.stderr


def test_size_limits_hold(serve, dotstub):
    """A local answer too long for UDP is cut, and whole over TCP."""
    server = public_server(serve)
    stub = dotstub([server], records=[
        f'many.lan A 192.0.2.{i}' for i in range(100)])
    with client.Udp(stub.port) as c:
        got = c.ask(query('many.lan'))
    assert got.flags & dns.flags.TC and len(got.to_wire()) <= 512
    assert len(texts(stub.tcp('many.lan'))) == 100
    assert dig(stub.port, '+short', 'many.lan').count('192.0.2.') == 100


def test_getent(tmp_path, ca, hosts):
    """Programs of the machine, and no server anywhere."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    hosts.write_text('192.0.2.31 host31.lan\n2001:db8::31 host31.lan\n')
    with Namespace(tmp_path, options='search lan') as ns:
        with Dotstub(tmp_path, ['192.0.2.53#dot.example'], ca.file, port=53,
                     prefix=ns.prefix, listen=['127.0.0.1'],
                     hosts=str(hosts)):
            said, code = ns.run('getent', 'ahosts', 'host31')
            assert code == 0
            assert '192.0.2.31' in said and '2001:db8::31' in said
            said, code = ns.run('getent', 'hosts', '192.0.2.31')
            assert code == 0 and 'host31.lan' in said
