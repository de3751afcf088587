"""Started by a service manager: its sockets, and what it is told."""
import fcntl
import os
import re
import signal
import socket
import time

import pytest

from lib import client
from lib.client import query, texts
from lib.dotstub import Dotstub
from lib.process import PATIENCE_S

from test_reload import reload

RECORD = {'records': ['printer.lan A 192.0.2.77']}
ANSWER = ['printer.lan. A 192.0.2.77']
SERVER = '192.0.2.1:853#x.example'


def pair(address):
    """A UDP and a listening TCP socket of one address, and its port."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    while True:
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind((address, 0))
        tcp = socket.socket(family, socket.SOCK_STREAM)
        try:
            tcp.bind((address, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            continue
        tcp.listen(64)
        return [udp, tcp], udp.getsockname()[1]


class Manager:
    """Listens where the program sends its messages."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(folder / 'notify')
        self.socket.bind(self.path)
        self.said = []

    def hear(self, word, timeout_s=PATIENCE_S):
        """The next message with this word; those before are kept in said."""
        self.socket.settimeout(timeout_s)
        while True:
            text = self.socket.recv(4096).decode()
            self.said.append(text)
            if word in text:
                return text


@pytest.fixture
def manager(tmp_path):
    m = Manager(tmp_path)
    yield m
    m.socket.close()


@pytest.fixture
def activated(tmp_path, request, manager):
    """activated(sockets, env, **config): the program, with these sockets."""
    request.node.dotstubs = stubs = []

    def start(sockets=(), env=None, wait=True, **config):
        config = {**RECORD, 'listen': None, 'sandbox': 'kill', **config}
        count = len(sockets)
        # They come with numbers of our own, and the shell, whose PID the
        # program keeps, has those from 3 on free for them.
        ours = [fcntl.fcntl(s, fcntl.F_DUPFD, 100) for s in sockets]
        moves = ' '.join(f'{3 + i}<&{fd} {fd}<&-'
                         for i, fd in enumerate(ours))
        stub = Dotstub(
            tmp_path, [SERVER], None, label=f'stub{len(stubs)}',
            prefix=['bash', '-c', 'export LISTEN_PID=$$; '
                    f'exec {moves}; exec "$@"', 'bash'],
            env={'NOTIFY_SOCKET': manager.path, 'LISTEN_FDS': str(count),
                 'LISTEN_FDNAMES': ':'.join(['x'] * count), **(env or {})},
            pass_fds=ours, **config)
        stub.env = {k: v for k, v in stub.env.items() if v is not None}
        stubs.append(stub)
        stub.start(wait=False)
        for fd in ours:
            os.close(fd)
        if wait:
            manager.hear('READY=1')
        return stub
    yield start
    for stub in stubs:
        code = stub.stop()
        assert code in (0, getattr(stub, 'expected', 0)), stub.log()


def ask(port, name='printer.lan', address='127.0.0.1'):
    answers = []
    for kind in (client.Udp, client.Tcp):
        with kind(port, address=address) as c:
            answers.append(texts(c.ask(query(name))))
    return answers


# ---- sockets

@pytest.mark.parametrize('workers', [1, 3])
def test_sockets_of_both_kinds(activated, workers):
    """UDP and TCP, IPv4 and IPv6; listen of the configuration is not used."""
    four, port4 = pair('127.0.0.1')
    six, port6 = pair('::1')
    stub = activated([*four, *six], workers=workers,
                     listen=['127.0.0.1:1'])
    assert ask(port4) == [ANSWER] * 2
    assert ask(port6, address='::1') == [ANSWER] * 2
    assert '127.0.0.1:1 ' not in stub.log()
    for number, s in enumerate([*four, *six]):
        path = f'/proc/{stub.pid}/fd/{3 + number}'
        if os.access(path, os.F_OK):
            assert os.stat(path).st_ino == os.fstat(s.fileno()).st_ino


def test_a_query_that_came_before(activated):
    """The manager's sockets keep what arrives until somebody reads."""
    sockets, port = pair('127.0.0.1')
    with client.Udp(port) as udp, client.Tcp(port) as tcp:
        udp.send(query('printer.lan', query_id=7))
        tcp.send(query('printer.lan', query_id=8))
        activated(sockets)
        assert texts(client.parse(udp.receive())) == ANSWER
        assert texts(client.parse(tcp.receive())) == ANSWER


def test_one_that_ends_is_followed_by_another(activated):
    """Between the two nothing is lost: the sockets stay open."""
    sockets, port = pair('127.0.0.1')
    first = activated(sockets)
    assert ask(port) == [ANSWER] * 2
    assert first.stop() == 0
    with client.Udp(port) as udp:
        udp.send(query('printer.lan', query_id=7))
        activated(sockets)
        assert texts(client.parse(udp.receive())) == ANSWER
    assert ask(port) == [ANSWER] * 2


def test_reload_keeps_the_sockets(activated, manager):
    sockets, port = pair('127.0.0.1')
    stub = activated(sockets)
    for last in (78, 79):
        reload(stub, records=[f'printer.lan A 192.0.2.{last}'])
        assert ask(port) == [[f'printer.lan. A 192.0.2.{last}']] * 2


@pytest.mark.parametrize('names, said', [
    ('dns:dns:lan:lan', ['dns', 'dns', 'lan', 'lan']),
    ('dns:%s%n:\x1b[2J\'ä:' + 'x' * 300,
     ['dns', '%s%n', "\\x1b[2J'ä", 'x' * 255]),
    ('dns::lan', ['dns', 'unknown', 'lan', 'unknown']),
    ('a:b:c:d:e', ['a', 'b', 'c', 'd']),
    ('', ['unknown'] * 4),
    (None, ['unknown'] * 4),
], ids=['two', 'odd', 'fewer', 'more', 'empty', 'none'])
def test_names(activated, names, said):
    """They are told, and choose nothing: all sockets are served."""
    four, port4 = pair('127.0.0.1')
    six, port6 = pair('::1')
    stub = activated([*four, *six], env={'LISTEN_FDNAMES': names},
                     log_level='info')
    assert ask(port4) == [ANSWER] * 2
    assert ask(port6, address='::1') == [ANSWER] * 2
    told = re.findall(r" socket '(.*)' from the service manager: (\S+) \((.*)\)",
                      stub.log())
    four, six = f'127.0.0.1:{port4}', f'[::1]:{port6}'
    assert told == list(zip(said, [four, four, six, six],
                            ['UDP', 'TCP', 'UDP', 'TCP']))


@pytest.mark.parametrize('what', ['pipe', 'nothing'])
def test_sockets_of_no_use(activated, what, tmp_path):
    class Thing:
        def __init__(self, fd):
            self.fd = fd

        def fileno(self):
            return self.fd
    things = [Thing(os.open(tmp_path, os.O_RDONLY))] if what == 'pipe' else []
    stub = activated(things, wait=False, env={'LISTEN_FDS': '1'})
    stub.expected = 1
    assert stub.process.wait() == 1
    name = 'x' if what == 'pipe' else 'unknown'
    assert (f"socket 0, '{name}', from the service manager is neither UDP nor "
            'listening on TCP') in stub.log()
    for thing in things:
        os.close(thing.fd)


# ---- messages

def test_messages(activated, manager):
    started_us = time.monotonic_ns() // 1000
    sockets, _ = pair('127.0.0.1')
    stub = activated(sockets)
    assert 'STATUS=' in manager.said[-1]
    stub.process.signal(signal.SIGHUP)
    text = manager.hear('RELOADING=1')
    said_us = int(re.search(r'MONOTONIC_USEC=(\d+)$', text)[1])
    assert started_us < said_us < time.monotonic_ns() // 1000
    manager.hear('READY=1')
    stub.config_file.write_text('listen: [')
    stub.process.signal(signal.SIGHUP)
    manager.hear('RELOADING=1')
    manager.hear('READY=1')  # or systemd would wait for it for ever
    stub.terminate()
    manager.hear('STOPPING=1')
    assert stub.process.wait() == 0


def test_ready_is_not_said_too_early(activated, manager):
    """Whoever is told asks at once."""
    for _ in range(5):
        sockets, port = pair('127.0.0.1')
        stub = activated(sockets)
        assert ask(port) == [ANSWER] * 2
        stub.stop()


def test_never_ready(activated, manager):
    sockets, _ = pair('127.0.0.1')
    with socket.create_server(('127.0.0.1', 0)) as taken:
        stub = activated(sockets, wait=False,
                         admin=f'127.0.0.1:{taken.getsockname()[1]}')
        stub.expected = 1
        assert stub.process.wait() == 1
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.hear('READY=1', 0)


def test_watchdog(activated, manager):
    """Twice in the time that it is given, from all workers."""
    sockets, _ = pair('127.0.0.1')
    stub = activated(sockets, env={'WATCHDOG_USEC': '200000'}, workers=2)
    for _ in range(4):
        manager.hear('WATCHDOG=1')
    with stub.process.standing_still():
        manager.socket.setblocking(False)
        try:
            while True:
                manager.socket.recv(4096)
        except BlockingIOError:
            pass
        with pytest.raises(TimeoutError):
            manager.hear('WATCHDOG=1', 0.5)
    manager.hear('WATCHDOG=1')


def test_no_watchdog_unless_asked(activated, manager):
    sockets, port = pair('127.0.0.1')
    activated(sockets, env={'WATCHDOG_USEC': '200000', 'WATCHDOG_PID': '1'})
    assert ask(port) == [ANSWER] * 2
    with pytest.raises(TimeoutError):
        manager.hear('WATCHDOG=1', 0.5)


