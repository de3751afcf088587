"""The connection supervisor: ready before it is needed, and queries that
survive what happens to connections and servers; what happens to the network
is in test_network.py. Where it can be counted at the server it is; times are
bounded only where they are what is promised.
"""
import functools
import time

import pytest

from lib import behaviours
from lib.behaviours import serving
from lib.load import Load, asked
from lib.process import wait_until


@pytest.fixture
def dotstub(dotstub):
    """With hedging."""
    return functools.partial(dotstub, hedge_budget=None)


# ---- always warm

def test_idle_closes_cost_no_handshake(serve, dotstub):
    """A server that closes after 2 s, a query every 3 s: each comes over a
    connection that was ready before the query was sent."""
    server = serve(serving(lambda _: 0, idle_s=2))
    stub = dotstub([server], ready=[server])
    for k in range(5):
        sent_at = time.monotonic()
        assert stub.udp(f'n{k}.many.example').answer
        query = asked(server)[-1]
        assert query.name == f'n{k}.many.example'
        # Its own may be one that took over in this very moment.
        assert query.conn.ready_at < sent_at or any(
            c.ready_at < sent_at and (c.ended_at is None
                                      or c.ended_at > sent_at)
            for c in server.ready)
        if k < 4:
            time.sleep(max(0, sent_at + 3 - time.monotonic()))
    assert len(server.ready) > 1  # it did close them


def test_never_cold(serve, dotstub):
    """Once the server's idle limit is known, no connection ends before
    another is ready, without any query."""
    server = serve(serving(lambda _: 0, idle_s=1.5))
    stub = dotstub([server], ready=[server])
    assert stub.udp('n0.many.example').answer
    server.wait(lambda s: len(s.ready) > 6, 20, 'connections made anew')
    ready = server.ready
    ended = [c for c in ready if c.ended_at is not None]
    for conn in ended[2:]:
        assert any(c.ready_at < conn.ended_at
                   and (c.ended_at is None or c.ended_at > conn.ended_at)
                   for c in ready), f'cold after connection {conn.number}'


def test_quiet_after_warm_for(serve, dotstub):
    """Without clients nothing is sent, nor is any connection made."""
    server = serve(serving(lambda _: 0, idle_s=1.3))  # below 1 s it is let go
    stub = dotstub([server], ready=[server], warm_for='4s')
    assert stub.udp('n0.many.example').answer
    asked_at = time.monotonic()
    server.wait(lambda s: len(s.ready) > 2, what='connections made anew')
    # What was begun in the last moment has come by then.
    wait_until(lambda: time.monotonic() > asked_at + 5 and not server.open,
               10, 'the last connection closes')

    def seen():
        return (len(server.connections),
                sum(len(c.raw) for c in server.connections))
    before = seen()
    time.sleep(3)
    assert seen() == before
    assert stub.udp('n1.many.example').answer
    server.wait(lambda s: len(s.ready) > 0)


def test_brief_connections_cause_no_storm(serve, dotstub):
    """A server that hangs up at once is dialled less and less often, but for
    a client without delay."""
    server = serve(serving(lambda _: 0, idle_s=0.06))
    stub = dotstub([server])
    server.wait(lambda s: len(s.ready) > 2, what='connections made anew')
    time.sleep(4)
    assert len(server.connections) < 10  # at 0 s, 0.25, 0.75, 1.75 … 15.75
    before = len(server.ready)
    assert stub.udp('n0.many.example').answer
    assert len(server.ready) <= before + 4


# ---- servers that fail under load

def test_servers_restarted_in_turn(serve, dotstub):
    servers = [serve(serving()) for _ in range(2)]
    stub = dotstub(servers, ready=servers)

    def restart(server):
        def act():
            server.down()
            time.sleep(0.5)
            server.up()
        return act
    Load(stub.port, 1200, 200, {200: restart(servers[0]),
                                600: restart(servers[1]),
                                900: restart(servers[0])}).run().check()
    assert asked(servers[0]) and asked(servers[1])


def test_flapping_server(serve, dotstub):
    servers = [serve(serving()) for _ in range(2)]
    stub = dotstub(servers, ready=servers)
    flaps = {}
    for n in range(10):
        flaps[40 + 80 * n] = servers[0].down
        flaps[80 + 80 * n] = servers[0].up
    Load(stub.port, 900, 200, flaps).run().check()


def test_half_of_the_answers_dropped(serve, dotstub):
    bad = serve(serving(lambda number: None if number % 2 else 0.01))
    good = serve(serving(lambda _: 0.01))
    stub = dotstub([bad, good], ready=[bad, good])
    Load(stub.port, 600, 100).run().check()


def test_servfail_from_the_first(serve, dotstub):
    bad, good = serve(behaviours.servfail), serve(serving(lambda _: 0))
    stub = dotstub([bad, good], ready=[bad, good])
    Load(stub.port, 200, 100).run().check()
    assert asked(good)


# ---- hedging

# Three times as long, and a machine that stands still is taken for a server
# that fell silent: its queries are copied whatever the budget.
USUAL_S = 0.4
SLOW_S = 2
# And that long at the most.
PATIENT = {'answer_timeout': '5s', 'query_timeout': '25s'}


def slow_tail(number):
    """One answer in a hundred is late, from the 100th on."""
    return SLOW_S if number >= 100 and number % 100 == 0 else USUAL_S


def test_hedge_within_its_budget(serve, dotstub):
    """One server, and the copies go over its other connection."""
    server = serve(serving(slow_tail))
    stub = dotstub([server], ready=[server], **PATIENT)
    load = Load(stub.port, 1000, 100).run().check()
    names = [q.name for q in asked(server)]
    extra = len(names) - len(set(names))
    assert 0 < extra <= 0.03 * 1000 + 20  # a bucket may be full at first
    # Those that were slow and asked twice were not slow for the client.
    twice = [k for k in range(1000)
             if names.count(f'n{k}.many.example') > 1]
    assert len(twice) >= 5  # nine were slow
    assert sum(load.latency_s[k] < SLOW_S - 0.2
               for k in twice) >= len(twice) / 2


def test_hedge_budget_0(serve, dotstub):
    """Late answers are waited for while the connection is alive: others come
    over it, also at the end."""
    first = serve(serving(lambda n: SLOW_S if n in (100, 200, 300)
                          else USUAL_S))
    second = serve(serving())
    stub = dotstub([first, second], ready=[first, second], hedge_budget=0,
                   **PATIENT)
    load = Load(stub.port, 500, 100).run().check()
    assert sum(s >= SLOW_S for s in load.latency_s.values()) >= 3
    assert len(asked(first)) == 500
    assert not asked(second)
