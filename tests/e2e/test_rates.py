"""Floods: one client's, while another is served; and those that use dotstub
against somebody else."""
import socket
import threading
import time

import dns.edns
import dns.flags
import dns.rcode
import pytest

from lib import client
from lib.cache import CALM
from lib.client import extended_errors, query
from lib.process import PATIENCE_S
from lib.recorder import dig, public_names, public_server

FLOOD = 20_000  # datagrams, and no more


@pytest.fixture
def pair(serve, dotstub):
    def start(**config):
        server = public_server(serve, {'www.example A': '192.0.2.80'})
        return dotstub([server], ready=[server], **CALM, **config), server
    return start


class Client:
    """A UDP socket with an address of its own on loopback."""

    def __init__(self, port, source):
        self.port = port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.want_buffer(self.sock, 4 << 20)
        self.sock.bind((source, 0))
        self.sock.connect(('127.0.0.1', port))

    def send(self, message):
        self.sock.send(client.wire_of(message))

    def ask(self, name, timeout_s=PATIENCE_S, **options):
        """The answer, or None."""
        message = query(name, **options)
        self.send(message)
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                got = self.sock.recv(65535)
            except TimeoutError:
                return None
            if got[:2] == message.to_wire()[:2]:
                return client.parse(got)
        return None

    def drain(self):
        """All answers to what was sent: who asks after it has its own behind
        them, and what is sent with that one comes within a moment."""
        with Client(self.port, '127.0.9.9') as last:
            assert last.ask('www.example')
        got = []
        self.sock.settimeout(0.2)
        try:
            while True:
                got.append(self.sock.recv(65535))
        except TimeoutError:
            return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


# ---- rate_limit

def test_a_client_is_answered_so_often(pair):
    stub, _ = pair(rate_limit=5, rate_burst=20)
    with Client(stub.port, '127.0.0.2') as c, \
            Client(stub.port, '127.0.0.3') as other:
        began = time.monotonic()
        for k in range(100):
            c.send(query('localhost', query_id=k))
        got = len(c.drain())
        assert 20 <= got <= 21 + 5 * (time.monotonic() - began), got
        # Another client has a bucket of its own.
        assert other.ask('localhost')
        # And this one's fills again.
        assert any(c.ask('localhost', 1) for _ in range(20))


def test_over_tcp_it_is_told(pair):
    stub, _ = pair(rate_limit=1, rate_burst=3)
    with client.Tcp(stub.port, source='127.0.0.2') as c:
        answers = []
        while len(answers) < 50 and (
                not answers or answers[-1].rcode() == dns.rcode.NOERROR):
            answers.append(c.ask(query('localhost', edns=1232)))
    assert len(answers) > 3
    assert answers[-1].rcode() == dns.rcode.REFUSED
    assert 'rate_limit' in extended_errors(answers[-1])[0][1]


def test_flood_while_an_honest_client_is_served(pair):
    """20,000 datagrams of one client, as fast as it can: each query of
    another is answered, and few of the flood reach a server."""
    stub, server = pair(rate_limit=50, rate_burst=100, cache_size=0)
    done = threading.Event()
    began = time.monotonic()

    def flood():
        with Client(stub.port, '127.0.0.2') as c:
            wires = [query(f'flood{k}.example', query_id=k).to_wire()
                     for k in range(1000)]
            for k in range(FLOOD):
                c.send(wires[k % 1000])
                if k % 50 == 0:
                    time.sleep(0.002)  # 25,000 a second
        done.set()
    thread = threading.Thread(target=flood)
    asked = answered = 0
    with Client(stub.port, '127.0.0.3') as honest:
        thread.start()
        while not done.is_set() or asked < 20:
            asked += 1
            # What the flood leaves no room for the kernel drops: like any
            # client this one asks again.
            got = any(honest.ask('www.example', 1) for _ in range(10))
            answered += got
            time.sleep(0.03)
        thread.join()
    assert asked >= 20 and answered == asked
    flooded = [n for n in public_names(server) if n.startswith('flood')]
    most = 100 + 50 * (time.monotonic() - began + 1)
    # Each may be asked twice, where the machine stands still.
    assert len(flooded) <= 2 * most < FLOOD / 2, (len(flooded), most)


# ---- response_rate_limit

@pytest.mark.parametrize('slip', [0, 1, 2])
def test_like_answers(pair, slip):
    """The same answer again and again is not sent to one network; every
    slip-th is cut to TC=1, so that a real client asks over TCP."""
    stub, _ = pair(response_rate_limit=10, response_rate_slip=slip)
    with Client(stub.port, '127.0.0.2') as c:
        began = time.monotonic()
        for k in range(200):
            c.send(query('www.example', query_id=k))
        got = [client.parse(wire) for wire in c.drain()]
        most = 12 + 10 * (time.monotonic() - began)
    whole = [g for g in got if g.answer]
    cut = [g for g in got if g.flags & dns.flags.TC]
    assert len(whole) + len(cut) == len(got)
    assert 1 <= len(whole) <= most, (len(whole), most)
    assert all(not g.answer and g.question for g in cut)
    if slip == 0:
        assert not cut
    else:
        rest = 200 - len(whole)
        assert abs(len(cut) - rest / slip) <= 2, (len(cut), rest)


def test_a_real_client_gets_its_answer_over_tcp(pair):
    stub, _ = pair(response_rate_limit=1, response_rate_slip=1)
    with Client(stub.port, '127.0.0.2') as c:
        for k in range(50):
            c.send(query('www.example', query_id=k))
        c.drain()
    said = dig(stub.port, 'www.example', source='127.0.0.2')
    assert '192.0.2.80' in said and '(TCP)' in said


def test_other_names_and_networks_are_not_held_up(pair):
    stub, _ = pair(response_rate_limit=5, response_rate_slip=0)
    with Client(stub.port, '127.0.0.2') as c:
        for k in range(100):
            c.send(query('www.example', query_id=k))
        c.drain()
        assert c.ask('www.example', 0.2) is None
        assert c.ask('localhost')
    with Client(stub.port, '127.0.1.2') as other:
        assert other.ask('www.example')


def test_all_that_is_not_there_is_alike(pair):
    """Random names below one: one kind of answer."""
    stub, _ = pair(response_rate_limit=10, response_rate_slip=0)
    with Client(stub.port, '127.0.0.2') as c:
        began = time.monotonic()
        for k in range(200):
            c.send(query(f'x{k}.test', query_id=k))
        got = c.drain()
        assert 1 <= len(got) <= 12 + 10 * (time.monotonic() - began)


def test_a_cookie_proves_the_address(pair):
    """Who has a good cookie is whom it says it is."""
    stub, _ = pair(response_rate_limit=2, response_rate_slip=0, cookies=True)
    cookie = dns.edns.GenericOption(10, b'\1\2\3\4\5\6\7\x08')
    with Client(stub.port, '127.0.0.2') as c:
        first = c.ask('www.example', edns=1232, options=[cookie])
        whole, = [o for o in first.options if int(o.otype) == 10]
        good = dns.edns.GenericOption(10, whole.to_wire())
        for k in range(50):
            c.send(query('www.example', query_id=k))
        c.drain()
        assert c.ask('www.example', 0.2) is None
        for k in range(50):
            assert c.ask('www.example', edns=1232, options=[good]), k


def test_the_default_has_no_limit(pair):
    stub, _ = pair()
    with Client(stub.port, '127.0.0.2') as c:
        for _ in range(20):
            for k in range(50):
                c.send(query('localhost', query_id=k))
            assert len(c.drain()) == 50


def test_amplification_is_bounded(pair):
    """What leaves for a forged address, with all limits on, is not much more
    than what came."""
    stub, _ = pair(response_rate_limit=5, minimal_any=True)
    sent = 0
    with Client(stub.port, '127.0.0.2') as c:
        for k in range(1000):
            wire = query('www.example', 'ANY', edns=4096,
                         query_id=k).to_wire()
            sent += len(wire)
            c.send(wire)
        received = sum(map(len, c.drain()))
    assert received < sent, (received, sent)
