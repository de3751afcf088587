"""Which servers a name goes to, and in which dress it leaves."""
import os
import subprocess

import dns.edns
import dns.message
import dns.rcode
import pytest

from lib import plaind, wan
from lib.cache import CALM
from lib.client import ask_many_udp, extended_errors, query, texts
from lib.dotstub import Dotstub, find_binary
from lib.process import wait_until
from lib.recorder import (Table, assert_private, dig, public_names,
                          public_server, wait_for_log)

CORP = Table({'www.corp A': '192.0.2.1', 'notdev.corp A': '192.0.2.2'})
DEV = Table({'www.dev.corp A': '192.0.2.3', 'dev.corp A': '192.0.2.4'})


# ---- the longest suffix

def test_longest_suffix(serve, dotstub, plain):
    corp, dev = plain(CORP), plain(DEV)
    public = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([public], ready=[public], zones={
        'corp': corp.udp_entry, 'Dev.Corp.': {'servers': [dev.udp_entry]}})
    for name, data in [('www.corp', '192.0.2.1'),
                       ('notdev.corp', '192.0.2.2'),
                       ('www.dev.corp', '192.0.2.3'),
                       ('dev.corp', '192.0.2.4'),
                       ('WWW.DEV.CORP', '192.0.2.3'),
                       ('www.example', '192.0.2.80')]:
        for transport in ('udp', 'tcp'):
            assert texts(stub.ask(transport, name)) == [f'{name}. A {data}']
    assert stub.udp('notcorp').rcode() == dns.rcode.NXDOMAIN
    assert stub.udp('corp.example').rcode() == dns.rcode.NXDOMAIN
    assert set(corp.names()) == {'www.corp', 'notdev.corp'}
    assert set(dev.names()) == {'www.dev.corp', 'dev.corp'}
    assert set(public_names(public)) == {'www.example', 'notcorp',
                                         'corp.example'}


def test_zone_over_tls(serve, dotstub, ca):
    """A zone may have servers that are encrypted and verified too."""
    inner = serve(leaf=ca.leaf(['dns.corp']), name='dns.corp')
    inner.zone = CORP
    impostor = serve(leaf=ca.leaf(['other.corp']), name='dns.lab')
    public = public_server(serve)
    stub = dotstub([public], ready=[public], zones={
        'corp': [inner.entry], 'lab': {'servers': [impostor.entry]}},
        query_timeout='3s')
    assert texts(stub.udp('www.corp')) == ['www.corp. A 192.0.2.1']
    assert stub.udp('www.lab').rcode() == dns.rcode.SERVFAIL
    assert public_names(public) == []
    assert not impostor.queries
    assert_private(inner)


def test_servers_of_a_zone_stand_in_for_each_other(dotstub, serve, plain):
    dead = plain(plaind.silent)
    good = plain(CORP)
    public = public_server(serve)
    stub = dotstub([public], zones={
        'corp': [dead.udp_entry, good.udp_entry]})
    assert texts(stub.udp('www.corp')) == ['www.corp. A 192.0.2.1']
    good.down()
    got = stub.udp('mail.corp', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL and extended_errors(got)
    assert public_names(public) == []  # never elsewhere


def test_zone_without_servers(serve, dotstub, plain):
    corp = plain(CORP)
    public = public_server(serve)
    stub = dotstub([public], ready=[public], zones={
        'corp': corp.udp_entry, 'old.corp': 'nxdomain'})
    for name in ('old.corp', 'www.old.corp'):
        got = stub.udp(name)
        assert got.rcode() == dns.rcode.NXDOMAIN and got.authority
    assert not corp.queries and public_names(public) == []


# ---- reverse names

def test_reverse_by_range(serve, dotstub, plain):
    corp = plain(Table({'3.2.1.10.in-addr.arpa PTR': 'ten.corp.'}))
    public = public_server(serve)
    stub = dotstub([public], ready=[public], zones={
        '10.0.0.0/8': corp.udp_entry, '198.18.0.0/15': corp.udp_entry,
        '203.0.113.64/26': corp.udp_entry, 'fd00:1::/32': corp.udp_entry,
        '2001:db8:a000::/35': corp.udp_entry})
    assert 'ten.corp.' in dig(stub.port, '+short', '-x', '10.1.2.3')
    ours = ['10.255.255.255', '198.18.0.1', '198.19.255.1', '203.0.113.64',
            '203.0.113.127', 'fd00:1::1', '2001:db8:a000::1',
            '2001:db8:bfff::1']
    for address in ours:
        dig(stub.port, '+short', '-x', address)
    asked = set(corp.names())
    assert len(asked) == 1 + len(ours)
    # Beside them: of the internet, or special.
    for address in ['11.0.0.1', '198.17.0.1', '198.20.0.1', '203.0.113.63',
                    '203.0.113.128', 'fd00:2::1', '2001:db8:c000::1']:
        dig(stub.port, '+short', '-x', address)
    assert set(corp.names()) == asked
    assert set(public_names(public)) == {
        '1.0.0.11.in-addr.arpa', '1.0.17.198.in-addr.arpa',
        '1.0.20.198.in-addr.arpa'}


# ---- resolv.conf

@pytest.fixture
def machine(tmp_path):
    """Port 53 is free on it. Servers are started on it with inside()."""
    if not wan.is_possible():
        pytest.skip('network namespaces need root')
    m = wan.Machine(tmp_path / 'machine.log')
    yield m
    m.stop()


def replace(path, text):
    new = path.with_suffix('.new')
    new.write_text(text)
    os.replace(new, path)


class InMachine:
    """dotstub on port 53 of the machine, with the zone corp or another."""

    def __init__(self, machine, folder, ca, resolv_conf, zone='corp',
                 **config):
        self.machine = machine
        self.stub = Dotstub(
            folder, ['127.0.0.7#dot.example'], ca.file, port=53,
            prefix=machine.prefix, listen=['127.0.0.1'],
            zones={zone: {'servers': {'resolv_conf': str(resolv_conf)}}},
            **config)

    def __enter__(self):
        # Not by its sockets: it is on another machine only after a moment.
        self.stub.start(wait=False)
        wait_for_log(self.stub, 'listening on')
        return self

    def __exit__(self, *_):
        self.stub.stop()

    def ask(self, name, *words):
        done = subprocess.run(
            [*self.machine.prefix, 'dig', '-r', '@127.0.0.1', '+tries=1',
             '+time=20', *words, name], stdout=subprocess.PIPE, timeout=60, check=False)
        return done.stdout.decode()

    def wait_for(self, name, data):
        wait_until(lambda: self.ask(name, '+short').strip() == data, 10,
                   lambda: f'{data}: {self.ask(name)}\n{self.stub.log()}',
                   step_s=0.05)


def test_resolv_conf_is_followed(machine, tmp_path, ca):
    """The servers of a file, which changes while queries go on."""
    first, second = [machine.inside(lambda a=a, d=d: plaind.Server(
        Table({'www.corp A': d}), address=a, port=53).start())
        for a, d in [('127.0.0.2', '192.0.2.1'), ('127.0.0.3', '192.0.2.2')]]
    path = tmp_path / 'resolv.conf'
    # Its own address is left out: it would ask itself.
    path.write_text('# by hand\nsearch corp\nnameserver 127.0.0.1\n'
                    'nameserver 127.0.0.2\noptions ndots:2\n')
    try:
        with InMachine(machine, tmp_path, ca, path) as run:
            run.wait_for('www.corp', '192.0.2.1')
            replace(path, 'nameserver 127.0.0.3\n')
            run.wait_for('www.corp', '192.0.2.2')
            seen = len(first.queries)
            assert '192.0.2.2' in run.ask('www.corp')
            assert len(first.queries) == seen
            # Written in place, as some programs do.
            path.write_text('nameserver 127.0.0.2\n')
            run.wait_for('www.corp', '192.0.2.1')
    finally:
        first.stop()
        second.stop()


def test_search_domains_need_no_copying(machine, tmp_path, ca):
    """A pod's resolv.conf says which zones are the cluster's, and who serves
    them."""
    names = ['web.default.svc.cluster.local', 'db.prod.svc.cluster.local']
    cluster = machine.inside(lambda: plaind.Server(
        Table({f'{name} A': '192.0.2.9' for name in names}),
        address='127.0.0.2', port=53).start())
    path = tmp_path / 'resolv.conf'
    path.write_text('search default.svc.cluster.local svc.cluster.local '
                    'cluster.local\nnameserver 127.0.0.2\noptions ndots:5\n')
    try:
        with InMachine(machine, tmp_path, ca, path, zone='search') as run:
            for name in names:
                run.wait_for(name, '192.0.2.9')
            seen = len(cluster.queries)
            run.ask('www.cluster.example', '+time=1')
            assert len(cluster.queries) == seen, 'a public name went there'
    finally:
        cluster.stop()


@pytest.mark.parametrize('folder', ['here', 'later'])
def test_resolv_conf_comes_later(machine, tmp_path, ca, folder):
    """The file, or its folder too: at boot another program makes them."""
    server = machine.inside(lambda: plaind.Server(
        CORP, address='127.0.0.2', port=53).start())
    path = tmp_path / folder / 'resolv.conf'
    if folder == 'here':
        path.parent.mkdir()
    try:
        with InMachine(machine, tmp_path, ca, path) as run:
            said = run.ask('www.corp')
            assert 'SERVFAIL' in said and 'has no servers' in said
            path.parent.mkdir(exist_ok=True)
            replace(path, 'nameserver 127.0.0.2\n')
            run.wait_for('www.corp', '192.0.2.1')
            path.unlink()
            wait_for_log(run.stub, 'has changed', 2)
    finally:
        server.stop()


# ---- what leaves in clear text, and what says so

def check(tmp_path, text, *words):
    path = tmp_path / 'checked.yaml'
    path.write_text(text)
    done = subprocess.run([find_binary(), 'check', '-c', path, *words],
                          capture_output=True, text=True, check=False,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize('text', [
    'servers: udp://192.0.2.53\n', 'servers: [tcp://192.0.2.53]\n',
    'servers:\n  - address: udp://192.0.2.53\n',
    'servers: {resolv_conf: /etc/resolv.conf}\n'])
def test_clear_text_is_possible_in_zones_only(tmp_path, text):
    code, _, said = check(tmp_path, text)
    assert code == 2 and 'checked.yaml:' in said


def test_check_lists_what_leaves_in_clear_text(tmp_path):
    resolv_conf = tmp_path / 'resolv.conf'
    resolv_conf.write_text('nameserver 192.0.2.55\n')
    code, said, _ = check(tmp_path, f'''servers: quad9
zones:
  corp: [udp://192.0.2.53, "tcp://192.0.2.54:5353"]
  lab: 192.0.2.60#dns.lab
  pod: {{servers: {{resolv_conf: {resolv_conf}}}}}
  gone: nxdomain
''')
    assert code == 0
    clear = [line for line in said.splitlines() if 'clear text' in line]
    assert len(clear) == 2
    assert 'udp://192.0.2.53:53, tcp://192.0.2.54:5353' in clear[0]
    assert 'pod.' in clear[1] and '192.0.2.55' in clear[1]
    assert 'encrypted: lab. to 192.0.2.60:853#dns.lab' in said


# ---- what left, as its receivers saw it

OPTIONS = [dns.edns.ECSOption('192.0.2.0', 24),
           dns.edns.GenericOption(10, b'\1' * 8),      # cookie
           dns.edns.GenericOption(3, b''),             # NSID
           dns.edns.GenericOption(11, b''),            # keepalive
           dns.edns.GenericOption(65001, b'\2' * 20),  # somebody's own
           dns.edns.GenericOption(12, bytes(64))]      # padding


def options_in(answer):
    return [int(o.otype) for o in dns.message.from_wire(
        answer.to_wire()).options]


@pytest.mark.parametrize('cache', [0, '1MiB'])
def test_every_name_where_it_belongs(serve, dotstub, plain, cache):
    """Special names: nowhere. Names of zones: to their servers. All others:
    over TLS, padded, and no option of the client with any of them."""
    cluster = plain(Table({'db.svc.cluster.local A': '10.1.2.3'}))
    public = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([public], ready=[public], cache_size=cache,
                   search_noise=['svc.cluster.local'],
                   zones={'cluster.local': cluster.udp_entry,
                          '10.0.0.0/8': cluster.udp_entry})
    special = ['x.local', 'a.test', 'localhost', 'b.onion',
               '1.1.168.192.in-addr.arpa', 'www.google.com.svc.cluster.local']
    inner = ['db.svc.cluster.local', 'no.cluster.local',
             '3.2.1.10.in-addr.arpa']
    outer = ['www.example', 'nobody.example']
    for name in special + inner + outer:
        for transport in ('udp', 'tcp'):
            got = stub.ask(transport, name, edns=1232, options=OPTIONS)
            # Nothing is padded on its way back over a plain transport.
            assert 12 not in options_in(got), name
    assert set(cluster.names()) == set(inner)
    assert set(public_names(public)) == set(outer)
    assert_private(public)
    for q in cluster.queries:
        assert q.transport == 'udp'
        assert not q.options(), q.message
    for conn in public.connections:
        assert conn.is_handshaken


def test_no_client_subnet_or_none_at_all(serve, dotstub):
    """RFC 7871: an option of a client is not passed on; on request every
    query asks that none be used."""
    for ecs, wanted in [('remove', None), ('zero', bytes.fromhex('00010000'))]:
        public = public_server(serve, {'www.example A': '192.0.2.80'})
        stub = dotstub([public], ready=[public], ecs=ecs, **CALM)
        stub.udp('www.example', edns=1232,
                 options=[dns.edns.ECSOption('198.51.100.0', 24)])
        stub.udp('no.example')
        queries = [q for q in public.queries if q.name != '.']
        assert len(queries) == 2
        for q in queries:
            assert q.options().get(8) == wanted
            assert len(q.wire) % 128 == 0
            assert b'\xc6\x33\x64' not in q.wire


# ---- a zone's own rules

def test_zone_without_cache(serve, dotstub, plain):
    corp, lab = plain(CORP), plain(Table({'www.lab A': '192.0.2.5'}))
    public = public_server(serve)
    stub = dotstub([public], ready=[public], cache_size='1MiB', zones={
        'corp': {'servers': corp.udp_entry, 'cache': False},
        'lab': lab.udp_entry})
    for _ in range(8):
        assert stub.udp('www.corp').answer and stub.udp('www.lab').answer
    # A datagram that the machine keeps for too long is sent again.
    assert len(corp.queries) >= 8 and len(lab.queries) < 5


def test_zones_from_the_environment(serve, dotstub, plain):
    corp = plain(CORP)
    public = public_server(serve)
    stub = dotstub([public], ready=[public],
                   env={'DOTSTUB_ZONES': f'corp: "{corp.udp_entry}"'})
    assert texts(stub.udp('www.corp')) == ['www.corp. A 192.0.2.1']


def test_queries_of_a_burst_all_arrive(serve, dotstub, plain):
    corp = plain(Table({f'n{k}.corp A': '192.0.2.7' for k in range(200)}))
    public = public_server(serve)
    stub = dotstub([public], ready=[public], zones={'corp': corp.udp_entry})
    got = ask_many_udp(stub.port, [query(f'n{k}.corp', query_id=k)
                                   for k in range(200)])
    assert len(got) == 200
    assert all(a[0][3] & 15 == 0 for a in got.values())
