"""cache_file: the cache outlives the process, and no file can stop it."""
import os
import pathlib
import re
import shutil
import stat
import time

import dns.rcode
import pytest

from lib import behaviours
from lib.cache import (ON, STALE, asked, errors, is_stale, ttl, wait_gone)
from lib.client import texts
from lib.process import wait_until

WWW = ['www.example. A 192.0.2.1', 'www.example. A 192.0.2.2']
# Nobody waits for a server by accident: clients give up before.
PATIENT = {**ON, 'query_timeout': '1m', 'answer_timeout': '1m',
           'connect_timeout': '1m', 'stale_answer_after': '1m',
           'retry_min': '50ms', 'retry_max': '100ms'}


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / 'state'
    folder.mkdir()
    return folder / 'cache'


@pytest.fixture
def begin(dotstub, path):
    """begin(server, **config): dotstub with the file."""
    def start(server, **config):
        return dotstub([server], ready=[server] if server.is_up else [],
                       **{**PATIENT, 'cache_file': str(path), **config})
    return start


@pytest.fixture
def server(serve):
    """down() it before begin(), and dotstub does not wait for it."""
    return tracked(serve())


def tracked(server):
    server.is_up = True
    down, up = server.down, server.up

    def go_down():
        server.is_up = False
        down()

    def go_up():
        server.is_up = True
        up()
    server.down, server.up = go_down, go_up
    return server


def end(stub):
    stub.terminate()
    assert stub.process.wait() == 0
    return stub


def warnings(stub, path):
    return [line for line in stub.log().splitlines()
            if ' warning ' in line and str(path) in line]


def filled(server, begin, path, *names):
    """The file, with answers to these names in it."""
    stub = begin(server)
    for name in names:
        stub.udp(name)
    end(stub)
    assert not warnings(stub, path)
    return path


# ---- the straight line

def test_restart_costs_no_queries(server, begin, path):
    """All kinds of answers, the server gone: they are there, with a TTL that
    has gone on; and what was not asked for is not."""
    kinds = [('www.example', 'A'), ('hop1.example', 'AAAA'),
             ('missing.example', 'A'), ('only4.example', 'AAAA'),
             ('long.example', 'TXT'), ('private.example', 'TYPE65280')]
    began = time.time()
    stub = begin(server)
    before = {k: stub.tcp(*k, edns=1232) for k in kinds}
    assert stub.udp('www.example', edns=1232, dnssec_ok=True).answer
    wait_until(lambda: ttl(stub.udp('www.example')) < 300, 3, 'one second')
    seen = ttl(stub.udp('www.example'))
    end(stub)
    server.down()
    stub = begin(server)
    for kind, old in before.items():
        new = stub.tcp(*kind, edns=1232)
        assert texts(new) == texts(old) and new.rcode() == old.rcode()
        assert new.flags == old.flags and not errors(new)
    assert stub.udp('WWW.example', edns=1232, dnssec_ok=True).answer
    left = ttl(stub.udp('www.example'))
    # The time between the two processes counts in whole seconds.
    assert 300 - (time.time() - began) - 1 <= left <= seen
    assert stub.udp('mail.example', 'MX', flags=0).rcode() == (
        dns.rcode.REFUSED)
    assert asked(server) == len(kinds) + 1


def test_second_restart(server, begin, path):
    """What was read is written again, and nothing grows."""
    filled(server, begin, path, 'www.example', 'only4.example')
    size = path.stat().st_size
    for _ in range(2):
        stub = begin(server)
        assert texts(stub.udp('www.example')) == WWW
        end(stub)
        assert path.stat().st_size == size
    assert asked(server) == 2


def test_several_workers(server, begin, path):
    """Saved once, for all; read before the first client is answered."""
    stub = begin(server, workers=2)
    for k in range(100):
        assert stub.udp(f'n{k}.many.example').answer
    end(stub)
    before = asked(server)
    stub = begin(server, workers=2)
    for k in range(100):
        assert texts(stub.udp(f'n{k}.many.example')) == [
            f'n{k}.many.example. A 198.18.0.{k}']
    assert asked(server) == before


def test_failures_are_not_written(serve, begin, path):
    server = tracked(serve(behaviours.servfail))
    stub = begin(server, failure_ttl='5m')
    assert stub.udp('www.example').rcode() == dns.rcode.SERVFAIL
    end(stub)
    server.script = behaviours.serve
    stub = begin(server, failure_ttl='5m')
    assert texts(stub.udp('www.example')) == WWW


def test_smaller_cache(server, begin, path):
    """What does not fit any more is left out; the rest is of use."""
    stub = begin(server, cache_size='4MiB')
    for k in range(2000):
        assert stub.udp(f'n{k}.many.example').answer
    end(stub)
    stub = begin(server, cache_size='64KiB')
    assert not warnings(stub, path)
    hits = sum(stub.udp(f'n{k}.many.example', flags=0).rcode() == 0
               for k in range(2000))
    assert 50 < hits < 1000
    assert stub.udp('www.example').answer


@pytest.mark.parametrize('config', [{'cache_size': 0}, {'cache_file': None}])
def test_without_cache_or_name_there_is_no_file(server, begin, path, config):
    stub = begin(server, **config)
    assert stub.udp('www.example').answer
    end(stub)
    assert os.listdir(path.parent) == []


def test_relative_to_the_configuration(server, begin, tmp_path):
    stub = begin(server, cache_file='here')
    assert stub.udp('www.example').answer
    end(stub)
    assert (tmp_path / 'here').is_file()


# ---- the file

@pytest.mark.parametrize('umask', [0o000, 0o022, 0o777])
def test_file_is_its_owners_alone(server, begin, path, umask):
    """It tells what was asked, whatever the mask of the process is."""
    stub = begin(server, prefix=['sh', '-c', f'umask {umask:04o}; exec "$@"',
                                 'sh'])
    assert stub.udp('www.example').answer
    end(stub)
    assert stat.S_IMODE(path.stat().st_mode) & ~0o600 == 0
    if umask != 0o777:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ['cache']


def test_file_is_replaced_in_one_step(server, begin, path):
    """The new file is another one, under the old one's name: who has the
    old one open still reads all of it. Its mode is not inherited."""
    filled(server, begin, path, 'www.example')
    path.chmod(0o644)
    with open(path, 'rb') as old:
        content = old.read()
        stub = begin(server)
        assert stub.udp('only4.example').answer
        assert path.read_bytes() == content  # nothing before the end
        end(stub)
        assert path.stat().st_ino != os.fstat(old.fileno()).st_ino
        old.seek(0)
        assert old.read() == content
    assert path.read_bytes() != content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ['cache']


@pytest.mark.parametrize('signal_number', [2, 15])
def test_is_written_on_both_signals(server, begin, path, signal_number):
    stub = begin(server)
    assert stub.udp('www.example').answer
    stub.process.signal(signal_number)
    assert stub.process.wait() == 0
    assert path.stat().st_size > 32


def test_killed(server, begin, path):
    """The file of the time before is whole and of use."""
    filled(server, begin, path, 'www.example')
    content = path.read_bytes()
    stub = begin(server)
    stub.expected_codes = [-9]
    assert stub.udp('only4.example').answer
    stub.process.signal(9)
    stub.process.wait()
    assert path.read_bytes() == content
    assert texts(begin(server).udp('www.example')) == WWW
    assert asked(server, 'www.example') == 1


# ---- files that are no cache

def flip(at):
    def spoil(data):
        data = bytearray(data)
        data[at] ^= 0x10
        return bytes(data)
    return spoil


BAD = {
    'empty': lambda data: b'',
    'one octet': lambda data: data[:1],
    'header alone': lambda data: data[:32],
    'cut in the middle': lambda data: data[:len(data) // 2],
    'cut by one octet': lambda data: data[:-1],
    'one octet more': lambda data: data + b'\0',
    'twice': lambda data: data * 2,
    'another magic': flip(0),
    'another version': flip(11),
    'another time': flip(20),
    'length of a chunk': flip(33),
    'first answer': flip(70),
    'last octet': flip(-1),
    'text': lambda data: b'nameserver 192.0.2.1\n' * 50,
    'zeros': lambda data: bytes(len(data)),
    'ones': lambda data: b'\xff' * len(data),
}


@pytest.mark.parametrize('spoil', BAD.values(), ids=BAD)
def test_bad_file(server, begin, path, spoil):
    """One warning, a normal start, nothing of it believed; and a good file
    at the end."""
    filled(server, begin, path, 'www.example', 'only4.example')
    path.write_bytes(spoil(path.read_bytes()))
    stub = begin(server)
    assert len(warnings(stub, path)) == 1, stub.log()
    assert stub.udp('www.example', flags=0).rcode() == dns.rcode.REFUSED
    assert texts(stub.udp('www.example')) == WWW
    assert asked(server, 'www.example') == 2
    end(stub)
    assert len(warnings(stub, path)) == 1
    stub = begin(server)
    assert not warnings(stub, path)
    assert texts(stub.udp('www.example')) == WWW
    assert asked(server, 'www.example') == 2


def test_no_file_yet(server, begin, path):
    stub = begin(server)
    assert not warnings(stub, path)
    assert stub.udp('www.example').answer


@pytest.fixture
def powerless():
    """Before the program: what takes the right to write anywhere from it."""
    if os.geteuid() != 0:
        return []
    if not shutil.which('setpriv'):
        pytest.skip('root may write anywhere, and setpriv is not installed')
    return ['setpriv', '--bounding-set=-dac_override,-dac_read_search']


def refused(dotstub, server, path, **config):
    """dotstub does not start with this file, and says why, in one line."""
    stub = dotstub([server], wait=False, cache_file=str(path), **ON,
                   **config)
    stub.expected_codes = [2]
    assert stub.process.wait() == 2
    line, = stub.log().splitlines()
    assert ': cache_file: ' in line
    return line


def test_folder_that_cannot_be_written(server, dotstub, path, powerless):
    """Known before the start: an error of the configuration."""
    path.parent.chmod(0o500)
    line = refused(dotstub, server, path, prefix=powerless)
    path.parent.chmod(0o700)
    assert line.endswith(f'{path.parent}: Permission denied')
    refused(dotstub, server, path.parent / 'missing' / 'cache')


def test_path_that_is_no_file(server, dotstub, path):
    refused(dotstub, server, path.parent)
    os.mkfifo(path)
    assert refused(dotstub, server, path).endswith('is not a file')


def test_folder_is_not_writable_any_more(server, begin, path, powerless):
    """One warning at the end, exit 0; the old file stays, without litter."""
    filled(server, begin, path, 'www.example')
    content = path.read_bytes()
    stub = begin(server, prefix=powerless)
    path.parent.chmod(0o500)
    try:
        assert texts(stub.udp('www.example')) == WWW
        assert stub.udp('only4.example').answer
        end(stub)
    finally:
        path.parent.chmod(0o700)
    assert len(warnings(stub, path)) == 1
    assert 'Permission denied' in warnings(stub, path)[0]
    assert asked(server, 'www.example') == 1
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ['cache']


def test_folder_goes(server, begin, path):
    stub = begin(server)
    assert stub.udp('www.example').answer
    path.parent.rmdir()
    end(stub)
    assert len(warnings(stub, path)) == 1


def test_file_is_not_readable(server, begin, path, powerless):
    filled(server, begin, path, 'www.example')
    path.chmod(0o000)
    stub = begin(server, prefix=powerless)
    assert len(warnings(stub, path)) == 1
    assert texts(stub.udp('www.example')) == WWW
    assert asked(server, 'www.example') == 2


def test_disk_is_full(server, begin, path):
    """A limit on the length of files stands for it: the old file stays."""
    filled(server, begin, path, 'www.example')
    content = path.read_bytes()
    stub = begin(server, cache_size='4MiB', prefix=[
        'sh', '-c', 'trap "" XFSZ; ulimit -f 16; exec "$@"', 'sh'])
    for k in range(500):
        assert stub.udp(f'n{k}.many.example').answer
    end(stub)
    assert len(warnings(stub, path)) == 1
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ['cache']


# ---- what ended meanwhile

def test_expired_is_stale_only(serve, begin, path):
    """Past its end when it is read: given while no server is there, with
    all that makes a stale answer, and fresh when one is."""
    server = tracked(serve(behaviours.lasting(1)))
    stub = begin(server)
    assert stub.udp('only4.example').answer
    wait_gone(stub, 'only4.example')
    end(stub)
    server.down()
    stub = begin(server)
    got = stub.udp('only4.example', edns=1232)
    assert texts(got) == ['only4.example. A 192.0.2.4']
    assert errors(got) == [STALE] and ttl(got) == 30
    server.up()
    wait_until(lambda: ttl(stub.udp('only4.example')) == 1, 5, 'fresh again')


def test_expires_while_away(serve, begin, path):
    """The end of its TTL comes between the two processes."""
    server = tracked(serve(behaviours.lasting(1)))
    stub = begin(server)
    assert stub.udp('only4.example').answer
    end(stub)
    written = path.stat().st_mtime
    # Whole seconds count: two of them are one at least.
    wait_until(lambda: time.time() >= written + 2, 4, 'two seconds')
    server.down()
    got = begin(server).udp('only4.example', edns=1232)
    assert is_stale(got) and ttl(got) == 30


@pytest.mark.parametrize('when', ['writing', 'reading'])
def test_expired_without_serve_stale(serve, begin, path, when):
    """It is not written, or not taken when it is read."""
    server = tracked(serve(behaviours.lasting(1)))
    none = {'serve_stale': 0}
    stub = begin(server, **(none if when == 'writing' else {}))
    assert stub.udp('only4.example').answer
    wait_gone(stub, 'only4.example')
    end(stub)
    server.down()
    stub = begin(server, query_timeout='200ms', answer_timeout='200ms',
                 connect_timeout='200ms',
                 **(none if when == 'reading' else {}))
    got = stub.udp('only4.example', edns=1232)
    assert got.rcode() == dns.rcode.SERVFAIL and not is_stale(got)


def test_bounds_of_now_hold(server, begin, path):
    """TTLs of the file are put within the limits of the new process."""
    filled(server, begin, path, 'www.example')
    stub = begin(server, max_ttl='60s')
    assert ttl(stub.udp('www.example')) <= 60
    assert asked(server) == 1


def test_names_are_in_the_file_and_not_in_the_log(server, begin, path):
    filled(server, begin, path, 'www.example')
    assert re.search(rb'\x03www\x07example\0', path.read_bytes())
    for log in pathlib.Path(path.parent.parent).glob('*.log'):
        assert 'www.example' not in log.read_text()
