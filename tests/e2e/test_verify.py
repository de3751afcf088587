"""Who may be asked: chain, name, dates, address, pins (RFC 8310 strict,
RFC 7858 4.2). Whoever fails gets not one octet of a query."""
import datetime
import os

import dns.rcode
import pytest

from lib import certs, dotd
from lib.client import extended_errors
from lib.process import wait_until

SOON = {'query_timeout': '500ms', 'retry_min': '100ms'}


def refused(stub, server, *words):
    """SERVFAIL with the reason; the log has all words in one line; and the
    server has seen no application data."""
    got = stub.udp('www.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL
    codes = extended_errors(got)
    assert codes and codes[0][0] in (22, 23), codes
    assert server.address in codes[0][1]

    def is_logged():
        return any(all(w.lower() in line.lower() for w in words)
                   for line in stub.log().splitlines())
    wait_until(is_logged, 3, lambda: f'a log line with {words}:\n'
               + stub.log())
    assert server.connections, 'nobody even tried'
    assert not server.queries and not server.plaintext
    assert not any(b'example' in c.raw.replace(b'dot.example', b'')
                   for c in server.connections)


def accepted(stub, server):
    assert stub.udp('www.example').answer
    assert server.queries


def date(days):
    when = datetime.datetime.utcnow() + datetime.timedelta(days=days)
    return when.strftime('%Y-%m-%d')


# ---- right

@pytest.mark.parametrize('names', [
    ['dot.zone.example'], ['other.example', 'dot.zone.example'],
    ['*.zone.example'], ['DOT.Zone.Example']])
def test_names_that_fit(serve, dotstub, ca, names):
    server = serve(leaf=ca.leaf(names), name='dot.zone.example')
    accepted(dotstub([server]), server)


@pytest.mark.parametrize('names', [
    ['other.example'], ['example'], ['x.dot.example'], ['*.dot.example'],
    ['*'], ['dot.example.com'], ['d*.example']])
def test_names_that_do_not_fit(serve, dotstub, ca, names):
    server = serve(leaf=ca.leaf(names))
    stub = dotstub([server], **SOON)
    refused(stub, server, server.address, 'dot.example', names[0])


def test_common_name_alone_is_no_name(serve, dotstub, ca):
    """RFC 8310 and RFC 6125: subjectAltName only."""
    server = serve(leaf=ca.leaf([], ['192.0.2.1'],
                                common_name='dot.example'))
    refused(dotstub([server], **SOON), server, server.address)


def test_name_in_the_file_is_case_insensitive(serve, dotstub):
    server = serve(name='DOT.EXAMPLE')
    accepted(dotstub([server]), server)


# ---- dates

def test_expired(serve, dotstub, ca):
    server = serve(leaf=ca.leaf(days=(-8, -2)))
    refused(dotstub([server], **SOON), server, 'expired', date(-2))


def test_not_yet_valid(serve, dotstub, ca):
    """The likely cause is this machine's clock: the line shows it."""
    server = serve(leaf=ca.leaf(days=(2, 8)))
    refused(dotstub([server], **SOON), server, date(2), 'clock', date(0))


# ---- chains

def test_self_signed(serve, dotstub, ca):
    server = serve(leaf=ca.leaf(is_self=True))
    refused(dotstub([server], **SOON), server, server.address, 'trust')


def test_other_authority(serve, dotstub, tmp_path):
    other = certs.Authority(tmp_path, 'other')
    server = serve(leaf=other.leaf())
    refused(dotstub([server], **SOON), server, server.address, 'trust')


def test_intermediate_sent(serve, dotstub, ca, tmp_path):
    server = serve(leaf=ca.intermediate('sent').leaf())
    accepted(dotstub([server]), server)


def test_long_chain(serve, dotstub, ca):
    above = ca
    for n in range(4):
        above = above.intermediate(f'long{n}')
    server = serve(leaf=above.leaf())
    accepted(dotstub([server]), server)


def test_intermediate_missing(serve, dotstub, ca):
    server = serve(leaf=ca.intermediate('missing').leaf(send_chain=False))
    refused(dotstub([server], **SOON), server, server.address, 'trust')


def test_leaf_as_authority(serve, dotstub, ca, tmp_path):
    """A leaf's key signed another leaf: no CA bit, no chain."""
    first = ca.leaf()
    false = certs.Authority(tmp_path, 'false')
    false.cert, false.parent = first.cert, ca
    false.key = certs.serialization.load_pem_private_key(
        open(first.key_file, 'rb').read(), None)
    server = serve(leaf=false.leaf())
    refused(dotstub([server], **SOON), server, server.address, 'trust')


def test_ca_dir(serve, dotstub, ca, tmp_path):
    folder = tmp_path / 'authorities'
    folder.mkdir()
    other = certs.Authority(folder, 'other')
    (folder / 'ca.pem').write_text(open(ca.file).read())
    (folder / 'README').write_text('not a certificate\n')
    assert other.file
    server = serve()
    accepted(dotstub([server], ca_file=None, ca_dir=str(folder)), server)


def test_system_store_from_the_environment(serve, dotstub, ca):
    server = serve()
    accepted(dotstub([server], ca_file=None,
                     env={'SSL_CERT_FILE': ca.file}), server)


def test_system_store_by_itself(serve, dotstub, monkeypatch):
    """Found without being told; our authority is not in it."""
    if not os.path.exists('/etc/ssl/certs'):
        pytest.skip('no store of certificates on this machine')
    monkeypatch.delenv('SSL_CERT_FILE', raising=False)
    monkeypatch.delenv('SSL_CERT_DIR', raising=False)
    server = serve()
    refused(dotstub([server], ca_file=None, **SOON), server, '/etc/',
            'trust')


def test_ca_file_of_one_server(serve, dotstub, ca, tmp_path):
    other = certs.Authority(tmp_path, 'other')
    server = serve(leaf=other.leaf())
    entry = {'address': '127.0.0.1', 'port': server.port, 'name': 'dot.example',
             'ca_file': other.file}
    accepted(dotstub([entry]), server)


# ---- addresses

def test_ip_san_where_only_an_address_is_given(serve, dotstub, ca):
    server = serve(leaf=ca.leaf([], ['127.0.0.1']), name='')
    accepted(dotstub([server]), server)
    assert all(c.sni is None for c in server.ready)


def test_ip_san_of_ipv6(serve, dotstub, ca):
    server = serve(leaf=ca.leaf([], ['::1']), name='', address='::1')
    accepted(dotstub([server]), server)
    assert all(c.sni is None for c in server.ready)


@pytest.mark.parametrize('names,ips', [
    (['dot.example'], []), (['127.0.0.1'], []), ([], ['127.0.0.2']),
    ([], ['::1'])])
def test_ip_san_that_does_not_fit(serve, dotstub, ca, names, ips):
    server = serve(leaf=ca.leaf(names, ips), name='')
    refused(dotstub([server], **SOON), server, '127.0.0.1')


def test_name_wanted_address_found(serve, dotstub, ca):
    server = serve(leaf=ca.leaf([], ['127.0.0.1']))
    refused(dotstub([server], **SOON), server, 'dot.example')


# ---- pins

def pinned(server, *pins, **more):
    return {'address': '127.0.0.1', 'port': server.port, 'pins': list(pins),
            **more}


WRONG_PIN = 'sha256/' + 'A' * 43 + '='


def test_pin_that_fits(serve, dotstub, ca):
    leaf = ca.leaf()
    server = serve(leaf=leaf)
    accepted(dotstub([pinned(server, leaf.pin, name='dot.example')]), server)


def test_pin_any_one_of_several(serve, dotstub, ca):
    leaf = ca.leaf()
    server = serve(leaf=leaf)
    accepted(dotstub([pinned(server, WRONG_PIN, leaf.pin,
                             name='dot.example')]), server)


def test_pin_of_the_intermediate(serve, dotstub, ca):
    middle = ca.intermediate('pinned')
    server = serve(leaf=middle.leaf())
    accepted(dotstub([pinned(server, certs.spki_pin(middle.cert),
                             name='dot.example')]), server)


def test_pin_alone_needs_no_authority(serve, dotstub, ca):
    """RFC 7858's key-pinned profile: self-signed, any name."""
    leaf = ca.leaf(['whatever.example'], is_self=True)
    server = serve(leaf=leaf)
    accepted(dotstub([pinned(server, leaf.pin)]), server)


def test_pin_that_does_not_fit(serve, dotstub, ca):
    server = serve()
    refused(dotstub([pinned(server, WRONG_PIN, name='dot.example')], **SOON),
            server, 'pin')


def test_wrong_pin_without_a_name(serve, dotstub, ca):
    server = serve(leaf=ca.leaf(is_self=True))
    refused(dotstub([pinned(server, WRONG_PIN)], **SOON), server, 'pin')


def test_pin_does_not_excuse_a_wrong_name(serve, dotstub, ca):
    leaf = ca.leaf(['other.example'])
    server = serve(leaf=leaf)
    refused(dotstub([pinned(server, leaf.pin, name='dot.example')], **SOON),
            server, 'dot.example')


def test_pin_does_not_excuse_an_unknown_authority(serve, dotstub, ca):
    leaf = ca.leaf(is_self=True)
    server = serve(leaf=leaf)
    refused(dotstub([pinned(server, leaf.pin, name='dot.example')], **SOON),
            server, 'trust')


def test_pin_of_a_certificate_only_shown(serve, dotstub, ca):
    """The pinned key stands in the chain as it was sent, but vouches for
    nothing: a pin alone counts for the server's own key or for what signed
    it."""
    honest, thief = ca.leaf(), ca.leaf(['thief.example'], is_self=True)
    with open(thief.chain_file, 'a') as f:
        f.write(certs.pem(honest.cert))
    server = serve(leaf=thief)
    refused(dotstub([pinned(server, honest.pin)], **SOON), server)


# ---- the handshake

def test_sni_and_alpn(serve, dotstub):
    server = serve()
    accepted(dotstub([server]), server)
    assert {c.sni for c in server.ready} == {'dot.example'}
    assert {c.alpn for c in server.ready} == {'dot'}


@pytest.mark.parametrize('alpn', [None, ('h2', 'dot')])
def test_alpn_is_not_asked_of_the_server(serve, dotstub, alpn):
    server = serve(alpn=alpn)
    accepted(dotstub([server]), server)


@pytest.mark.parametrize('version', ['TLSv1', 'TLSv1_1'])
def test_old_versions_are_refused(serve, dotstub, version):
    old = getattr(dotd.ssl.TLSVersion, version)
    server = serve(versions=(old, old), ciphers='ALL:@SECLEVEL=0')
    refused(dotstub([server], **SOON), server, server.address)


@pytest.mark.parametrize('ciphers', [
    'ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA'])
def test_suites_without_aead_are_refused(serve, dotstub, ciphers):
    server = serve(versions=(dotd.TLS12, dotd.TLS12), ciphers=ciphers)
    refused(dotstub([server], **SOON), server, server.address)


def test_suites_without_forward_secrecy_are_refused(serve, dotstub, ca):
    """RFC 9325 4.1: no RSA key transport."""
    server = serve(leaf=ca.leaf(kind='rsa'),
                   versions=(dotd.TLS12, dotd.TLS12),
                   ciphers='AES128-GCM-SHA256')
    refused(dotstub([server], **SOON), server, server.address)


@pytest.mark.parametrize('ciphers', [
    'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305'])
def test_aead_suites(serve, dotstub, ciphers):
    server = serve(versions=(dotd.TLS12, dotd.TLS12), ciphers=ciphers)
    accepted(dotstub([server]), server)


def test_good_server_beside_a_false_one(serve, dotstub, ca):
    """The false one is first in the file: others answer, it sees nothing."""
    false = serve(leaf=ca.leaf(['false.example']))
    true = serve()
    stub = dotstub([false, true])
    for k in range(10):
        assert stub.udp(f'n{k}.many.example').answer
    assert not false.queries and not false.plaintext


def test_becomes_false_later(serve, dotstub, ca):
    """A new certificate with a wrong name: no ticket helps it."""
    server = serve()
    stub = dotstub([server], ready=[server],
                   **{**SOON, 'query_timeout': '3s'})
    accepted(stub, server)
    server.set_leaf(ca.leaf(['false.example']))
    seen = len(server.queries)
    server.each_open(lambda conn: conn.close())
    got = stub.udp('www.example')
    assert got.rcode() == dns.rcode.SERVFAIL
    assert len(server.queries) == seen
