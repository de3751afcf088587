"""Deny lists: what is on them is answered here, and a list may be replaced
while queries go on."""
import os
import signal
import threading
import time

import dns.rcode
import pytest

from lib import client
from lib.cache import CALM
from lib.client import extended_errors, query, texts
from lib.dotstub import Dotstub
from lib.process import wait_until
from lib.recorder import dig, public_names, public_server

BLOCKED, FILTERED = 15, 17  # RFC 8914
MILLION = 1_000_000
MIB = 1 << 20

DOMAINS = '''# a list of domains
ads.example
*.tracker.example   # and what is below it
||counter.example^
! a comment of filter lists
[Adblock Plus 2.0]
Sub.Domain.Example.
not a line that means anything
'''

HOSTS = '''127.0.0.1 localhost
::1 localhost
0.0.0.0 hosted.example second.hosted.example
0.0.0.0\tlast.example\r
127.0.0.1 loop.example # reason
:: six.example
192.0.2.1 mapped.example
'''

DENIED = ['ads.example', 'www.ads.example', 'ADS.Example', 'tracker.example',
          'a.b.tracker.example', 'counter.example', 'sub.domain.example',
          'hosted.example', 'x.hosted.example', 'last.example', 'loop.example',
          'six.example']
NOT_DENIED = ['example', 'myads.example', 'domain.example', 'ads.example.net',
              'exampl', 'mapped.example', 'ads.examplee']


@pytest.fixture
def lists(tmp_path):
    (tmp_path / 'domains').write_text(DOMAINS)
    (tmp_path / 'hosts').write_text(HOSTS)
    return [str(tmp_path / 'domains'), str(tmp_path / 'hosts')]


@pytest.mark.parametrize('transport', ['udp', 'tcp'])
def test_both_formats(serve, dotstub, lists, transport):
    server = public_server(serve)
    stub = dotstub([server], ready=[server], deny_lists=lists, **CALM)
    for name in DENIED:
        for kind in ('A', 'AAAA', 'HTTPS', 'TXT', 'ANY'):
            got = stub.ask(transport, name, kind, edns=1232)
            assert got.rcode() == dns.rcode.NXDOMAIN, name
            assert extended_errors(got)[0][0] == BLOCKED
            assert got.authority and not got.answer
        # Nothing is added for a client that has no EDNS.
        assert not stub.ask(transport, name).options
    assert public_names(server) == []
    for name in NOT_DENIED:
        stub.ask(transport, name)
    assert public_names(server) == NOT_DENIED
    assert stub.udp('localhost').answer  # hosts files name it


def test_names_and_exceptions_of_the_configuration(serve, dotstub, lists):
    server = public_server(serve, {'good.ads.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server], deny_lists=lists, **CALM,
                   deny_names=['own.example', 'wild.example'],
                   deny_except=['good.ads.example', 'fine.own.example'])
    for name in ('own.example', 'www.own.example', 'wild.example'):
        got = stub.udp(name, edns=1232)
        assert got.rcode() == dns.rcode.NXDOMAIN
        assert extended_errors(got)[0][0] == FILTERED
    got = stub.udp('ads.example', edns=1232)
    assert extended_errors(got)[0][0] == BLOCKED
    assert texts(stub.udp('good.ads.example')) == [
        'good.ads.example. A 192.0.2.80']
    stub.udp('x.fine.own.example')
    assert public_names(server) == ['good.ads.example', 'x.fine.own.example']


def test_answer_zero(serve, dotstub, lists):
    server = public_server(serve)
    stub = dotstub([server], ready=[server], deny_lists=lists, **CALM,
                   deny_answer='zero')
    for kind, data in [('A', '0.0.0.0'), ('AAAA', '::')]:
        got = stub.udp('www.ads.example', kind, edns=1232)
        assert texts(got) == [f'www.ads.example. {kind} {data}']
        assert extended_errors(got)[0][0] == BLOCKED
    got = stub.udp('ads.example', 'HTTPS')
    assert got.rcode() == dns.rcode.NOERROR
    assert not got.answer and got.authority
    assert public_names(server) == []


def test_what_dig_shows(serve, dotstub, lists):
    server = public_server(serve)
    stub = dotstub([server], deny_lists=lists)
    said = dig(stub.port, 'ads.example')
    assert 'status: NXDOMAIN' in said and 'EDE: 15 (Blocked)' in said


def test_before_zones_and_behind_the_cache(serve, dotstub, plain, tmp_path):
    """A list that comes later takes names from the cache too."""
    zone = plain()
    path = tmp_path / 'list'
    path.write_text('denied.corp\n')
    server = public_server(serve, {'www.later.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server], deny_lists=str(path), **CALM,
                   zones={'corp': zone.udp_entry}, cache_size='1MiB')
    assert stub.udp('denied.corp').rcode() == dns.rcode.NXDOMAIN
    assert not zone.queries
    assert stub.udp('www.later.example').answer
    path.write_text('later.example\n')
    wait_until(lambda: not stub.udp('www.later.example').answer, 10,
               'the new list', step_s=0.02)


def test_a_list_that_is_not_there_is_an_error(tmp_path, ca):
    """Nothing may be answered that should have been denied."""
    stub = Dotstub(tmp_path, ['127.0.0.1:1#dot.example'], ca.file,
                   deny_lists=[str(tmp_path / 'none')])
    stub.start(wait=False)
    assert stub.process.wait() == 2 and 'none' in stub.log()


class Asking:
    """One query after the other, until told to stop."""

    def __init__(self, stub, names):
        self.stub, self.names = stub, names
        self.worst_s = self.count = 0
        self.bad = []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with client.Udp(self.stub.port) as c:
            while not self.end.is_set():
                name = self.names[self.count % len(self.names)]
                began = time.monotonic()
                c.send(query(name, query_id=self.count & 65535))
                got = c.receive()
                self.worst_s = max(self.worst_s, time.monotonic() - began)
                if got is None or got[3] & 15 not in (0, 3):
                    self.bad.append((name, got))
                self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


def test_replaced_while_queries_go_on(serve, dotstub, tmp_path):
    """Each list comes into force; no query is lost meanwhile, and what stays
    denied is never let through."""
    path = tmp_path / 'list'

    def write(number):
        new = path.with_suffix('.new')
        new.write_text(f'always.example\nlist{number}.example\n' + ''.join(
            f'filler{k}.example\n' for k in range(100_000)))
        os.replace(new, path)
    write(0)
    server = public_server(serve, {'www.example A': '192.0.2.80'})
    stub = dotstub([server], ready=[server], deny_lists=str(path), workers=2,
                   cache_size='1MiB', **CALM)
    with Asking(stub, ['www.example', 'always.example',
                       'filler7.example']) as asking:
        for number in range(1, 4):
            write(number)

            def is_denied(name):
                return bool(extended_errors(stub.udp(name, edns=1232)))
            wait_until(lambda n=number: is_denied(f'list{n}.example'), 15,
                       'the new list', step_s=0.02)
            # Each worker takes it in a turn of its own.
            wait_until(lambda n=number: not is_denied(f'list{n - 1}.example'),
                       5, 'no trace of the old one')
        wait_until(lambda: asking.count > 100, 5, 'enough queries')
    assert not asking.bad
    assert 'always.example' not in public_names(server)


def test_replaced_while_it_is_read(serve, dotstub, tmp_path):
    """The last one counts, though it came while another was being read; at
    the start, by SIGHUP, and by its own change."""
    path = tmp_path / 'list'
    filler = ''.join(f'filler{k}.example\n' for k in range(300_000))
    for name in ('zero', 'one', 'two', 'three', 'four'):
        (tmp_path / name).write_text(f'{filler}{name}.example\n')

    def write(name):
        os.replace(tmp_path / name.partition('.')[0], path)

    def wait_for(name):
        wait_until(lambda: extended_errors(stub.udp(name, edns=1232)), 20,
                   lambda: f'{name}:\n{stub.log()}', step_s=0.02)
    write('zero.example')
    server = public_server(serve)
    stub = dotstub([server], deny_lists=str(path), wait=False, **CALM)
    time.sleep(0.1)  # within its reading, most likely
    write('one.example')
    stub.wait_listening(timeout_s=30)
    wait_for('one.example')
    write('two.example')
    wait_until(lambda: 'has changed' in stub.log(), 10, stub.log)
    write('three.example')
    wait_for('three.example')
    stub.process.signal(signal.SIGHUP)
    time.sleep(0.05)
    write('four.example')
    wait_for('four.example')


def resident(stub, what='VmRSS'):
    """Octets; 0 under AddressSanitizer, which keeps what was freed."""
    with open(f'/proc/{stub.pid}/status') as f:
        fields = dict(line.split(':', 1) for line in f)
    if int(fields['VmSize'].split()[0]) > 1 << 32:
        return 0
    return int(fields[what].split()[0]) * 1024


def test_a_million_names(serve, dotstub, tmp_path):
    """Under 40 MiB, and the time it takes to be there."""
    path = tmp_path / 'million'
    with path.open('w') as file:
        file.writelines(f'n{k}.{k % 977}.some-domain{k % 9973}.example\n'
                        for k in range(MILLION))
    server = public_server(serve)
    empty = dotstub([server], ready=[server])
    before = resident(empty)
    began = time.monotonic()
    stub = dotstub([server], deny_lists=str(path), wait=False, **CALM)
    stub.wait_listening(timeout_s=60)
    took_s = time.monotonic() - began
    growth = resident(stub) - before
    peak = resident(stub, 'VmHWM') - before
    print(f'{MILLION} names: {took_s:.2f} s to be listening, '
          f'{growth / MIB:.1f} MiB more than without, at most '
          f'{peak / MIB:.1f} MiB')
    assert growth < 40 * MIB
    assert peak < 80 * MIB
    for k in (0, 1, 4711, MILLION - 1):
        name = f'n{k}.{k % 977}.some-domain{k % 9973}.example'
        assert extended_errors(stub.udp(name, edns=1232))[0][0] == BLOCKED
        assert not extended_errors(stub.udp('x' + name, edns=1232))
    with Asking(stub, [f'n{k}.{k % 977}.some-domain{k % 9973}.example'
                       for k in range(0, MILLION, 997)]) as asking:
        wait_until(lambda: asking.count > 100, 5, 'enough queries')
    assert not asking.bad
    # And once more, in use: old and new list are there at a time.
    with Asking(stub, ['localhost']) as asking:
        os.utime(path)
        began = time.monotonic()
        wait_until(lambda: 'going on with' in stub.log(), 60, 'the new list')
        took_s = time.monotonic() - began
    # The log says it before the old list is gone.
    wait_until(lambda: resident(stub) - before < 60 * MIB, 5,
               lambda: f'{resident(stub) - before} octets more')
    growth = resident(stub) - before
    print(f'a reload: {took_s:.2f} s, the slowest of {asking.count} answers '
          f'meanwhile {asking.worst_s * 1000:.1f} ms, after it '
          f'{growth / MIB:.1f} MiB more')
    assert not asking.bad
