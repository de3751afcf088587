"""dotstub health, and a configuration from the environment."""
import os
import signal
import subprocess
import time

import pytest

from lib.client import texts
from lib.dotstub import Dotstub, find_binary
from lib.ports import free_port
from lib.process import Process, wait_bound
from lib.recorder import public_server


def health(*words, **variables):
    """Exit code, and what was said."""
    done = subprocess.run([find_binary(), 'health', *words], text=True,
                          capture_output=True, timeout=15, check=False,
                          env={**os.environ, **variables})
    return done.returncode, done.stdout + done.stderr


def of(stub, *words):
    return health('-c', str(stub.config_file), *words)


@pytest.fixture
def pair(serve, dotstub):
    def start(**config):
        server = public_server(serve)
        return dotstub([server], ready=[server], **config), server
    return start


def test_healthy(pair):
    stub, _ = pair()
    assert of(stub) == (0, 'healthy\n')
    assert of(stub, '--ready') == (0, 'healthy\n')


def test_not_running(tmp_path, ca):
    stub = Dotstub(tmp_path, ['127.0.0.1:1#dot.example'], ca.file)
    code, said = of(stub)
    assert code == 1 and f'127.0.0.1:{stub.port}' in said


def test_hanging(pair):
    stub, _ = pair()
    stub.process.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        code, said = of(stub)
        assert code == 1 and 'no answer' in said
        assert time.monotonic() - began < 10
    finally:
        stub.process.signal(signal.SIGCONT)
    assert of(stub)[0] == 0


def test_servers_away(pair):
    """Alive, and not ready: a restart would not help."""
    stub, server = pair(failure_ttl='0')
    server.down()
    assert of(stub) == (0, 'healthy\n')
    code, said = of(stub, '--ready')
    assert code == 1 and said
    server.up()
    deadline = time.monotonic() + 10
    while of(stub, '--ready')[0] != 0:
        assert time.monotonic() < deadline


@pytest.mark.parametrize('listen', [
    ['0.0.0.0:{}'], ['[::]:{}'], ['0.0.0.0:{}', '[::]:{}'], ['[::1]:{}'],
    ['127.9.9.9:{}'], ['192.0.2.1:{}', '127.0.0.1:{}']])
def test_wherever_it_listens(serve, tmp_path, ca, listen):
    """A wildcard is asked on the loopback; one good address is enough."""
    server = public_server(serve)
    port = free_port('127.0.0.1', '::1')
    wanted = [a.format(port) for a in listen]
    if wanted[0].startswith('192'):
        # Not on this machine, so dotstub is told another list.
        real = wanted[1:]
    else:
        real = wanted
    with Dotstub(tmp_path, [server], ca.file, port=port, listen=real) as stub:
        path = tmp_path / 'asked.yaml'
        path.write_text(stub.config_file.read_text().replace(
            str(real).replace("'", '"'), str(wanted).replace("'", '"')))
        assert health('-c', str(path)) == (0, 'healthy\n')


def test_clients_that_are_not_served_are_told_so(pair):
    """The check comes from loopback. Being refused is being alive."""
    stub, _ = pair(allow=['192.0.2.0/24'])
    assert of(stub) == (0, 'healthy\n')


def test_bad_configuration(tmp_path):
    path = tmp_path / 'bad.yaml'
    path.write_text('listen: nowhere\n')
    code, said = health('-c', str(path))
    assert code == 2 and 'bad.yaml:1:' in said
    assert health('-c', str(tmp_path / 'none.yaml'))[0] == 2
    assert health('--what')[0] == 64


# ---- the environment

def test_environment_alone(serve, tmp_path, ca):
    """No file at all, as in a container."""
    server = public_server(serve, {'www.example A': '192.0.2.80'})
    port = free_port('127.0.0.1')
    variables = {'DOTSTUB_SERVERS': server.entry,
                 'DOTSTUB_LISTEN': f'127.0.0.1:{port}',
                 'DOTSTUB_CA_FILE': str(ca.file),
                 'DOTSTUB_CACHE_SIZE': '1MiB', 'DOTSTUB_WORKERS': '1',
                 'DOTSTUB_RECORDS': 'box.lan A 192.0.2.7',
                 'DOTSTUB_ALLOW': '127.0.0.0/8, ::1',
                 # What Kubernetes adds for a Service of this name.
                 'DOTSTUB_PORT': 'tcp://10.0.0.1:53',
                 'DOTSTUB_SERVICE_HOST': '10.0.0.1'}
    none = tmp_path / 'none.yaml'
    with Process([find_binary(), 'run', '-c', none], tmp_path / 'log',
                 env={**os.environ, **variables}) as process:
        wait_bound(process, [('udp', port), ('tcp', port)])
        stub = Dotstub(tmp_path, [server], ca.file, port=port)
        assert texts(stub.udp('www.example')) == ['www.example. A 192.0.2.80']
        assert texts(stub.tcp('box.lan')) == ['box.lan. A 192.0.2.7']
        assert health('-c', str(none), **variables)[0] == 0


def test_environment_over_the_file(pair):
    stub, _ = pair(env={'DOTSTUB_RECORDS': '["a.lan A 192.0.2.1", '
                                           '"b.lan A 192.0.2.2"]',
                        'DOTSTUB_LOG_LEVEL': 'info'},
                   records=['a.lan A 192.0.2.9', 'c.lan A 192.0.2.3'])
    assert texts(stub.udp('a.lan')) == ['a.lan. A 192.0.2.1']
    assert texts(stub.udp('b.lan')) == ['b.lan. A 192.0.2.2']
    assert not stub.udp('c.lan').answer
    assert ' info ' in stub.log()


@pytest.mark.parametrize('variable, value, said', [
    ('DOTSTUB_CACHE_SIZE', 'much', 'DOTSTUB_CACHE_SIZE'),
    ('DOTSTUB_LISTEN', '300.0.0.1', 'DOTSTUB_LISTEN'),
    ('DOTSTUB_SERVERS', 'udp://192.0.2.1', 'DOTSTUB_SERVERS')])
def test_environment_that_is_wrong(tmp_path, variable, value, said):
    path = tmp_path / 'good.yaml'
    path.write_text('servers: quad9\n')
    done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                          capture_output=True, timeout=10, check=False,
                          env={**os.environ, variable: value})
    assert done.returncode == 2 and said in done.stderr


def test_a_slip_in_a_variable_is_told(tmp_path):
    path = tmp_path / 'good.yaml'
    path.write_text('servers: quad9\n')
    done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                          capture_output=True, timeout=10, check=False,
                          env={**os.environ, 'DOTSTUB_CACHE_SIZ': '1MiB'})
    assert done.returncode == 0 and 'DOTSTUB_CACHE_SIZE' in done.stderr
