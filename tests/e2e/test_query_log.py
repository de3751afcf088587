"""A line for each answer, where the configuration asks for it."""
import json
import os
import re
import signal

import pytest

from lib import behaviours, client
from lib.cache import ON, wait_gone
from lib.client import query
from lib.dotstub import Dotstub
from lib.process import wait_until

LINE = re.compile(
    r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z query (?P<transport>\S+) '
    r'(?P<client>\S+) (?P<name>\S+) (?P<type>\S+) (?P<rcode>\S+) '
    r'(?P<us>\d+)us (?P<source>\S+)')


def lines(path, count):
    """As many lines, once they are there."""
    def enough():
        return path.exists() and path.read_text().count('\n') >= count
    wait_until(enough, 5, lambda: f'{count} lines: ' + (
        path.read_text() if path.exists() else 'no file'))
    found = [LINE.fullmatch(x) for x in path.read_text().splitlines()]
    assert all(found), path.read_text()
    return [x.groupdict() for x in found]


@pytest.fixture
def logged(serve, dotstub, tmp_path):
    """dotstub with a query log, its server, and the log's path."""
    def start(script=behaviours.serve, **config):
        server = serve(script)
        path = tmp_path / 'queries.log'
        config.setdefault('query_log', str(path))
        stub = dotstub([server], ready=[server], **config)
        return stub, path
    return start


def test_what_is_told(logged):
    stub, path = logged(cache_size='1MiB')
    assert stub.udp('www.example').answer
    assert stub.udp('WWW.example').answer
    assert stub.tcp('nope.nxdomain.example', 'AAAA') is not None
    assert stub.udp('localhost').answer
    with client.Udp(stub.port) as c:
        c.send(query('www.example', query_id=9).to_wire()[:-1])
        c.receive()
    found = lines(path, 5)
    assert [x['source'] for x in found] == [
        'servers', 'cache', 'servers', 'local', 'refused']
    assert [x['transport'] for x in found] == [
        'udp', 'udp', 'tcp', 'udp', 'udp']
    assert found[0]['name'] == 'www.example.'
    assert found[1]['name'].lower() == 'www.example.'
    assert found[2]['type'] == 'AAAA'
    assert found[4]['rcode'] == 'FORMERR'
    assert {x['client'] for x in found} == {'127.0.0.0'}
    assert int(found[0]['us']) > int(found[1]['us'])
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize('config, want', [
    ({'query_log_addresses': 'full'}, ('127.0.0.1', 'www.example.')),
    ({'query_log_addresses': 'none'}, ('-', 'www.example.')),
    ({'query_log_names': False}, ('127.0.0.0', '-')),
], ids=['full', 'none', 'names'])
def test_what_is_not_told(logged, config, want):
    stub, path = logged(**config)
    assert stub.udp('www.example').answer
    line, = lines(path, 1)
    assert (line['client'], line['name']) == want


def test_json(logged):
    stub, path = logged(log_format='json')
    with client.Udp(stub.port) as c:
        c.ask(query('a\\"b\\\\c.many.example', query_id=1))
    wait_until(lambda: path.read_text().endswith('\n'), 5, 'no line')
    line = json.loads(path.read_text())
    assert line['transport'] == 'udp' and line['from'] == 'servers'
    assert line['client'] == '127.0.0.0' and line['us'] > 0
    assert '"b' in line['name']


def test_sample(logged):
    stub, path = logged(query_log_sample=10, cache_size='1MiB')
    with client.Udp(stub.port) as c:
        for k in range(1, 41):
            c.ask(query('www.example', query_id=k))
    assert len(lines(path, 4)) == 4


def test_stale(serve, dotstub, tmp_path):
    server, path = serve(behaviours.lasting(1)), tmp_path / 'queries.log'
    stub = dotstub([server], ready=[server], **ON, query_log=str(path),
                   stale_answer_after='200ms')
    assert stub.udp('only4.example').answer
    wait_gone(stub, 'only4.example')
    server.down()
    assert stub.udp('only4.example').answer
    wait_until(lambda: 'stale' in [x['source'] for x in lines(path, 1)], 5,
               'no line with it')


def test_rotation(logged):
    stub, path = logged(workers=2)
    for k in range(20):
        assert stub.udp(f'n{k}.many.example').answer
    lines(path, 20)
    os.replace(path, path.with_suffix('.1'))
    assert stub.udp('www.example').answer
    lines(path.with_suffix('.1'), 21)
    stub.process.signal(signal.SIGHUP)
    wait_until(lambda: 'going on with the new' in stub.log(), 5, 'no reload')
    assert stub.udp('n1.many.example').answer
    new = lines(path, 1)
    assert [x['name'] for x in new] == ['n1.many.example.']
    assert len(lines(path.with_suffix('.1'), 21)) == 21


def test_file_that_cannot_be_opened_again(logged, tmp_path):
    """The lists change: nothing was asked for that could be refused, and the
    log goes on into the file that it has."""
    folder, deny = tmp_path / 'log', tmp_path / 'deny'
    folder.mkdir()
    deny.write_text('ads.example\n')
    stub, _ = logged(query_log=str(folder / 'queries'), deny_lists=[str(deny)])
    assert stub.udp('www.example').answer
    moved = folder.rename(tmp_path / 'moved') / 'queries'
    fresh = tmp_path / 'fresh'
    fresh.write_text('more.example\n')
    os.replace(fresh, deny)
    wait_until(lambda: 'going on with the new' in stub.log(), 10, 'no reload')
    assert 'going on with the file that is open' in stub.log()
    assert stub.udp('n1.many.example').answer
    assert [x['name'] for x in lines(moved, 2)] == [
        'www.example.', 'n1.many.example.']


def test_all_is_written_at_the_end(logged):
    stub, path = logged()
    for k in range(50):
        assert stub.udp(f'n{k}.many.example').answer
    stub.terminate()
    assert stub.process.wait() == 0
    assert len(lines(path, 50)) == 50


def test_stderr(logged):
    stub, _ = logged(query_log='stderr')
    assert stub.udp('www.example').answer
    wait_until(lambda: ' query udp 127.0.0.0 www.example. A NOERROR '
               in stub.log(), 5, 'not on standard error')


def test_stderr_in_a_file_that_others_do_not_append_to(serve, tmp_path, ca):
    """`2> FILE`: query log and log share one place in it."""
    server = serve()
    stub = Dotstub(tmp_path, [server], ca.file, query_log='stderr', prefix=[
        'sh', '-c', 'exec "$@" 2> "$0"', tmp_path / 'dotstub.log'])
    with stub:
        server.wait_ready()
        for k in range(3):
            assert stub.udp(f'n{k}.many.example').answer
        wait_until(lambda: ' query udp ' in stub.log(), 5, 'no line')
        assert stub.stop() == 0
    text = stub.log()
    assert '\0' not in text
    found = [x for x in text.splitlines() if ' query udp ' in x]
    assert len(found) == 3 and all(LINE.fullmatch(x) for x in found), text
    assert text.endswith(' stopped\n') and 'listening on' in text


def test_full_disk_costs_the_lines_alone(logged):
    stub, _ = logged(query_log='/dev/full')
    assert stub.udp('www.example').answer
    wait_until(lambda: '1 lines could not be written' in stub.log(), 5,
               'it does not say so')
    stub.process.signal(signal.SIGHUP)  # a device is opened anew as well
    wait_until(lambda: 'going on with the new' in stub.log(), 5, 'no reload')
    assert 'query log /dev/full' not in stub.log()
    assert stub.udp('www.example').answer


def test_a_file_that_cannot_be_opened(logged, tmp_path):
    path = tmp_path / 'pipe'  # without a reader
    os.mkfifo(path)
    stub, _ = logged(query_log=str(path))
    assert 'going on without' in stub.log()
    assert stub.udp('www.example').answer


def test_pipe_that_nobody_reads(logged, tmp_path):
    path = tmp_path / 'pipe'
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        stub, _ = logged(query_log=str(path), cache_size='1MiB')
        with client.Udp(stub.port) as c:
            for k in range(1, 4001):
                assert c.ask(query('www.example', query_id=k)).answer
        wait_until(lambda: 'lines could not be written' in stub.log(), 5,
                   'nothing was lost')
    finally:
        os.close(reader)
