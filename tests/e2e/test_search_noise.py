"""Names that search lists make and that are not there: no query leaves."""
import dns.rcode
import pytest

from lib.client import texts
from lib.dotstub import Dotstub
from lib.namespace import Namespace, is_possible
from lib.recorder import Table, public_names, public_server

SUFFIXES = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']


@pytest.fixture
def pod(serve, dotstub, plain):
    cluster = plain(Table({
        'db.default.svc.cluster.local A': '10.0.0.1',
        'db.prod.svc.cluster.local A': '10.0.0.2',
        'com.svc.cluster.local A': '10.0.0.3'}))
    public = public_server(serve, {'www.example.com A': '192.0.2.80'})
    stub = dotstub([public], ready=[public], search_noise=SUFFIXES,
                   zones={'cluster.local': cluster.udp_entry})
    return stub, public, cluster


def test_noise_is_answered_here(pod):
    stub, public, cluster = pod
    for suffix in SUFFIXES:
        for name in ('www.example.com', 'a.net', 'X.Example.ORG',
                     '4.3.2.1.in-addr.arpa'):
            for kind in ('A', 'AAAA'):
                got = stub.udp(f'{name}.{suffix}', kind)
                assert got.rcode() == dns.rcode.NXDOMAIN
                assert got.authority
    assert public_names(public) == [] and not cluster.queries


def test_real_names_are_found(pod):
    stub, public, cluster = pod
    for name, data in [('db.default.svc.cluster.local', '10.0.0.1'),
                       ('db.prod.svc.cluster.local', '10.0.0.2'),
                       # One label before the suffix is a service's name.
                       ('com.svc.cluster.local', '10.0.0.3')]:
        assert texts(stub.udp(name)) == [f'{name}. A {data}']
    assert texts(stub.udp('www.example.com')) == [
        'www.example.com. A 192.0.2.80']
    assert public_names(public) == ['www.example.com']
    assert len(set(cluster.names())) == 3


def test_top_level_domains_are_a_choice(serve, dotstub, plain):
    cluster = plain(Table({}))
    public = public_server(serve)
    stub = dotstub([public], ready=[public], search_noise=['corp'],
                   search_noise_tlds=['dev'], zones={'corp': cluster.udp_entry})
    assert stub.udp('www.example.dev.corp').rcode() == dns.rcode.NXDOMAIN
    assert not cluster.queries
    assert stub.udp('www.example.com.corp').rcode() == dns.rcode.NXDOMAIN
    assert set(cluster.names()) == {'www.example.com.corp'}


def test_a_zone_below_the_suffix_knows_better(serve, dotstub, plain):
    team = plain(Table({'www.example.com.team.corp A': '192.0.2.1'}))
    public = public_server(serve)
    stub = dotstub([public], search_noise=['corp'],
                   zones={'team.corp': team.udp_entry})
    assert stub.udp('www.example.com.team.corp').answer
    assert stub.udp('www.example.com.corp').rcode() == dns.rcode.NXDOMAIN
    assert public_names(public) == []


def test_what_a_pod_asks(tmp_path, ca, serve):
    """glibc with ndots:5 and a search list, as Kubernetes writes it. The
    server cannot be reached: whatever leaves would take its time and be
    SERVFAIL."""
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    with Namespace(tmp_path, options='search ' + ' '.join(SUFFIXES)
                   + '\noptions ndots:5') as ns:
        with Dotstub(tmp_path, ['192.0.2.53#dot.example'], ca.file, port=53,
                     prefix=ns.prefix, listen=['127.0.0.1'],
                     search_noise=SUFFIXES, records=[
                         'www.example.com A 192.0.2.80',
                         'web.default.svc.cluster.local A 10.0.0.7']) as stub:
            said, code = ns.run('getent', 'ahostsv4', 'www.example.com')
            assert code == 0 and '192.0.2.80' in said
            said, code = ns.run('getent', 'ahostsv4', 'web')
            assert code == 0 and '10.0.0.7' in said
            assert 'SERVFAIL' not in stub.log()
