"""Private addresses for public names: an attack on browsers at home."""
import subprocess

import dns.rcode
import pytest

from lib.client import extended_errors, texts
from lib.dotstub import config_text, find_binary
from lib.recorder import Table, dig, public_names, public_server

PRIVATE = {
    'A': ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1',
          '127.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    'AAAA': ['::1', '::', 'fe80::1', 'fd00::1', 'fc00::1', '::ffff:10.0.0.1',
             '::ffff:127.0.0.1'],
}
PUBLIC = {
    'A': ['192.0.2.1', '11.0.0.1', '172.32.0.1', '192.169.0.1', '128.0.0.1',
          '100.128.0.1'],
    'AAAA': ['2001:db8::1', '2606:4700::1', '::ffff:192.0.2.1'],
}


def rows(addresses):
    return [(kind, data) for kind, all_of in addresses.items()
            for data in all_of]


def name_of(number):
    return f'n{number}.example'


@pytest.fixture
def pair(serve, dotstub):
    def start(records, **config):
        server = public_server(serve, records)
        config.setdefault('rebind_protection', True)
        return dotstub([server], ready=[server], **config), server
    return start


def records_of(addresses):
    return {f'{name_of(k)} {kind}': data
            for k, (kind, data) in enumerate(rows(addresses))}


def test_private_addresses_are_not_believed(pair):
    stub, _ = pair(records_of(PRIVATE))
    for k, (kind, data) in enumerate(rows(PRIVATE)):
        for transport in ('udp', 'tcp'):
            got = stub.ask(transport, name_of(k), kind, edns=1232)
            assert not got.answer, data
            assert got.rcode() != dns.rcode.NXDOMAIN
            assert 'rebind_protection' in extended_errors(got)[0][1]
    assert 'EDE' in dig(stub.port, name_of(0))


def test_public_addresses_are(pair):
    stub, _ = pair(records_of(PUBLIC))
    for k, (kind, data) in enumerate(rows(PUBLIC)):
        assert texts(stub.udp(name_of(k), kind)) == [
            f'{name_of(k)}. {kind} {data}']


def test_one_among_many(pair):
    stub, _ = pair({'mixed.example A': ['192.0.2.1', '10.0.0.1']})
    assert not stub.udp('mixed.example').answer


def test_it_is_not_kept_either(pair):
    """From the cache it would be believed."""
    stub, server = pair({'evil.example A': '192.168.1.1'},
                        cache_size='1MiB', failure_ttl='0')
    for _ in range(3):
        assert not stub.udp('evil.example').answer
    assert public_names(server).count('evil.example') >= 1


def test_where_they_belong(serve, dotstub, plain):
    """rebind_allow, zones, records: whoever names them means them."""
    corp = plain(Table({'www.corp A': '10.0.0.1'}))
    server = public_server(serve, {'nas.home.example A': '192.168.1.2',
                                   'evil.example A': '192.168.1.1'})
    stub = dotstub([server], ready=[server], rebind_protection=True,
                   rebind_allow=['home.example'],
                   records=['router.lan A 192.168.1.1'],
                   zones={'corp': corp.udp_entry})
    for name, data in [('nas.home.example', '192.168.1.2'),
                       ('www.corp', '10.0.0.1'),
                       ('router.lan', '192.168.1.1'),
                       ('localhost', '127.0.0.1')]:
        assert texts(stub.udp(name)) == [f'{name}. A {data}']
    assert not stub.udp('evil.example').answer


def test_off_by_default(pair):
    stub, _ = pair({'evil.example A': '192.168.1.1'}, rebind_protection=None)
    assert stub.udp('evil.example').answer


def test_switched_on_while_it_runs(pair):
    """What was believed before is not, though it lies in the cache."""
    stub, _ = pair({'evil.example A': '192.168.1.1'}, rebind_protection=None,
                   cache_size='1MiB')
    assert stub.udp('evil.example').answer
    for changes in [{'rebind_allow': ['evil.example']}, {'rebind_allow': []}]:
        stub.values.update(rebind_protection=True, **changes)
        stub.config_file.write_text(config_text(
            {k: v for k, v in stub.values.items() if v is not None}))
        subprocess.run([find_binary(), 'reload', '-c', stub.config_file],
                       stdout=subprocess.DEVNULL, check=True)
        assert bool(stub.udp('evil.example').answer) == bool(
            changes['rebind_allow'])
