"""The commands that need no daemon: query, pin, bench, import,
privacy."""
import asyncio
import os
import pathlib
import pty
import re
import subprocess

import dns.edns
import dns.rdata
import dns.rdatatype
import pytest
import yaml

from lib import behaviours, plaind
from lib.cache import CALM
from lib.certs import spki_pin
from lib.dotstub import config_text, find_binary
from lib.recorder import public_server


def run(*words, stdin='', timeout_s=60, **variables):
    """Exit code, standard output, standard error."""
    done = subprocess.run(
        [find_binary(), *[str(w) for w in words]], text=True, input=stdin,
        capture_output=True, timeout=timeout_s, check=False,
        env={**os.environ, **variables})
    assert 'Sanitizer' not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def configured(tmp_path, ca):
    """Write a configuration; its path."""
    def write(servers, **config):
        values = {'listen': ['127.0.0.1:5300'], 'ca_file': ca.file,
                  'hosts': [], 'servers': [getattr(s, 'entry', s)
                                           for s in servers], **config}
        path = tmp_path / 'tools.yaml'
        path.write_text(config_text(values))
        return path
    return write


# ---- query

RECORDS = {
    'a A': '192.0.2.1', 'a AAAA': '2001:db8::1', 'a NS': 'ns.example.',
    'alias CNAME': 'a.example.', 'a SOA': 'ns.a. host.a. 1 2 3 4 4294967295',
    'p PTR': 'a.example.', 'm MX': '10 mx.example.',
    't TXT': [r'"two" "words; \"quoted\" \\ \200\000"', '""'],
    's SRV': '1 2 853 ns.example.', 'c CAA': ['0 issue "ca.example; x=y"',
                                              '128 iodef ""'],
    'h HTTPS': ['1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2 '
                'ipv6hint=2001:db8::1 ech="AAEC"',
                '2 b.example. mandatory="alpn,port" alpn="h2" '
                'no-default-alpn port=1 key65000="a\\001b"',
                '0 other.example.'],
    'v SVCB': '1 a.example. key7="/dns-query{?dns}"',
    'd DS': '12345 13 2 ' + '0123456789abcdef' * 4,
    'k DNSKEY': '257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+Gq'
                'JxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==',
    'r RRSIG': 'A 13 2 300 20300101000000 20290101000000 1 example. '
               'AAECAwQFBgc=',
    'n NSEC': r'\000.n.example. A NS TXT RRSIG NSEC CAA TYPE65280',
    'n3 NSEC3': '1 0 5 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG',
    'n4 NSEC3': '1 1 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR',
    'np NSEC3PARAM': '1 0 0 -', 'tl TLSA': '3 1 1 ' + 'ab' * 32,
    'sf SSHFP': '4 2 ' + 'cd' * 32, 'dn DNAME': 'b.example.',
    'na NAPTR': '1 2 "S" "SIP+D2U" "" sip.example.',
    'hi HINFO': '"PC" "Linux"', 'u URI': '10 1 "https://example/"',
    'e TYPE108': r'\# 6 001122AABBCC', 'z ZONEMD': '1 1 1 ' + 'ef' * 48,
    'o OPENPGPKEY': 'AAECAwQF', 'x TYPE65280': r'\# 5 0102030405',
    'x TYPE65281': r'\# 0', 'rp RP': 'a.example. b.example.',
    'cs CSYNC': '66 3 A NS AAAA', 'af AFSDB': '1 a.example.',
    'kx TYPE36': r'\# 3 000100', 'cd CDS': '0 0 0 00',
}


def parsed(lines):
    """Records out of lines of dig's style, by a parser of somebody else."""
    for line in lines:
        name, ttl, klass, kind, *data = line.split(None, 4)
        assert klass == 'IN' and ttl.isdigit() and name.endswith('.')
        # This one was named after that parser was written.
        text = data[0].replace('dohpath=', 'key7=')
        yield name, dns.rdata.from_text('IN', kind, text)


def section(out, title):
    match = re.search(rf';; {title} SECTION:\n(.*?)\n\n', out, re.S)
    return match.group(1).splitlines() if match else []


@pytest.mark.parametrize('key', RECORDS)
def test_query_prints_every_type(serve, configured, key):
    """What is printed can be read back, and is what was sent."""
    name, kind = key.split()
    wanted = RECORDS[key]
    wanted = [wanted] if isinstance(wanted, str) else wanted
    named = dns.rdatatype.to_text(dns.rdatatype.from_text(kind))
    server = public_server(serve, {f'{name}.example {named}': wanted})
    code, out, err = run('query', f'{name}.example', kind, '-c',
                         configured([server]))
    assert (code, err) == (0, '')
    assert sorted(parsed(section(out, 'ANSWER'))) == sorted(
        (f'{name}.example.', dns.rdata.from_text('IN', kind, w))
        for w in wanted)
    assert f';{name}.example.' in section(out, 'QUESTION')[0]


def test_query_says_who_answered(serve, configured):
    first = serve()
    first.stop()
    server = serve()
    path = configured([first.entry, server], **CALM)
    code, out, _ = run('query', 'www.example', '-c', path)
    assert code == 0
    assert 'status: NOERROR' in out and 'flags: qr rd ra;' in out
    assert f';; SERVER: {server.entry} (TLSv1.3, TLS1-3-' in out
    assert 'full handshake, query padded to a multiple of 128)' in out
    assert f';; SERVER: {first.entry} failed: ' in out
    assert re.search(r';; Query time: [0-9.]+ ms', out)
    assert [q.name for q in server.queries] == ['www.example']


def test_query_negative_and_authority(serve, configured):
    code, out, _ = run('query', 'none.example', 'mx', '-c',
                       configured([serve()]))
    assert code == 0 and 'status: NXDOMAIN' in out
    assert 'SOA' in section(out, 'AUTHORITY')[0]


def test_query_server_of_the_command_line(serve, configured):
    wrong, right = serve(), serve()
    code, out, _ = run('query', 'www.example', '--short', '-c',
                       configured([wrong]), '--server', right.entry)
    assert code == 0
    assert sorted(out.split()) == ['192.0.2.1', '192.0.2.2']
    assert right.queries and not wrong.queries


def test_query_no_reply(serve, configured):
    server = serve(behaviours.stall_after_handshake)
    path = configured([server], query_timeout='300ms')
    code, out, _ = run('query', 'www.example', '-c', path)
    assert code == 9
    assert 'status: SERVFAIL' in out and '; EDE: 2' in out


def test_query_servers_own_failure_is_an_answer(serve, configured):
    code, out, _ = run('query', 'www.example', '-c',
                       configured([serve(behaviours.servfail)]))
    assert code == 0 and 'status: SERVFAIL' in out


def test_query_not_verified_is_not_asked(serve, configured, ca):
    server = serve(leaf=ca.leaf(['other.example']))
    code, out, _ = run('query', 'www.example', '-c',
                       configured([server], query_timeout='5s'))
    assert code == 9
    assert 'other.example' in out and not server.queries


def test_query_rules_and_zones(serve, plain, configured):
    server = serve()
    inner = plain(plaind.answer)
    path = configured([server], records=['box.lan A 192.0.2.7'],
                      zones={'example': inner.udp_entry})
    code, out, _ = run('query', 'box.lan', '-c', path, '--trace')
    assert code == 0 and '192.0.2.7' in out
    assert 'none was asked' in out and 'policy: answered here' in out
    code, out, _ = run('query', 'www.example', '-c', path)
    assert code == 0 and ';; ZONE: example.' in out
    assert 'in clear text' in out and inner.udp_entry in out
    assert not server.queries


def test_query_steps_name_what_was_answered(serve, plain, configured):
    """Of servers over TLS, of those in clear text, and of the whole."""
    server, inner = serve(), plain(plaind.answer)
    path = configured([server], zones={'lan': inner.udp_entry})
    for name, entry in (('none.example', server.entry),
                        ('none.lan', inner.udp_entry)):
        code, out, _ = run('query', name, '-c', path, '--trace')
        assert code == 0 and 'status: NXDOMAIN' in out
        assert f' {entry} answered: NXDOMAIN\n' in out
        assert re.search(r' ms  answer: NXDOMAIN, \d+ octets', out)


def test_query_cut_as_over_udp(serve, configured):
    path = configured([serve()])
    code, out, _ = run('query', 'long.example', 'TXT', '-c', path)
    assert code == 0 and 'Truncated' in out
    assert len(section(out, 'ANSWER')[0]) > 4000
    code, out, _ = run('query', 'long.example', 'TXT', '-c', path, '--tcp')
    assert code == 0 and 'Truncated' not in out


def test_query_flags(serve, configured):
    server = serve()
    run('query', 'www.example', '-c', configured([server]), '--dnssec',
        '--cd')
    message = server.queries[0].message
    assert message.ednsflags & 0x8000 and message.flags & 0x10


@pytest.mark.parametrize('words', [
    [], ['a..b'], ['a.example', 'NOTYPE'], ['a.example', 'TYPE70000'],
    ['a.example', 'A', 'more'], ['a.example', '--sever', 'x']])
def test_query_usage(words):
    code, out, err = run('query', *words)
    assert (code, out) == (64, '') and err.count('\n') == 1


def test_query_without_a_file(serve):
    """A server of the command line is enough."""
    if os.path.exists('/etc/dotstub/dotstub.yaml'):
        pytest.skip('there is a configuration')
    code, out, err = run('query', 'localhost', '--short', '--server',
                         '192.0.2.1#a.example')
    assert (code, out, err) == (0, '127.0.0.1\n', '')


@pytest.mark.parametrize('server, said', [
    ('udp://192.0.2.1', '--server: udp:// is not encrypted'),
    ('quad8', '--server: "quad8" is not known; did you mean quad9?'),
    ('192.0.2.1:x', '--server: ')])
def test_query_bad_server(server, said):
    code, out, err = run('query', 'a.example', '--server', server)
    assert (code, out) == (64, '') and said in err
    assert err.count('\n') == 1 and 'DOTSTUB' not in err


def test_bench_bad_server():
    code, out, err = run('bench', 'quad9', 'quad8')
    assert (code, out) == (64, '') and 'did you mean quad9' in err
    assert err.startswith('dotstub: bench: ') and 'DOTSTUB' not in err


def test_query_server_without_a_name_is_warned_of(configured):
    code, out, err = run('query', 'localhost', '--short', '--server',
                         '192.0.2.1', '-c', configured(['192.0.2.2#a.example']))
    assert (code, out) == (0, '127.0.0.1\n')
    assert err.startswith('dotstub: warning: --server: no name')
    assert err.count('\n') == 1


def test_query_short_says_why_there_is_nothing(serve, configured):
    code, out, err = run('query', 'none.example', '--short', '-c',
                         configured([serve()]))
    assert (code, out, err) == (0, '', 'dotstub: none.example: NXDOMAIN\n')
    gone = serve()
    gone.stop()
    code, out, err = run('query', 'www.example', '--short', '-c',
                         configured([gone]))
    assert (code, out) == (9, '')
    assert err.startswith('dotstub: www.example: SERVFAIL (No Reachable')
    assert 'refused' in err and err.count('\n') == 1


@pytest.mark.parametrize('count', [1, 3])
def test_query_does_not_wait_for_servers_that_refuse(serve, configured, count):
    """It gives up as the daemon does, long before this time is over."""
    gone = [serve() for _ in range(count)]
    for server in gone:
        server.stop()
    code, out, _ = run('query', 'www.example', '-c', configured(
        gone, query_timeout='60s'), timeout_s=40)
    assert code == 9 and 'refused' in out


def test_query_comes_back_to_a_server_that_refused(serve, configured):
    """Nothing is kept warm, and yet a dial is not the last one."""
    bad = behaviours.reset_in_handshake
    server = serve([bad, bad, behaviours.serve])
    code, out, _ = run('query', 'www.example', '--short', '-c',
                       configured([server], query_timeout='60s'), timeout_s=40)
    assert code == 0 and '192.0.2.1' in out


@pytest.mark.parametrize('words', [
    ['-c', 'FILE', 'query', 'localhost', '--short'],
    ['--config', 'FILE', 'query', '--short', 'localhost'],
    ['--config=FILE', 'query', 'localhost', '--short'],
    ['-cFILE', 'query', 'localhost', '--short'],
    ['query', '-c', 'FILE', 'localhost', '--short']])
def test_options_before_the_command(configured, words):
    path = str(configured(['192.0.2.1#a.example']))
    code, out, err = run(*[w.replace('FILE', path) for w in words])
    assert (code, out, err) == (0, '127.0.0.1\n', '')


# ---- check

def test_check_names_a_variable_with_a_slip(tmp_path):
    if os.path.exists('/etc/dotstub/dotstub.yaml'):
        pytest.skip('there is a configuration')
    code, _, err = run('check', DOTSTUB_SERVER='quad9')
    assert code == 2 and 'did you mean DOTSTUB_SERVERS?' in err


def test_check_of_the_environment_alone():
    if os.path.exists('/etc/dotstub/dotstub.yaml'):
        pytest.skip('there is a configuration')
    code, out, _ = run('check', DOTSTUB_SERVERS='quad9')
    assert code == 0 and out.startswith('the environment is good: 2 servers')
    code, _, err = run('check', DOTSTUB_SERVERS='quad9',
                       DOTSTUB_CACHE_SIZE='much')
    assert code == 2 and '-c FILE' not in err


# ---- pin

def test_pin_verified(serve, ca):
    middle = ca.intermediate('pin-middle')
    leaf = middle.leaf(['dot.example'], ['127.0.0.1'])
    server = serve(leaf=leaf)
    code, out, err = run('pin', server.entry, '--ca-file', ca.file)
    assert (code, err) == (0, '')
    pins = re.findall(r'- (sha256/\S+)', out)
    assert pins == [leaf.pin, spki_pin(middle.cert), spki_pin(ca.cert)]
    assert '# VERIFIED for this name' in out and 'dot.example' in out


def test_pin_by_address(serve, ca, leaf):
    server = serve()
    address = server.entry.split('#')[0]
    code, out, _ = run('pin', address, '--ca-file', ca.file)
    assert code == 0 and '# VERIFIED for this address' in out
    assert re.findall(r'- (sha256/\S+)', out) == [leaf.pin]


def test_pin_of_a_host_that_is_looked_up(serve, ca):
    leaf = ca.leaf(['localhost'])
    server = serve(leaf=leaf)
    port = server.entry.split('#')[0].rsplit(':', 1)[1]
    code, out, err = run('pin', f'localhost:{port}', '--ca-file', ca.file)
    assert code == 0, err
    assert leaf.pin in out and 'resolver' in out


@pytest.mark.parametrize('spoil, said', [
    ({'names': ['other.example']}, 'other.example'),
    ({'names': ['dot.example'], 'days': (-5, -2)}, 'expired'),
    ({'names': ['dot.example'], 'is_self': True}, 'not trusted')])
def test_pin_not_verified(serve, ca, spoil, said):
    leaf = ca.leaf(**spoil)
    code, out, err = run('pin', serve(leaf=leaf).entry, '--ca-file', ca.file)
    assert code == 1 and leaf.pin in out
    assert '# NOT VERIFIED' in out and 'not verified' in err
    assert '# VERIFIED' not in out
    assert said in err or said == 'not trusted'


def test_pin_system_store(serve, leaf):
    code, out, _ = run('pin', serve().entry)
    assert code == 1 and leaf.pin in out and '# NOT VERIFIED' in out


def test_pin_output_is_a_configuration(serve, ca, configured):
    """Pins alone, of a server that nobody vouches for."""
    leaf = ca.leaf(['dot.example'], is_self=True)
    server = serve(leaf=leaf)
    address = server.entry.split('#')[0]
    _, out, _ = run('pin', address)
    code, said, _ = run('query', 'www.example', '--short', '-c', '-',
                        stdin='listen: 127.0.0.1:5300\n' + out)
    assert code == 0 and '192.0.2.1' in said


def test_pin_of_an_own_authority_is_a_configuration(serve, ca, tmp_path):
    """A name wants the certificate to verify: by the same authorities, read
    from wherever."""
    here = tmp_path / 'a "ca".pem'
    here.write_bytes(pathlib.Path(ca.file).read_bytes())
    server = serve(leaf=ca.leaf(['dot.example']))
    code, out, err = run('pin', server.entry, '--ca-file',
                         os.path.relpath(here))
    assert code == 0, err
    entry, = yaml.safe_load(out)['servers']
    assert entry['ca_file'] == str(here.resolve())
    code, said, err = run('query', 'www.example', '--short', '-c', '-',
                          stdin='listen: 127.0.0.1:5300\n' + out)
    assert code == 0 and '192.0.2.1' in said, err


def test_pin_without_a_name_needs_no_authority(serve, ca, leaf):
    address = serve().entry.split('#')[0]
    code, out, _ = run('pin', address, '--ca-file', ca.file)
    assert code == 0 and 'ca_file' not in yaml.safe_load(out)['servers'][0]


def test_pin_nobody_there(serve):
    server = serve()
    server.stop()
    code, out, err = run('pin', server.entry)
    assert (code, out) == (9, '') and 'refused' in err
    code, out, err = run('pin', serve(behaviours.reset_in_handshake).entry)
    assert (code, out) == (9, '') and err


def test_pin_authorities_that_cannot_be_read(tmp_path):
    code, out, err = run('pin', '127.0.0.1:1', '--ca-file', tmp_path / 'none')
    assert (code, out) == (2, '') and 'none' in err


@pytest.mark.parametrize('words', [
    [], ['a', 'b'], ['not_a_host!'], ['dns.example:0'], ['dns.example:99999'],
    ['udp://192.0.2.1'], ['192.0.2.300'], ['']])
def test_pin_usage(words):
    code, out, err = run('pin', *words)
    assert (code, out) == (64, '') and err.count('\n') == 1


# ---- bench

def told(keepalive=None, padding=None, slow_s=None, delay_s=0, close_s=None):
    """A script: what answers say in their OPT, how late they are (slow_s:
    those for names below example.com), when idle connections are closed."""
    def change(message):
        options = []
        if keepalive is not None:
            options.append(dns.edns.GenericOption(
                11, keepalive.to_bytes(2, 'big')))
        if padding is not None:
            options.append(dns.edns.GenericOption(12, bytes(padding)))
        message.use_edns(0, options=options)

    async def script(conn):
        await conn.handshake()
        tasks = []

        async def later(query, wait_s):
            await asyncio.sleep(wait_s)
            await conn.answer(query, change)
        try:
            while True:
                query = await asyncio.wait_for(conn.query(), close_s)
                is_slow = query.name.endswith('.example.com')
                if is_slow and slow_s:
                    tasks.append(asyncio.create_task(later(query, slow_s)))
                else:
                    await later(query, delay_s)
        except asyncio.TimeoutError:
            await conn.close()
        finally:
            for task in tasks:
                task.cancel()
    return script


def rows(out):
    """The table: label to the words behind it."""
    lines = out.split('\n\n')[0].splitlines()
    assert lines[0].split()[:7] == ['SERVER', 'TLS', 'FULL', 'RESUMED', 'P50',
                                    'P95', 'P99']
    return {line.split()[0]: line.split()[1:] for line in lines[1:]}


def listed(out):
    """The entries of the list to use."""
    return yaml.safe_load('servers:' + out.split('\nservers:')[1])['servers']


def test_bench(serve, configured, ca):
    slow = serve(told(delay_s=0.4, keepalive=300))
    quick = serve(told(padding=20, slow_s=0.5))
    pinned = serve(told(delay_s=0.15), leaf=(pinned_leaf := ca.leaf()))
    gone = serve()
    gone.stop()
    wrong = serve(leaf=ca.leaf(['other.example']))
    entry = {'address': pinned.ip, 'port': pinned.port, 'name': 'dot.example',
             'pins': [pinned_leaf.pin], 'ca_file': str(ca.file)}
    path = configured([slow, gone, entry, quick, wrong])
    code, out, err = run('bench', '-c', path, '--queries', '8')
    assert (code, err) == (0, '')
    table = rows(out)
    assert list(table) == [quick.entry, pinned.entry, slow.entry]
    for words in table.values():
        version, full, resumed, p50, p95, p99 = words[:6]
        assert version == 'TLSv1.3'
        assert float(full) > 0 and float(resumed) > 0
        assert float(p50) <= float(p95) <= float(p99)
    assert float(table[slow.entry][3]) >= 400
    assert table[quick.entry][6:] == ['out', 'yes', '-']
    assert table[slow.entry][6:] == ['in', 'no', '30.0', 's']
    assert listed(out) == [quick.entry, entry, slow.entry]
    assert f'# left out: {gone.entry} (' in out
    assert 'other.example' in out and not wrong.queries
    # Polite, and private: two connections, a bounded number of queries.
    assert len(quick.connections) == 2 and quick.connections[1].is_resumed
    assert len(quick.queries) == 1 + 8 + 5 + 1
    assert all(len(q.wire) % 128 == 0 for q in quick.queries)


def test_bench_servers_of_the_command_line(serve, configured):
    other, first, second = serve(), serve(), serve()
    code, out, _ = run('bench', first.entry, second.entry, '-c',
                       configured([other]), '--queries', '1')
    assert code == 0 and not other.connections
    assert sorted(listed(out)) == sorted([first.entry, second.entry])


def test_bench_idle(serve, configured):
    closes, stays = serve(told(close_s=1)), serve()
    code, out, _ = run('bench', '-c', configured([closes, stays]), '--idle',
                       '4', '--queries', '2')
    assert code == 0
    table = rows(out)
    assert 0.5 <= float(table[closes.entry][-2]) <= 4
    assert table[stays.entry][-3:] == ['>', '4', 's']


def test_bench_nobody_answers(serve, configured):
    silent = serve(behaviours.reset_after_query)
    code, out, _ = run('bench', '-c', configured([silent]))
    assert code == 1 and 'none of them answers' in out
    assert f'left out: {silent.entry}' in out


def test_bench_closes_after_a_few(serve, configured):
    server = serve(behaviours.close_after(5))
    code, out, _ = run('bench', '-c', configured([server]))
    assert code == 0 and list(rows(out)) == [server.entry]


def on_terminal(*words, **variables):
    """Standard error is a terminal; what came there."""
    ours, theirs = pty.openpty()
    done = subprocess.run([find_binary(), *[str(w) for w in words]],
                          stdout=subprocess.PIPE, stderr=theirs, timeout=60,
                          check=False, env={**os.environ, **variables})
    os.close(theirs)
    data = b''
    try:
        while more := os.read(ours, 65536):
            data += more
    except OSError:
        pass
    os.close(ours)
    assert done.returncode == 0
    return data.decode()


def test_bench_bar(serve, configured):
    path = configured([serve()])
    said = on_terminal('bench', '-c', path, TERM='xterm', NO_COLOR='1')
    assert '100 %' in said and '\x1b' not in said
    assert max(map(len, said.split('\r'))) < 80
    assert on_terminal('bench', '-c', path, TERM='dumb') == ''


@pytest.mark.parametrize('words', [
    ['--idle', '0'], ['--idle', '301'], ['--queries', 'x'],
    ['--queries', '101'], ['--idle'], ['--fast']])
def test_bench_usage(words):
    code, out, err = run('bench', *words)
    assert (code, out) == (64, '') and err.count('\n') == 1


# ---- import

IMPORTED = {
    'stubby': ("""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS, GETDNS_TRANSPORT_UDP]
tls_authentication: GETDNS_AUTHENTICATION_NONE
tls_query_padding_blocksize: 256
edns_client_subnet_private : 1
round_robin_upstreams: 1
idle_timeout: 10000
timeout: 5000
listen_addresses:
  - 127.0.0.1
  - 0::1
  - 127.0.0.1@8053
tls_min_version: GETDNS_TLS1_3
dnssec: GETDNS_EXTENSION_TRUE
appdata_dir: "/var/cache/stubby"
upstream_recursive_servers:
  - address_data: 192.0.2.15
    tls_auth_name: "a.example"
    tls_pubkey_pinset:
      - digest: "sha256"
        value: 62lKu9HsDVbyiPenApnc4sfmSYTHOVfFgL3pyB+cBL4=
  - address_data: 2001:db8::15
    tls_auth_name: "b.example"
    tls_port: 8530
""", {
        'listen': ['127.0.0.1', '::1', '127.0.0.1:8053'],
        'servers': [
            {'address': '192.0.2.15', 'name': 'a.example',
             'pins': ['sha256/62lKu9HsDVbyiPenApnc4sfmSYTHOVfFgL3pyB+cBL4=']},
            '[2001:db8::15]:8530#b.example'],
        'padding_block': 256, 'ecs': 'zero', 'strategy': 'round_robin',
        'query_timeout': '5000ms'},
        ['line 3: GETDNS_TRANSPORT_UDP', 'line 4: ', 'line 8: idle_timeout',
         'line 14: tls_min_version', 'line 15: dnssec',
         'line 16: appdata_dir', 'line 18: dotstub wants the name']),
    'unbound': ("""
server:
\tinterface: 127.0.0.1
\tinterface: ::1@5353
\tport: 5335 # behind them
\tdo-ip6: no
forward-zone:
\tname: "."   # all
\tforward-addr: 192.0.2.1@853#a.example
\tforward-addr: 2001:db8::1@8853#b.example # why
\tforward-tls-upstream: yes
\tforward-first: yes
\tforward-host: dns.example
forward-zone:
\tname: "corp.example"
\tforward-addr: 10.0.0.1
\tforward-addr: 10.0.0.2@5353
forward-zone:
  name: tls.example.
  forward-ssl-upstream: yes
  forward-addr: 10.0.0.3#dns.tls.example
remote-control:
\tcontrol-enable: yes
include: "/etc/unbound/more.conf"
""", {
        'listen': ['127.0.0.1:5335', '[::1]:5353'],
        'servers': ['192.0.2.1#a.example',
                    '[2001:db8::1]:8853#b.example'],
        'zones': {'corp.example': ['udp://10.0.0.1',
                                   'udp://10.0.0.2:5353'],
                  'tls.example.': ['10.0.0.3#dns.tls.example']}},
        ['line 6: do-ip6', 'line 12: forward-first', 'line 13: forward-host',
         'line 22: remote-control', 'line 24: include: '
         '/etc/unbound/more.conf was not read; import it']),
    'resolved': ("""
# comment
[Network]
DNS=192.0.2.99
[Resolve]
DNS=192.0.2.1#a.example [2001:db8::1]:8853#b.example
 2001:db8::2
FallbackDNS = 192.0.2.3#c.example
Domains=~.
DNSOverTLS=opportunistic
DNSSEC=allow-downgrade
DNSStubListenerExtra=udp:192.0.2.9:5353
ReadEtcHosts=no
StaleRetentionSec=3600
""".replace('\n 2001:db8::2', ' 2001:db8::2#d.example'), {
        'listen': ['127.0.0.1', '::1', '192.0.2.9:5353'],
        'servers': ['192.0.2.1#a.example', '[2001:db8::1]:8853#b.example',
                    '2001:db8::2#d.example'],
        'hosts': [], 'serve_stale': '3600s'},
        ['line 7: FallbackDNS', 'line 9: DNSOverTLS=op',
         'line 10: DNSSEC=']),
    'dnsdist': ("""
acl: ["127.0.0.0/8", "2001:db8::/32"]
binds:
  - {listen_address: "127.0.0.1:5300", protocol: Do53}
  - listen_address: "::1"
  - {listen_address: "0.0.0.0:443", protocol: DoH}
backends:
  - address: "192.0.2.1:853"
    protocol: DoT
    weight: 10
    tls: {provider: openssl, subject_name: a.example,
          validate_certificates: false}
  - {address: "[2001:db8::1]:8853", protocol: "dot",
     tls: {subject_name: b.example}, pools: [x]}
  - {address: 192.0.2.53, protocol: Do53}
load_balancing_policies: {default_policy: roundrobin}
webserver: {listen_address: "127.0.0.1:8083"}
""", {
        'listen': ['127.0.0.1:5300', '::1'],
        'servers': [{'address': '192.0.2.1', 'name': 'a.example',
                     'weight': 10}, '[2001:db8::1]:8853#b.example'],
        'allow': ['127.0.0.0/8', '2001:db8::/32'],
        'strategy': 'round_robin'},
        ['line 6: listening on 0.0.0.0:443 for DoH', 'line 11: validate_cert',
         'line 13: pools', 'line 15: 192.0.2.53 was asked in clear text',
         'line 17: webserver']),
    'dnsdist-lua': ("""
-- newServer("192.0.2.99")
setLocal("127.0.0.1:5300")
addLocal('[::1]:5300')
newServer({address="192.0.2.1:853", tls="openssl", subjectName="a.example"})
newServer{tls='gnutls',  address = '[2001:db8::1]:8853',
newServer{address='[2001:db8::1]:853', tls='gnutls', subjectName='b.example'}
newServer("192.0.2.53")
setServerPolicy(leastOutstanding)
setACL({'0.0.0.0/0'})
""".replace("newServer{tls='gnutls',  address = '[2001:db8::1]:8853',\n",
            'newServer(of(something))\n'), {
        'listen': ['127.0.0.1:5300', '[::1]:5300'],
        'servers': ['192.0.2.1#a.example', '2001:db8::1#b.example'],
        'strategy': 'fastest', 'allow': ['0.0.0.0/0']},
        ['line 6: newServer: its address', 'line 8: 192.0.2.53 was asked']),
    'proxy': ("""
SOCKET_ADDRESS: ['0.0.0.0', 5353]
DNS_SERVERS:
  - {host: 192.0.2.1, port: 8853, hostname: a.example}
  - ip: 2001:db8::1
    name: b.example
  - 192.0.2.3:853
TIMEOUT: 3
""", {
        'listen': ['0.0.0.0:5353'],
        'servers': ['192.0.2.1:8853#a.example', '2001:db8::1#b.example',
                    '192.0.2.3']},
        ['line 7: 192.0.2.3:853 has no name', 'line 8: TIMEOUT']),
}


@pytest.mark.parametrize('kind', IMPORTED)
@pytest.mark.parametrize('is_named', [False, True])
def test_import(tmp_path, kind, is_named):
    text, wanted, notes = IMPORTED[kind]
    path = tmp_path / 'theirs'
    path.write_text(text)
    code, out, err = run('import', path,
                         *(['--from', kind] if is_named else []))
    assert code == 0, err
    assert yaml.safe_load(out) == wanted
    comments = [c for c in out.splitlines() if c.startswith('#   line ')]
    assert len(comments) == len(notes), comments
    for note, comment in zip(notes, comments):
        assert comment[4:].startswith(note)
    ours = tmp_path / 'ours.yaml'
    ours.write_text(out)
    assert run('check', '-c', ours)[0] == 0


def test_import_from_standard_input():
    code, out, _ = run('import', '-', stdin=IMPORTED['proxy'][0])
    assert code == 0 and yaml.safe_load(out) == IMPORTED['proxy'][1]


@pytest.mark.parametrize('text, where', [
    ('upstream_recursive_servers:\n  - tls_port: 853\n', ':2:'),
    ('upstream_recursive_servers:\n  - address_data: 1.2.3\n', ':2:'),
    ('upstream_recursive_servers: x\n', ':1:'),
    ('upstream_recursive_servers:\n  - address_data: 1.2.3.4\n'
     '    tls_pubkey_pinset: [{digest: sha256, value: abc}]\n', ':3:'),
    ('upstream_recursive_servers: [\n', ':2:'),
    ('backends:\n  - protocol: DoT\n', ':2:'),
    ('binds: 3\nbackends: 4\n', ':1:'),
    ('[Resolve]\nDNS=here\n', ':2:'),
    ('[Resolve]\nDNS\n', ':2:'),
    ('DNS_SERVERS:\n  - {port: 1}\n', ':2:'),
    ('SOCKET_ADDRESS: []\nDNS_SERVERS: 9.9.9.9\n', ':1:'),
    ('forward-zone:\n  forward-addr: nowhere\n', ':2:'),
    ('forward-zone:\n  what\n', ':2:'),
    ('newServer("nowhere")\n', ':1:'),
    ('nameserver 127.0.0.1\n', '--from stubby, unbound, resolved')])
def test_import_errors_name_file_and_line(tmp_path, text, where):
    path = tmp_path / 'theirs.conf'
    path.write_text(text)
    code, out, err = run('import', path)
    assert (code, out) == (1, '')
    assert err.startswith(f'{path}:') and where in err


def test_import_of_a_file_that_cannot_be_read(tmp_path):
    assert run('import', tmp_path / 'none')[0] == 1
    assert run('import', tmp_path)[0] == 1
    path = tmp_path / 'empty'
    path.write_text('')
    assert run('import', path, '--from', 'stubby')[0] == 1
    path.write_bytes(b'\xff\xfe[Resolve]\nDNS=\x00')
    assert run('import', path, '--from', 'resolved')[0] in (1, 2)


def imported(text, expect=0):
    """The result and the comments on it."""
    code, out, err = run('import', '-', stdin=text)
    assert code == expect, err
    return yaml.safe_load(out), [c for c in out.splitlines()
                                 if c.startswith('#   line ')]


RESOLVED = '[Resolve]\nDNS=192.0.2.1#a.example\nDNSOverTLS=yes\n'


@pytest.mark.parametrize('lines, wanted, notes', [
    ('', {'hosts': 'system'}, []),
    ('ReadEtcHosts=yes\n', {'hosts': 'system'}, []),
    ('ReadEtcHosts=no\n', {'hosts': []}, []),
    # its own address, which is not named there, beside the others
    ('DNSStubListenerExtra=192.0.2.9\nDNSStubListener=yes\n',
     {'hosts': 'system',
      'listen': ['127.0.0.1', '::1', '192.0.2.9']},
     ['DNSStubListener=yes: on 127.0.0.1 and ::1']),
    ('DNSStubListenerExtra=192.0.2.9\nDNSStubListener=no\n',
     {'hosts': 'system', 'listen': ['192.0.2.9']}, []),
    ('DNSStubListenerExtra=udp:127.0.0.1\nDNSStubListenerExtra=tcp:127.0.0.1\n',
     {'hosts': 'system', 'listen': ['127.0.0.1', '::1']}, []),
    ('DNSStubListener=no\n', {'hosts': 'system'},
     ['DNSStubListener=no: dotstub has to listen']),
    ('Domains=~. a.example ~b.example\n', {'hosts': 'system'},
     ['Domains=a.example: a search suffix', 'Domains=~b.example: all names']),
])
def test_import_of_resolved(lines, wanted, notes):
    found, comments = imported(RESOLVED + lines)
    assert found == {'servers': ['192.0.2.1#a.example'], **wanted}
    assert [c.split(': ', 1)[1][:len(n)] for c, n in zip(comments, notes)
            ] == notes
    assert len(comments) == len(notes), comments


UNBOUND = ('forward-zone:\n name: .\n forward-tls-upstream: yes\n'
           ' forward-addr: 192.0.2.1#a.example\n')


def test_import_keeps_a_zone_without_an_address_from_the_public_servers():
    """Its names would leave for servers that they are not meant for."""
    found, comments = imported(
        UNBOUND + 'forward-zone:\n name: lan\n forward-host: router.lan\n'
        'stub-zone:\n name: corp.example\n stub-addr: ns.corp.example@53\n',
        expect=2)
    assert found == {'servers': ['192.0.2.1#a.example'],
                     'zones': {'lan': 'nxdomain', 'corp.example': 'nxdomain'}}
    assert any('forward-host router.lan: dotstub wants addresses' in c
               for c in comments)
    assert any('zone lan has no server' in c for c in comments)


def test_import_leaves_a_name_among_addresses_out():
    found, comments = imported(UNBOUND + ' forward-addr: dns.example@853\n')
    assert found == {'servers': ['192.0.2.1#a.example']}
    assert 'dns.example@853: dotstub wants addresses' in comments[0]


def test_import_of_unbound_settings():
    found, comments = imported(
        'server:\n cache-max-ttl: 3600\n cache-min-ttl: 0\n'
        ' cache-max-negative-ttl: 99999999\n num-threads: 2\n'
        ' serve-expired: no\n serve-expired-ttl: 60\n'
        ' access-control: 10.0.0.0/8 allow\n access-control: 0.0.0.0/0 deny\n'
        ' private-address: 10.0.0.0/8\n private-domain: "corp.example"\n'
        ' msg-cache-size: 4m\n' + UNBOUND +
        'stub-zone:\n name: in.example\n stub-addr: 10.0.0.1\n')
    assert found == {
        'servers': ['192.0.2.1#a.example'], 'max_ttl': '3600s',
        'min_ttl': 0, 'workers': 2, 'serve_stale': 0,
        'allow': ['10.0.0.0/8', '127.0.0.0/8', '::1'],
        'rebind_protection': True, 'rebind_allow': ['corp.example'],
        'zones': {'in.example': ['udp://10.0.0.1']}}
    assert [c.split(': ')[1] for c in comments][:4] == [
        'cache-max-negative-ttl', 'access-control', 'private-address',
        'msg-cache-size']
    assert len(comments) == 5


FORWARD = 'forward-zone:\n name: a.example\n forward-addr: 10.0.0.1\n'


@pytest.mark.parametrize('text, wanted', [
    (FORWARD, 'udp://10.0.0.1'),
    (FORWARD + ' forward-tcp-upstream: yes\n', 'tcp://10.0.0.1'),
    (FORWARD + ' forward-tcp-upstream: no\n', 'udp://10.0.0.1'),
    (FORWARD + ' forward-tcp-upstream: yes\n forward-tls-upstream: yes\n',
     '10.0.0.1'),
    ('server:\n tcp-upstream: yes\n' + FORWARD, 'tcp://10.0.0.1')])
def test_import_of_unbound_keeps_the_transport(text, wanted):
    found, _ = imported(UNBOUND + text)
    assert found['zones'] == {'a.example': [wanted]}


def test_import_tells_that_a_stub_zone_is_asked_for_recursion():
    _, comments = imported(UNBOUND + FORWARD)
    assert comments == []
    _, comments = imported(UNBOUND + 'stub-zone:\n name: in.example\n'
                           ' stub-addr: 10.0.0.1\n stub-addr: 10.0.0.2\n')
    assert len(comments) == 1
    assert 'line 6: stub-zone in.example' in comments[0]
    assert 'recursion' in comments[0]


@pytest.mark.parametrize('name, lines', [
    ('stubby.yml', []), ('mine.yml', ['# (stubby.yml).'])])
def test_import_names_the_file_once(tmp_path, name, lines):
    path = tmp_path / name
    path.write_text(IMPORTED['stubby'][0])
    _, out, _ = run('import', path)
    head = out.split('#\n')[0].splitlines()
    assert head == [f"# dotstub's configuration, made from {path}", *lines]


def test_import_of_a_file_of_includes():
    code, out, _ = run('import', '-', stdin='include-toplevel: "/etc/u/*.conf"')
    assert code == 2 and '/etc/u/*.conf was not read; import it' in out


def test_import_of_access_lists_in_lua():
    server = ('newServer({address="192.0.2.1", tls="openssl", '
              'subjectName="a.example"})\n')
    found, _ = imported(server + 'setACL({"10.0.0.0/8", "::1"})\n'
                        'addACL("192.0.2.0/24")\n')
    assert found['allow'] == ['10.0.0.0/8', '::1', '192.0.2.0/24']
    found, _ = imported(server + 'addACL("192.0.2.0/24")\n')
    assert found['allow'][-1] == '192.0.2.0/24'
    assert '127.0.0.0/8' in found['allow'] and len(found['allow']) == 10


def test_import_without_a_server_is_told(tmp_path):
    path = tmp_path / 'theirs'
    path.write_text('[Resolve]\nDNS=\n')
    code, out, err = run('import', path)
    assert code == 2 and '# servers: quad9' in out and 'mended' in err


def test_import_lets_no_value_become_a_key(tmp_path):
    path = tmp_path / 'a\nuser: root'
    path.write_text('[Resolve]\nDNS=192.0.2.1#a.example\n'
                    'Domains=x\rlisten: 0.0.0.0\n')
    code, out, _ = run('import', path)
    assert code == 0
    assert yaml.safe_load(out) == {'servers': ['192.0.2.1#a.example'],
                                   'hosts': 'system'}


@pytest.mark.parametrize('words', [
    [], ['a', 'b'], ['a', '--from', 'stuby'], ['a', '--form', 'stubby']])
def test_import_usage(words):
    code, out, err = run('import', *words)
    assert (code, out) == (64, '') and err.count('\n') == 1


# ---- privacy

GOOD = 'Nothing but TLS to the servers of the configuration left.\n'
MORE = 'MORE than TLS to the servers of the configuration left.\n'


def seen(out):
    """Lines on what left, and whether packets were seen."""
    match = re.search(r'^(left the program, every packet seen|sockets of the '
                      r'program, as they were seen):\n((?:  .*\n)*)', out, re.M)
    return match.group(2).splitlines(), match.group(1).startswith('left')


@pytest.fixture(params=['namespace', 'sockets'])
def privacy(request):
    """Run the command in both of its ways."""
    def command(*words):
        options = ['--no-namespace'] if request.param == 'sockets' else []
        code, out, err = run('privacy', *words, *options)
        has_packets = seen(out)[1]
        if request.param == 'namespace' and not has_packets:
            pytest.skip('namespaces are not allowed here')
        assert has_packets == (request.param == 'namespace')
        return code, out, err
    return command


def test_privacy_nothing_but_tls(serve, configured, privacy):
    server = serve()
    code, out, _ = privacy('www.example', 'long.example', '-c',
                           configured([server], **CALM))
    assert code == 0 and GOOD in out and MORE not in out
    assert '  www.example A: NOERROR, 2 records' in out
    lines, _ = seen(out)
    assert len(lines) == 1 and f'TCP to {server.address}' in lines[0]
    assert [q.name for q in server.queries] == ['www.example', 'long.example']


def test_privacy_shows_clear_text(serve, plain, configured, privacy):
    """A control: what is not TLS is found."""
    inner = plain(plaind.answer)
    path = configured([serve()], zones={'corp.example': inner.udp_entry},
                      query_timeout='3s')
    code, out, _ = privacy('www.corp.example', 'www.example', '-c', path)
    assert code == 1 and MORE in out and GOOD not in out
    lines, _ = seen(out)
    assert any(line.startswith(f'  UDP to {inner.address}')
               and 'CLEAR TEXT' in line for line in lines)
    assert any(line.startswith('  TCP') for line in lines)


@pytest.mark.parametrize('place, is_clear', [
    ('tcp://192.0.2.9:6000', True), ('tcp://127.0.0.1:6000', False),
    ('unix:/nowhere/socket', False), ('off', None)])
def test_privacy_tells_of_dnstap(serve, configured, privacy, place, is_clear):
    path = configured([serve()], dnstap=place)
    code, out, err = privacy('www.example', '-c', path)
    lines, _ = seen(out)
    finding = [line for line in lines if 'CLEAR TEXT' in line]
    limits = out.split('What this does not show:')[1]
    assert code == (1 if is_clear else 0), err
    assert (GOOD in out) == (not is_clear)
    assert ('dnstap' in limits and place in limits) == (is_clear is not None)
    assert ('clear text' in limits) == bool(is_clear)
    assert len(finding) == bool(is_clear)
    if is_clear:
        assert f'to {place} with clients' in finding[0]
        assert 'MORE than TLS leaves: dnstap' in out


def test_privacy_local_names_send_nothing(serve, configured, privacy):
    server = serve()
    code, out, _ = privacy('localhost', '-c', configured([server]))
    assert code == 0 and seen(out)[0] == ['  nothing']
    assert not server.connections


def test_privacy_sees_servers_that_are_away(serve, configured):
    """Addresses that lead nowhere from here are seen in the namespace."""
    server = serve()
    code, out, _ = run('privacy', 'www.example', '-c', configured(
        [server, '192.0.2.77#a.example', '[2001:db8::7]:8853#b.example']))
    if not seen(out)[1]:
        pytest.skip('namespaces are not allowed here')
    assert code == 0 and GOOD in out and ': NOERROR, 2' in out
    assert f'TLS records and nothing else ({server.entry})' in out


def test_privacy_usage(configured):
    assert run('privacy', '--namespace')[0] == 64
    code, out, err = run('privacy', 'localhost', 'a..b', '-c',
                         configured(['192.0.2.1']))
    assert (code, out) == (64, '') and 'a..b' in err


def test_privacy_says_why_a_name_was_not_found(serve, configured):
    gone = serve()
    gone.stop()
    code, out, _ = run('privacy', 'www.example', '--no-namespace', '-c',
                       configured([gone]))
    assert code == 0 and 'www.example A: SERVFAIL (No Reachable' in out
    assert 'not looked at (--no-namespace)' in out and 'not allowed' not in out
