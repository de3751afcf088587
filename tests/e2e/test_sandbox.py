"""The program locks itself in, and everything it is for works all the same.

With "sandbox: kill" a system call that the filter does not know ends it, so
these walks find what is missing. What is really forbidden is proved where it
can be tried: tests/unit/server/test_server_sandbox.c.
"""
import http.client
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from lib import behaviours, client
from lib.client import query, texts
from lib.dotstub import Dotstub, find_binary
from lib.ports import free_port
from lib.process import wait_until

from test_reload import DONE, reload

WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
KILL = {'sandbox': 'kill'}
NOBODY = 65534


@pytest.fixture(scope='module', autouse=True)
def filtered(tmp_path_factory):
    """What this build and this kernel can do; skips without a filter."""
    folder = tmp_path_factory.mktemp('probe')
    with Dotstub(folder, ['192.0.2.1:853#x.example'], sandbox='on',
                 log_level='info') as stub:
        wait_until(lambda: 'sandbox: ' in stub.log(), 5, 'what holds')
        if 'sanitizer' in stub.log():
            pytest.skip('a build with a sanitizer')
        if 'seccomp' not in stub.log():
            pytest.skip('no seccomp filter in this build or on this kernel')
        return stub.log()


@pytest.fixture
def tmp_path():
    """Not in pytest's own folder: each further run of pytest that begins
    shuts that one for other users."""
    with tempfile.TemporaryDirectory(prefix='dotstub-') as name:
        yield pathlib.Path(name)


@pytest.fixture
def environment(monkeypatch):
    """What the configuration says holds: it may be set for the whole run."""
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)


def status(pid, task=None):
    path = pathlib.Path(f'/proc/{pid}/task/{task or pid}/status')
    return dict(line.split(':\t', 1) for line in
                path.read_text().splitlines() if ':\t' in line)


def tasks(pid):
    return os.listdir(f'/proc/{pid}/task')


def is_alone(stub):
    """All threads are as locked in as the first."""
    for task in tasks(stub.pid):
        held = status(stub.pid, task)
        assert held['Seccomp'] == '2'
        assert held['NoNewPrivs'] == '1'
        for kind in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
            assert int(held[kind], 16) == 0, kind
        if os.geteuid() == 0:
            assert int(held['CapBnd'], 16) == 0


# ---- what the kernel says of it

def test_every_thread_is_locked_in(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], workers=3, **KILL)
    assert texts(stub.udp('www.example')) == WWW
    assert len(tasks(stub.pid)) >= 3
    is_alone(stub)


def test_no_core_dump(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], **KILL)
    limits = pathlib.Path(f'/proc/{stub.pid}/limits').read_text()
    line = next(x for x in limits.splitlines() if 'core file' in x)
    assert line.split()[4:6] == ['0', '0']
    # Not to be dumped, nor traced by its own user: its files are root's.
    assert os.stat(f'/proc/{stub.pid}/mem').st_uid == 0


def test_what_holds_is_in_the_log(filtered):
    assert 'no_new_privs' in filtered
    if pathlib.Path('/proc/self/attr').exists() and 'no Landlock' in filtered:
        pytest.skip('no Landlock on this kernel')
    assert 'Landlock (ABI ' in filtered


def test_off(serve, dotstub, environment):
    server = serve()
    stub = dotstub([server], ready=[server], sandbox='off', log_level='info')
    assert status(stub.pid)['Seccomp'] == status(os.getpid())['Seccomp']
    assert 'sandbox: ' not in stub.log()


# ---- everything it is for

def ask_everywhere(stub, port6):
    for transport in ('udp', 'tcp'):
        assert texts(stub.ask(transport, 'www.example')) == WWW
    for kind in (client.Udp, client.Tcp):
        with kind(port6, address='::1') as c:
            assert texts(c.ask(query('www.example'))) == WWW


def pages(port):
    for path in ('/metrics', '/healthz', '/readyz', '/'):
        conn = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
        conn.request('GET', path)
        assert conn.getresponse().status == 200, path
        conn.close()


def commands(stub):
    for arguments in (['stats', '--json'], ['flush', 'www.example'],
                      ['log-level', 'debug'], ['log-level', 'notice'],
                      ['explain', 'www.example'], ['reload']):
        done = subprocess.run(
            [find_binary(), arguments[0], '-c', stub.config_file,
             *arguments[1:]], capture_output=True, text=True, timeout=60,
            check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def replace(path, text):
    fresh = path.with_suffix('.fresh')
    fresh.write_text(text)
    os.replace(fresh, path)


def test_walk(serve, dotstub, plain, tmp_path):
    """One program, every feature after the other."""
    server = serve(behaviours.close_after(20))
    corp = plain(name_of_zone)
    folders = {name: tmp_path / name for name in
               ('state', 'lists', 'run', 'log')}
    for folder in folders.values():
        folder.mkdir()
    hosts, deny = folders['lists'] / 'hosts', folders['lists'] / 'deny'
    hosts.write_text('192.0.2.77 printer.lan\n')
    deny.write_text('ads.example\n')
    port, port6, admin = free_port(), free_port('::1'), free_port()
    config = dict(
        listen=[f'127.0.0.1:{port}', f'[::1]:{port6}'], port=port, workers=2,
        cache_size='4MiB', cache_file=str(folders['state'] / 'cache'),
        hosts=[str(hosts)], deny_lists=[str(deny)],
        zones={'corp': [corp.udp_entry], 'tcp.corp': [corp.tcp_entry]},
        control=str(folders['run'] / 'control.sock'),
        admin=f'127.0.0.1:{admin}',
        query_log=str(folders['log'] / 'queries'),
        cookies=True, rate_limit=100000, rebind_protection=True,
        log_format='json', **KILL)
    stub = dotstub([server], ready=[server], **config)
    is_alone(stub)
    ask_everywhere(stub, port6)
    assert texts(stub.udp('printer.lan')) == ['printer.lan. A 192.0.2.77']
    assert stub.udp('ads.example').rcode() == dns.rcode.NXDOMAIN
    for name in ('www.corp', 'cut.corp', 'www.tcp.corp'):
        assert texts(stub.udp(name)) == [f'{name}. A 192.0.2.9'], name
    # the server closes its connections; they are opened anew
    for k in range(100):
        assert stub.udp(f'n{k}.many.example').answer
    commands(stub)
    pages(admin)
    # files and the configuration change
    taken = stub.log().count(DONE)
    replace(hosts, '192.0.2.78 printer.lan\n')
    wait_until(lambda: texts(stub.udp('printer.lan'))
               == ['printer.lan. A 192.0.2.78'], 10, 'the new hosts file')
    wait_until(lambda: stub.log().count(DONE) > taken, 10, 'all workers')
    another = free_port()
    reload(stub, listen=[*config['listen'], f'127.0.0.1:{another}'],
           records=['x.lan A 192.0.2.5'], cache_size='8MiB')
    with client.Udp(another) as c:
        assert texts(c.ask(query('x.lan'))) == ['x.lan. A 192.0.2.5']
    ask_everywhere(stub, port6)
    is_alone(stub)
    assert stub.stop() == 0
    assert (folders['log'] / 'queries').stat().st_size > 0
    assert (folders['state'] / 'cache').stat().st_size > 0
    assert not pathlib.Path(config['control']).exists()
    # and the cache that it wrote is read
    again = dotstub([server], log_level='info', **{**config, 'log_format':
                                                   'text'})
    assert 'answers read' in again.log()
    assert texts(again.udp('n7.many.example'))
    assert again.stop() == 0


def name_of_zone(asked):
    """Any name has an address; those that begin with "cut" over TCP only."""
    response = dns.message.make_response(asked.message)
    if asked.name.startswith('cut') and asked.transport == 'udp':
        response.flags |= dns.flags.TC
        return response
    response.answer = [dns.rrset.from_text(
        asked.message.question[0].name, 60, 'IN', 'A', '192.0.2.9')]
    return response


def test_servers_come_and_go(serve, dotstub):
    server = serve()
    stub = dotstub([server], ready=[server], cache_size=0, retry_min='50ms',
                   retry_max='100ms', query_timeout='20s', **KILL)
    for _ in range(3):
        server.down()
        assert stub.process.is_running()
        server.up()
        assert texts(stub.udp('www.example')) == WWW
    is_alone(stub)


def test_files_in_folders_that_appear_later(serve, dotstub, tmp_path,
                                            environment):
    """What was not there when it locked itself in cannot be opened: the
    configuration in use stays, and the log says why."""
    server = serve()
    stub = dotstub([server], ready=[server], **KILL)
    late = tmp_path / 'late' / 'further'
    late.mkdir(parents=True)
    # the folder of the configuration and what is below it may be read
    (late / 'deny').write_text('ads.example\n')
    reload(stub, deny_lists=[str(late / 'deny')])
    assert stub.udp('ads.example').rcode() == dns.rcode.NXDOMAIN
    if status(os.getpid())['Uid'].split()[0] != '0':
        return
    reload(stub, said='the running configuration stays',
           deny_lists=['/etc/shadow'])
    assert 'permission denied' in stub.log().lower()
    assert 'folders that were named at its start' in stub.log()
    assert stub.udp('ads.example').rcode() == dns.rcode.NXDOMAIN


def test_server_on_another_port(serve, dotstub, filtered):
    """TCP goes to the ports that were configured, and 853 and 53."""
    if 'Landlock (ABI ' not in filtered or int(
            filtered.split('Landlock (ABI ')[1].split(')')[0]) < 4:
        pytest.skip('this Landlock knows no ports')
    first, second = serve(), serve()
    stub = dotstub([first], ready=[first], **KILL)
    reload(stub, [second], said='the running configuration stays')
    assert 'cannot reach this port' in stub.log()
    assert texts(stub.udp('www.example')) == WWW
    assert not second.connections


# ---- another user

def readable_for_all(folder, ca):
    """The authority's file, in this folder, for everybody."""
    folder.chmod(0o755)
    copy = folder / 'authority.pem'
    shutil.copyfile(ca.file, copy)
    copy.chmod(0o644)
    return copy


def in_a_namespace():
    """A network where port 53 is free; needs root."""
    if os.geteuid() != 0 or not shutil.which('unshare'):
        pytest.skip('needs root')
    if subprocess.run(['unshare', '--net', 'true'], check=False,
                      capture_output=True).returncode != 0:
        pytest.skip('no network namespaces')


ASK = '''
import sys
sys.path.insert(0, sys.argv[1])
from lib import client
for kind in (client.Udp, client.Tcp):
    with kind(53) as c:
        print(client.texts(c.ask(client.query('printer.lan'))))
'''


@pytest.mark.parametrize('user', ['nobody', str(NOBODY)])
def test_becomes_another_user(tmp_path, user, ca):
    """Port 53 is bound as root; nobody serves and writes the cache."""
    in_a_namespace()
    ca_file = readable_for_all(tmp_path, ca)
    state = tmp_path / 'state'
    state.mkdir()
    os.chown(state, NOBODY, -1)
    stub = Dotstub(
        tmp_path, ['192.0.2.1:853#x.example'], ca_file, port=53,
        prefix=['unshare', '--net', 'sh', '-c',
                'ip link set lo up && exec "$@"', 'sh'],
        user=user, records=['printer.lan A 192.0.2.77'], cache_size='1MiB',
        cache_file=str(state / 'cache'), control=str(tmp_path / 'run/control'),
        workers=2, **KILL)
    with stub:
        enter = ['nsenter', '-t', str(stub.pid), '--net']
        here = pathlib.Path(__file__).parent

        def ask():
            done = subprocess.run(
                [*enter, '/usr/bin/python3', '-c', ASK, str(here)],
                capture_output=True, text=True, timeout=60, check=False)
            return done.stdout + done.stderr
        want = "['printer.lan. A 192.0.2.77']\n" * 2
        assert ask() == want
        gid = pwd.getpwnam('nobody').pw_gid if user == 'nobody' else NOBODY
        for task in tasks(stub.pid):
            held = status(stub.pid, task)
            assert held['Uid'].split() == [str(NOBODY)] * 4
            assert held['Gid'].split() == [str(gid)] * 4
            assert held['Groups'].split() == []
        is_alone(stub)
        reload(stub, records=['printer.lan A 192.0.2.78'])
        assert ask() == want.replace('.77', '.78')
        assert stub.stop() == 0
    assert (state / 'cache').stat().st_uid == NOBODY


def test_what_root_made_is_the_users(serve, tmp_path, ca, environment):
    """The query log can be opened again, the control socket be reached."""
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        pytest.skip('needs root')
    ca_file = readable_for_all(tmp_path, ca)
    binary = tmp_path / 'dotstub'
    shutil.copy(find_binary(), binary)
    state, deny = tmp_path / 'state', tmp_path / 'deny'
    state.mkdir()
    os.chown(state, NOBODY, -1)
    deny.write_text('ads.example\n')
    server, log = serve(), state / 'queries'
    control = state / 'run' / 'control'
    stub = Dotstub(tmp_path, [server], ca_file, user='nobody',
                   query_log=str(log), control=str(control),
                   deny_lists=[str(deny)], **KILL)
    with stub:
        server.wait_ready()
        assert texts(stub.udp('www.example')) == WWW
        assert control.stat().st_uid == NOBODY
        assert control.parent.stat().st_uid == NOBODY
        done = subprocess.run(
            ['setpriv', '--reuid', str(NOBODY), '--clear-groups', binary,
             'reload', '--socket', control], capture_output=True, text=True,
            timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, '')
        replace(deny, 'more.example\n')
        wait_until(lambda: stub.udp('more.example').rcode()
                   == dns.rcode.NXDOMAIN, 10, 'the new list')
        assert 'query log' not in stub.log()
        assert stub.stop() == 0
    assert log.stat().st_uid == NOBODY
    assert 'more.example' in log.read_text()
    assert not control.exists()


@pytest.mark.parametrize('link', ['queries', 'sub'])
def test_the_users_links_are_not_roots_way(serve, tmp_path, ca, environment,
                                           link):
    """The query log is in a folder of the user's, who may lay links there: root
    makes nothing by them that the user could not."""
    if os.geteuid() != 0:
        pytest.skip('needs root')
    ca_file = readable_for_all(tmp_path, ca)
    state, roots = tmp_path / 'state', tmp_path / 'roots'
    state.mkdir()
    roots.mkdir(mode=0o755)
    os.chown(state, NOBODY, -1)
    if link == 'queries':
        os.symlink(roots / 'queries', state / 'queries')
        log = state / 'queries'
    else:
        os.symlink(roots, state / 'sub')
        log = state / 'sub' / 'queries'
    server = serve()
    stub = Dotstub(tmp_path, [server], ca_file, user='nobody',
                   query_log=str(log), **KILL)
    with stub:
        server.wait_ready()
        assert texts(stub.udp('www.example')) == WWW
        assert f'query log {log}: Permission denied; going on without' \
            in stub.log()
        assert stub.stop() == 0
    assert not list(roots.iterdir())


def test_query_log_in_a_folder_of_root(serve, tmp_path, ca, environment):
    """Made for the user, who could not."""
    if os.geteuid() != 0:
        pytest.skip('needs root')
    ca_file = readable_for_all(tmp_path, ca)
    server, log = serve(), tmp_path / 'queries'
    stub = Dotstub(tmp_path, [server], ca_file, user='nobody',
                   query_log=str(log), **KILL)
    with stub:
        server.wait_ready()
        assert texts(stub.udp('www.example')) == WWW
        assert stub.stop() == 0
    assert log.stat().st_uid == NOBODY and 'www.example' in log.read_text()


@pytest.mark.parametrize('name', ['/dev/stdout', '/dev/fd/1'])
def test_query_log_on_standard_output(serve, tmp_path, ca, environment, name):
    """It is root's, so it is opened before root is gone, and stays open."""
    if os.geteuid() != 0:
        pytest.skip('needs root')
    server = serve()
    stub = Dotstub(tmp_path, [server], readable_for_all(tmp_path, ca),
                   user='nobody', query_log=name, **KILL,
                   prefix=['bash', '-c', 'exec "$0" "$@" > >(exec cat)'])
    with stub:
        server.wait_ready()
        assert texts(stub.udp('www.example')) == WWW
        stub.process.signal(signal.SIGHUP)
        wait_until(lambda: 'with the file that is open' in stub.log(), 10,
                   'a reload')
        assert texts(stub.udp('mail.example', 'MX'))
        assert stub.stop() == 0
    wait_until(lambda: 'mail.example' in stub.log(), 5, 'the last lines')
    assert 'www.example' in stub.log()


def test_files_that_the_user_may_not_write(dotstub, tmp_path, environment):
    if os.geteuid() != 0:
        pytest.skip('needs root')
    log = tmp_path / 'queries'
    log.write_text('')
    stub = dotstub(['192.0.2.1:853#x.example'], wait=False, user='nobody',
                   cache_size='1MiB', cache_file=str(tmp_path / 'cache'),
                   query_log=str(log))
    stub.expected_codes = (2,)
    assert stub.process.wait() == 2
    assert f'cache_file: {tmp_path} cannot be written by user nobody' \
        in stub.log()
    assert f'query_log: {log} cannot be written by user nobody' in stub.log()


def test_user_that_is_not_there(dotstub, environment):
    if os.geteuid() != 0:
        pytest.skip('needs root')
    stub = dotstub(['192.0.2.1:853#x.example'], wait=False,
                   user='no-such-user')
    stub.expected_codes = (2,)
    assert stub.process.wait() == 2
    assert "no user 'no-such-user'" in stub.log()


def test_without_root(serve, tmp_path, ca):
    """What a user without privileges may give away it does not have."""
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        pytest.skip('needs root')
    ca_file = readable_for_all(tmp_path, ca)
    binary = tmp_path / 'dotstub'
    shutil.copy(find_binary(), binary)
    server = serve()
    stub = Dotstub(tmp_path, [server], ca_file, binary=binary, prefix=[
        'setpriv', '--reuid', str(NOBODY), '--regid', str(NOBODY),
        '--clear-groups'], **KILL)
    with stub:
        assert texts(stub.udp('www.example')) == WWW
        held = status(stub.pid)
        assert held['Seccomp'] == '2' and held['NoNewPrivs'] == '1'
        assert stub.stop() == 0

