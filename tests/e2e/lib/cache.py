"""What the tests of the cache ask of servers, answers and clients."""
import shutil
import subprocess
import time

import dns.flags
import pytest

from lib import client
from lib.process import wait_until

RD, AD, CD = dns.flags.RD, dns.flags.AD, dns.flags.CD
STALE_TTL_S = 30  # RFC 8767 section 4
STALE, STALE_NXDOMAIN = 3, 19  # extended errors, RFC 8914
STATUS = 2 << 11  # an opcode that dotstub answers by itself, with NOTIMP
ON = {'cache_size': '1MiB'}
# A server is late, not dead: what is counted is asked once. (Of a server that
# gave 16 answers dotstub knows how fast it is, and waits no longer than that.)
CALM = {'query_timeout': '25s', 'answer_timeout': '20s',
        'connect_timeout': '20s'}


def asked(server, name=None):
    """How many queries for the name (any but dotstub's own probes for the
    root, if None) came to the server."""
    names = [n.lower() for n in server.names()]
    return (sum(n != '.' for n in names) if name is None
            else names.count(name.lower()))


def wait_asked(server, count):
    """So many queries are with the server; more than that is an error."""
    server.wait(lambda s: asked(s) >= count, what=f'{count} queries')
    assert asked(server) == count


def ttls(response):
    """The TTLs of all records, in order."""
    return [s.ttl for section in (response.answer, response.authority)
            for s in section]


def ttl(response):
    """The TTL, one for all records."""
    found = set(ttls(response))
    assert len(found) == 1, response
    return found.pop()


def errors(response):
    return [code for code, _ in client.extended_errors(response)]


def is_stale(response):
    return {STALE, STALE_NXDOMAIN} & set(errors(response))


def wait_stale(stub, name, kind='A', timeout_s=6, **options):
    """Ask until the answer is stale; that answer."""
    def ask():
        got = stub.udp(name, kind, edns=1232, **options)
        return got if is_stale(got) else None
    return wait_until(ask, timeout_s, 'a stale answer', step_s=0.02)


def wait_gone(stub, name, kind='A', timeout_s=6):
    """Ask without recursion, which costs no query upstream, until the answer
    is no longer fresh in the cache."""
    wait_until(lambda: stub.udp(name, kind, flags=0).rcode() == 5, timeout_s,
               'the end of the TTL', step_s=0.02)


class Clock:
    """Bounds of an answer's age, from the times around the exchange that
    brought it and the one that showed it. dotstub's clock has milliseconds,
    and stands still within a turn of its loop."""

    ERROR_S = 0.02

    def __init__(self, ask):
        self.began = time.monotonic()
        self.first = ask()
        self.ended = time.monotonic()

    def check(self, ask, whole_ttl_s, slack_s=0):
        """Ask once more: the TTL must be what is left; it is returned."""
        before = time.monotonic()
        left = ttl(ask())
        after = time.monotonic()
        youngest = int(max(0, before - self.ended - self.ERROR_S))
        oldest = int(after - self.began + self.ERROR_S)
        assert whole_ttl_s - oldest - slack_s <= left <= (
            whole_ttl_s - youngest + slack_s)
        return left


def wait_taken(connection):
    """All that was sent on this connection (Udp or Tcp) was read: a query
    that dotstub answers by itself has its answer."""
    connection.send(client.query('www.example', query_id=0xffff,
                                 flags=STATUS))
    data = connection.receive()
    assert data[:2] == b'\xff\xff' and data[3] & 15 == 4


def any_case(name, number):
    """The name in upper and lower case by the bits of number."""
    return ''.join(c.upper() if number >> (i % 16) & 1 else c
                   for i, c in enumerate(name))


def dig(stub, *arguments):
    """What dig prints for one question."""
    if not shutil.which('dig'):
        pytest.skip('dig is not installed')
    done = subprocess.run(
        ['dig', '-r', '@127.0.0.1', '-p', str(stub.port), '+tries=1',
         '+time=20', *arguments], capture_output=True, text=True, timeout=60,
        check=True)
    assert 'WARNING' not in done.stdout and 'alformed' not in done.stdout
    return done.stdout
