"""Start, stop, signals, exit codes, messages."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import dns.rcode
import pytest

from lib import behaviours, client
from lib.cache import CALM
from lib.client import query, texts
from lib.dotstub import find_binary
from lib.namespace import Namespace, is_possible
from lib.process import Process, wait_until


def run(*arguments, **options):
    done = subprocess.run([find_binary(), *map(str, arguments)], timeout=60,
                          capture_output=True, text=True, check=False,
                          **options)
    return done.returncode, done.stdout, done.stderr


# ---- the command line

@pytest.mark.parametrize('arguments', [
    ['--no-such-option'], ['no-such-command'], ['run', '-c'],
    ['run', '--config'], ['check', 'a', 'b', 'c'], ['run', '-x'],
    ['version', '--no-such-option']])
def test_usage_errors(arguments):
    """64, and one line that says what was wrong."""
    code, out, err = run(*arguments)
    assert code == 64
    assert not out and len(err.strip().splitlines()) == 1
    assert err.startswith('dotstub: ')


@pytest.mark.parametrize('arguments', [['version'], ['--version']])
def test_version(arguments):
    code, out, err = run(*arguments)
    assert code == 0 and not err
    assert out.startswith('dotstub ')
    first, *others = out.splitlines()
    for library in ('libuv', 'Mbed TLS', 'libcyaml', 'libyaml', 'Jansson'):
        assert re.search(library + r' \d+(\.\d+)+[,)]', first)
    for line, library in zip(others, (
            'admin: libmicrohttpd', 'dnstap: libfstrm',
            'sandbox: filter made by libseccomp'), strict=True):
        part, _, name = library.partition(': ')
        assert (re.fullmatch(library + r' (\(built with )?\d+(\.\d+)+\)?', line)
                or line in (f'{library} is not installed',
                            f'{part}: built without {name.split()[-1]}'))


@pytest.mark.parametrize('arguments', [['--help'], ['-h'], ['help']])
def test_help(arguments):
    code, out, err = run(*arguments)
    assert code == 0 and not err
    for word in ('run', 'check', 'version', '-c'):
        assert word in out
    assert all(len(line) <= 80 for line in out.splitlines())


# ---- the configuration

BAD = '''listen:
  - 127.0.0.1:99999
servers:
  - 1.1.1.1#cloudflare-dns.com
querytimeout: 4s
tcp_max_clients: many
'''


@pytest.mark.parametrize('command', ['check', 'run'])
def test_bad_configuration(tmp_path, command):
    """Exit 2; every error with file, line and column, all at once."""
    file = tmp_path / 'bad.yaml'
    file.write_text(BAD)
    code, out, err = run(command, '-c', file)
    assert code == 2
    text = out + err
    for line, word in ((2, 'listen'), (5, 'query_timeout'),
                       (6, 'tcp_max_clients')):
        assert any(x.startswith(f'{file}:{line}:') and word in x
                   for x in text.splitlines()), (line, text)


@pytest.mark.parametrize('text', [
    '', 'servers: []\n', 'listen: [127.0.0.1]\n', '\tlisten: x\n', '- a\n',
    'servers: [1.1.1.1#a]\n---\nservers: [1.1.1.1#a]\n', '{', 'servers: 5s\n',
    'DNS_SERVERS: [1.1.1.1]\n', 'servers: [one.one.one.one]\n',
    'servers: [1.1.1.1#a]\nservers: [9.9.9.9#b]\n',
    'servers: [1.1.1.1#a]\nca_file: /does/not/exist\n',
    'servers: [853tls]\n', 'servers: [1.1.1.1:853tls#a]\n'])
def test_never_started_weaker_than_asked(tmp_path, text):
    file = tmp_path / 'bad.yaml'
    file.write_text(text)
    code, _, err = run('run', '-c', file)
    assert code == 2, err
    assert str(file) in err
    code, out, err = run('check', '-c', file)
    assert code == 2 and str(file) in out + err


def test_missing_file(tmp_path):
    code, _, err = run('run', '-c', tmp_path / 'nothing.yaml')
    assert code == 2 and 'nothing.yaml' in err


def test_check_accepts_a_good_file(tmp_path):
    file = tmp_path / 'good.yaml'
    file.write_text('listen:\n  - 127.0.0.1\nservers:\n'
                    '  - 1.1.1.1#cloudflare-dns.com\n'
                    '  - 9.9.9.9#dns.quad9.net\n')
    code, out, err = run('check', '-c', file)
    assert code == 0, out + err


def test_run_is_the_default_command(serve, dotstub, tmp_path):
    server = serve()
    stub = dotstub([server], wait=False)
    stub.stop()
    del stub.argv[stub.argv.index('run')]
    stub.start()
    assert stub.udp('www.example').answer


def test_address_in_use(serve, tmp_path, ca, dotstub):
    """One clear line with the address; no half a start."""
    server = serve()
    stub = dotstub([server])
    code, _, err = run('run', '-c', stub.config_file)
    assert code not in (0, 2, 64)
    assert f'127.0.0.1:{stub.port}' in err
    assert stub.udp('www.example').answer


def test_log_as_json_lines(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], log_format='json')
    wait_until(stub.log, 3, 'a line of log')
    stub.stop()
    for line in stub.log().splitlines():
        entry = json.loads(line)
        assert {'time', 'level', 'message'} <= set(entry)


# ---- without a network

def test_servers_unreachable_at_start(serve, dotstub):
    """It serves at once, with errors; the first retry comes within 1 s."""
    server = serve()
    server.down()
    stub = dotstub([server], query_timeout='300ms')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    server.up()
    server.wait_ready(timeout_s=3)
    wait_until(lambda: texts(stub.udp('only4.example')) == [
        'only4.example. A 192.0.2.4'], 3, 'the answer')


@pytest.fixture
def namespace(tmp_path):
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    with Namespace(tmp_path) as n:
        yield n


def test_no_route_at_start(namespace, dotstub, tmp_path, ca):
    """No network but loopback; later the server's address is there."""
    leaf = ca.leaf(['dot.example'])
    stub = dotstub(['203.0.113.5:8853#dot.example'], prefix=namespace.prefix,
                   query_timeout='500ms', retry_max='500ms')

    def status():
        out, _ = namespace.run('dig', '-r', '+tries=1', '+time=20', '-p',
                               stub.port, '@127.0.0.1', 'only4.example')
        return out
    assert 'SERVFAIL' in status()
    out, code = namespace.run('ip', 'addr', 'add', '203.0.113.5/32', 'dev',
                              'lo')
    assert code == 0, out
    here = pathlib.Path(__file__).parent
    with Process([*namespace.prefix, '/usr/bin/env', f'PYTHONPATH={here}',
                  'PYTHONDONTWRITEBYTECODE=1', sys.executable, '-m', 'lib.dotd',
                  leaf.chain_file, leaf.key_file, '203.0.113.5', '8853'],
                 tmp_path / 'dotd.log'):
        wait_until(lambda: '192.0.2.4' in status(), 5, stub.log)


# ---- the end

def ask_and_wait(stub, server, count=5):
    """Queries in flight over UDP and TCP."""
    udp, tcp = client.Udp(stub.port), client.Tcp(stub.port)
    for k in range(count):
        udp.send(query(f'n{k}.many.example', query_id=k))
    tcp.send(*[query(f'n{100 + k}.many.example', query_id=k)
               for k in range(count)])
    server.wait(lambda s: len(s.queries) >= 2 * count)
    return udp, tcp


def accepts_tcp(stub):
    try:
        with socket.create_connection(('127.0.0.1', stub.port), 1):
            return True
    except OSError:
        return False


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_when_idle(straight, number):
    stub, _ = straight
    assert stub.udp('www.example').answer
    stub.process.signal(number)
    assert stub.process.wait() == 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signal_answers_what_is_in_flight(serve, dotstub, number):
    gate = threading.Event()
    server = serve(behaviours.gate(gate))
    stub = dotstub([server], ready=[server], **CALM)
    udp, tcp = ask_and_wait(stub, server)
    stub.process.signal(number)
    wait_until(lambda: not accepts_tcp(stub), 3, 'no new client is accepted')
    assert stub.process.is_running()
    gate.set()
    assert {client.parse(udp.receive()).id for _ in range(5)} == set(range(5))
    assert {client.parse(tcp.receive()).id for _ in range(5)} == set(range(5))
    assert stub.process.wait() == 0
    udp.close()
    tcp.close()


@pytest.mark.parametrize('workers', [1, 2])
def test_signal_under_load(serve, dotstub, workers):
    """What was sent before the signal is answered, read already or not."""
    server = serve(behaviours.serving(lambda _: 0.2))
    stub = dotstub([server], ready=[server], workers=workers, **CALM)
    with client.Udp(stub.port) as udp, client.Tcp(stub.port) as tcp:
        for k in range(400):
            udp.send(query(f'n{k}.many.example', query_id=k))
            if k % 4 == 0:
                tcp.send(query(f't{k}.many.example', query_id=k))
        stub.terminate()
        assert ({client.parse(udp.receive()).id for _ in range(400)}
                == set(range(400)))
        assert ({client.parse(tcp.receive()).id for _ in range(100)}
                == set(range(0, 400, 4)))
    assert stub.process.wait() == 0


def test_second_signal_exits_at_once(serve, dotstub):
    """(One that follows within a moment may be the same one, sent to the
    process and to its group.)"""
    server = serve(behaviours.gate(threading.Event()))
    stub = dotstub([server], ready=[server], answer_timeout='60s',
                   query_timeout='60s')
    udp, tcp = ask_and_wait(stub, server)
    stub.terminate()
    wait_until(lambda: not accepts_tcp(stub), 3, 'no new client is accepted')
    assert stub.process.is_running()
    stub.expected_codes = (-signal.SIGTERM, 1, 128 + signal.SIGTERM)

    def is_over():
        stub.terminate()
        return not stub.process.is_running()
    wait_until(is_over, 4, 'it ends', step_s=0.1)
    udp.close()
    tcp.close()


def test_signal_with_idle_clients(serve, dotstub):
    """Open connections that owe nothing hold up nothing."""
    stub = dotstub([serve()], tcp_idle_timeout='10m')
    clients = [client.Tcp(stub.port) for _ in range(10)]
    assert clients[0].ask(query('www.example')).answer
    stub.terminate()
    assert stub.process.wait() == 0
    for c in clients:
        assert c.is_closed_by_peer()
        c.close()


def test_signal_while_no_server_answers(serve, dotstub):
    """In flight means until the deadline, then it ends."""
    server = serve(behaviours.stall_accept)
    stub = dotstub([server], query_timeout='700ms')
    with client.Udp(stub.port) as c:
        c.send(query('www.example', query_id=3))
        with client.Tcp(stub.port) as t:
            # Over TCP afterwards: UDP came before it.
            t.send(query('www.example', query_id=4))
            stub.udp('www.example')
            c.send(query('www.example', query_id=5))
            stub.terminate()
            assert stub.process.wait() == 0


def test_as_pid_1(serve, dotstub):
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    server = serve()
    stub = dotstub([server], ready=[server], prefix=[
        'unshare', '--user', '--map-root-user', '--pid', '--fork',
        '--kill-child', '--mount-proc'])
    assert stub.udp('www.example').answer
    children = pathlib.Path(
        f'/proc/{stub.pid}/task/{stub.pid}/children').read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert stub.process.wait() == 0


def test_hangup_and_pipe_do_not_end_it(straight):
    stub, _ = straight
    stub.process.signal(signal.SIGPIPE)
    assert stub.udp('www.example').answer
    assert stub.process.is_running()
