"""dotstub health, and a configuration from the environment."""
import os
import re
import subprocess

import pytest

from lib import behaviours
from lib.client import texts
from lib.dotstub import Dotstub, find_binary
from lib.ports import free_port
from lib.process import Process, wait_bound, wait_until
from lib.recorder import public_server

from test_activation import activated, manager  # noqa: F401
from test_activation import pair as socket_pair


def health(*words, **variables):
    """Exit code, and what was said."""
    done = subprocess.run([find_binary(), 'health', *words], text=True,
                          capture_output=True, timeout=60, check=False,
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
    with stub.process.standing_still():
        code, said = of(stub)
        assert code == 1 and 'no answer' in said
    assert of(stub)[0] == 0


def test_servers_away(pair):
    """Alive, and not ready: a restart would not help."""
    stub, server = pair(failure_ttl='0')
    server.down()
    assert of(stub) == (0, 'healthy\n')

    def is_told():
        code, said = of(stub, '--ready')
        return code == 1 and said
    wait_until(is_told, 5, 'it is not ready')
    server.up()
    wait_until(lambda: of(stub, '--ready')[0] == 0, 10, 'ready again')


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


def spoilt(stub, kind):
    """Its configuration, as somebody left it."""
    text = stub.config_file.read_text()
    return {
        'unknown key': text + 'bogus: 1\n',
        'no servers': re.sub(r'(?m)^servers:(\n?.*)$', 'serves:\\1', text),
        'a folder that is not there': text + 'cache_file: /nowhere/cache\n',
        'syntax at the end': text + 'more: [a, ::x]\n',
        'syntax at the beginning': '{{{ what\n' + text,
        'not text': '# \x01\x02\n' + text,
        'two documents': text + '---\n' + text,
        'a tab': 'more:\n\t- a\n' + text,
    }[kind]


SPOILT = ['unknown key', 'no servers', 'a folder that is not there',
          'syntax at the end', 'syntax at the beginning', 'not text',
          'two documents', 'a tab']


@pytest.mark.parametrize('kind', SPOILT)
def test_file_that_went_bad(pair, kind):
    """The daemon goes on with what it read, and so does its check."""
    stub, _ = pair()
    stub.config_file.write_text(spoilt(stub, kind))
    assert subprocess.run([find_binary(), 'check', '-c', stub.config_file],
                          capture_output=True, check=False).returncode == 2
    for words in ([], ['--ready']):
        code, said = of(stub, *words)
        assert code == 0 and said.startswith('healthy\n'), said
        assert said.count('\n') < 4


def test_file_that_is_gone(pair):
    """Where to ask is known from elsewhere, or it is not."""
    stub, _ = pair()
    stub.config_file.unlink()
    path, control = str(stub.config_file), stub.values['control']
    code, said = health('-c', path,
                        DOTSTUB_LISTEN=f'127.0.0.1:{stub.port}')
    assert code == 0 and 'warning: cannot be read' in said
    code, said = health('-c', path, DOTSTUB_CONTROL=str(control))
    assert code == 0 and f'healthy, by {control}' in said
    for words in ([], ['--ready']):
        assert health('-c', path, *words) == (
            1, f'{path}: cannot be read: No such file or directory\n')


@pytest.mark.parametrize('kind', ['missing', 'folder', 'socket'])
def test_file_that_cannot_be_read(pair, tmp_path, kind):
    """Nobody is asked at an address that the file may not have: another
    dotstub that is well would hide it."""
    stub, _ = pair()
    path = tmp_path / kind
    if kind == 'folder':
        path.mkdir()
    elif kind == 'socket':
        path = stub.values['control']
    code, said = health('-c', str(path))
    assert code == 1 and said.startswith(f'{path}: ')
    assert said.count('\n') == 1 and 'healthy' not in said
    for words in (['stats'], ['flush'], ['reload'],
                  ['log-level', 'info'], ['explain', 'www.example']):
        done = subprocess.run([find_binary(), *words, '-c', str(path)],
                              text=True, capture_output=True, timeout=60,
                              check=False)
        first, second = done.stderr.splitlines()
        assert done.returncode == 2 and first.startswith(f'{path}: ')
        assert 'warning' not in first and '--socket PATH' in second


def test_listen_that_is_not_understood(tmp_path):
    """Nobody can be asked there; the fault is told."""
    path = tmp_path / 'bad.yaml'
    path.write_text(f'listen: nowhere\ncontrol: {tmp_path}/none.sock\n')
    code, said = health('-c', str(path))
    assert code == 1 and 'bad.yaml:1:9: warning: listen' in said
    assert 'none.sock: no dotstub is running there' in said
    assert health('--what')[0] == 64


@pytest.mark.parametrize('listen', ['127.0.0.1:{}', 'nowhere', '[::1'])
def test_it_listens_elsewhere(pair, listen):
    """The file was changed since, and it did not hear of it."""
    stub, _ = pair()
    port = free_port('127.0.0.1')
    stub.config_file.write_text(
        f'listen: [{listen.format(port)}]\n'
        f'control: {stub.values["control"]}\n')
    for words in ([], ['--ready']):
        code, said = of(stub, *words)
        assert code == 0 and f'healthy, by {stub.values["control"]}' in said


def test_sockets_of_the_service_manager(activated):
    """It listens where listen does not say."""
    sockets, _ = socket_pair('127.0.0.1')
    port = free_port('127.0.0.1')
    stub = activated(sockets, listen=[f'127.0.0.1:{port}'])
    code, said = of(stub)
    assert code == 0 and 'healthy, by ' in said
    stub.stop()
    code, said = of(stub)
    assert code == 1 and f'no answer from 127.0.0.1:{port}' in said
    assert 'no dotstub is running there' in said


def test_ready_says_why_not(serve, dotstub):
    gone = serve()
    gone.stop()
    code, said = of(dotstub([gone]), '--ready')
    assert code == 1
    assert "the root's name servers: SERVFAIL (No Reachable" in said
    server = serve(behaviours.rcode(3))
    code, said = of(dotstub([server], ready=[server]), '--ready')
    assert code == 1 and "the root's name servers: NXDOMAIN" in said


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
                          capture_output=True, timeout=60, check=False,
                          env={**os.environ, variable: value})
    assert done.returncode == 2 and said in done.stderr


def test_a_slip_in_a_variable_is_told(tmp_path):
    path = tmp_path / 'good.yaml'
    path.write_text('servers: quad9\n')
    done = subprocess.run([find_binary(), 'check', '-c', path], text=True,
                          capture_output=True, timeout=60, check=False,
                          env={**os.environ, 'DOTSTUB_CACHE_SIZ': '1MiB'})
    assert done.returncode == 0 and 'DOTSTUB_CACHE_SIZE' in done.stderr
