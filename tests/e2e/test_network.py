"""Servers on machines of their own, at the end of cables that are pulled: the
machine's network comes and goes, and queries survive it. Times are bounded
only where they are what is promised.
"""
import time

import pytest

from lib import client
from lib.behaviours import serving
from lib.load import Load, asked
from lib.process import wait_until
from lib.wan import Wan, is_possible


@pytest.fixture
def wan(tmp_path):
    if not is_possible():
        pytest.skip('network namespaces and veth need root')
    made = Wan(tmp_path, 2)
    yield made
    made.stop()


@pytest.fixture
def far(wan, serve, dotstub):
    """Two servers that answer after 20 ms, dotstub before them."""
    servers = [wan.far[i].inside(
        lambda i=i: serve(serving(), address=wan.address(i), port=853))
        for i in range(2)]
    stub = dotstub(servers, ready=servers, prefix=wan.prefix)
    return stub, servers


@pytest.mark.parametrize('fault', ['vanish', 'unplug'])
def test_server_vanishes(wan, far, fault):
    """In the middle of 2,000 queries, for good."""
    stub, servers = far
    load = wan.machine.inside(
        lambda: Load(stub.port, 2000, 250,
                     {1000: lambda: getattr(wan, fault)(0)})).run().check()
    assert load.percentile_s(99) < 0.25, load.summary()
    assert len(asked(servers[0])) >= 900
    assert len(asked(servers[1])) >= 900


def test_server_comes_back(wan, far):
    """Gone for a while and back again, for good under load."""
    stub, servers = far
    wan.machine.inside(
        lambda: Load(stub.port, 1500, 200,
                     {300: lambda: wan.vanish(0),
                      700: lambda: wan.come_back(0)})).run().check()
    count = len(asked(servers[0]))

    def is_used():
        wan.machine.inside(lambda: stub.udp('n1.many.example'))
        return len(asked(servers[0])) > count
    wait_until(is_used, 35, 'the first server is used again', step_s=0.2)


def first_answer_after(wan, stub, change, limit_s=10):
    """Ask every 20 ms; seconds from change() to the first answer."""
    sock = wan.machine.inside(lambda: client.Udp(stub.port))
    ids = iter(range(1, 65536))
    with sock:
        while sock.receive(0.05) is not None:  # of what was asked before
            pass
        change()
        start = time.monotonic()
        while time.monotonic() < start + limit_s:
            sock.send(client.query('www.many.example', query_id=next(ids)))
            data = sock.receive(0.02)
            if data is not None and data[3] & 15 == 0:
                return time.monotonic() - start
    raise AssertionError(f'no answer within {limit_s} s')


@pytest.mark.parametrize('down_s', [0.5, 6])
def test_link_down_and_up(wan, far, down_s):
    stub, _ = far
    assert wan.machine.inside(lambda: stub.udp('n0.many.example')).answer
    wan.cut()
    sock = wan.machine.inside(lambda: client.Udp(stub.port))
    with sock:
        end = time.monotonic() + down_s
        while time.monotonic() < end:  # clients go on asking
            sock.send(client.query('n1.many.example'))
            time.sleep(0.1)
    assert first_answer_after(wan, stub, wan.mend) < 1


def test_started_offline(wan, serve, dotstub):
    """The first answer comes within a second of the network's coming."""
    servers = [wan.far[i].inside(
        lambda i=i: serve(serving(), address=wan.address(i), port=853))
        for i in range(2)]
    wan.cut()
    stub = dotstub(servers, prefix=wan.prefix)
    sock = wan.machine.inside(lambda: client.Udp(stub.port))
    with sock:
        for _ in range(20):  # offline for 2 s, and asked meanwhile
            sock.send(client.query('n1.many.example'))
            time.sleep(0.1)
    assert first_answer_after(wan, stub, wan.mend) < 1


def test_address_lost(wan, far):
    """Without an address there the other server takes over."""
    stub, servers = far
    wan.machine.inside(
        lambda: Load(stub.port, 600, 200,
                     {300: lambda: wan.machine.ip(
                         'addr flush dev to0')})).run().check()
    assert asked(servers[1])


def test_address_changed(wan, far):
    """Connections of an address that is gone are replaced though no client
    asks for anything: only the kernel says so."""
    stub, servers = far
    wan.machine.inside(lambda: stub.udp('n0.many.example'))
    before = [len(s.ready) for s in servers]
    wan.renumber(0)
    servers[0].wait(lambda s: s.ready[before[0]:]
                    and s.ready[-1].peer == wan.own_address(0, 1),
                    what='a connection from the new address')
    assert wan.machine.inside(lambda: stub.udp('n1.many.example')).answer
    assert servers[1].ready[0] in servers[1].open
