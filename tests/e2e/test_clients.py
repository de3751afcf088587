"""Real clients, on port 53 of a private network namespace whose
/etc/resolv.conf names dotstub."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from lib.cache import CALM
from lib.dotstub import Dotstub
from lib.namespace import Namespace, is_possible
from lib.process import Process, wait_until
from lib.zone import LONG_STRINGS

HERE = pathlib.Path(__file__).parent


class Machine:
    """A namespace with a DoT server, dotstub and a resolv.conf."""

    def __init__(self, folder, ca, leaf):
        self.folder = folder
        self.namespace = Namespace(folder)
        self.ca, self.leaf = ca, leaf

    def start(self):
        self.namespace.start()
        prefix = self.namespace.prefix
        env = {**os.environ, 'PYTHONPATH': str(HERE),
               'PYTHONDONTWRITEBYTECODE': '1'}
        self.server = Process(
            [*prefix, sys.executable, '-m', 'lib.dotd', self.leaf.chain_file,
             self.leaf.key_file, '127.0.0.1', '853'],
            self.folder / 'dotd.log', env=env)
        wait_until(lambda: '127.0.0.1:853' in self.server.log(), 5,
                   self.server.log)
        self.stub = Dotstub(
            self.folder, ['127.0.0.1#dot.example'], self.ca.file, port=53,
            prefix=prefix, listen=['127.0.0.1', '::1'], **CALM).start()
        return self

    def run(self, *argv):
        out, code = self.namespace.run(*argv)
        assert code == 0, f'{argv}:\n{out}{self.stub.log()}'
        return out

    def stop(self):
        self.stub.stop()
        self.server.stop()
        self.namespace.stop()


@pytest.fixture(scope='module')
def machine(tmp_path_factory, ca, leaf):
    if not is_possible():
        pytest.skip('namespaces are not allowed here')
    made = Machine(tmp_path_factory.mktemp('machine'), ca, leaf).start()
    yield made
    made.stop()


def need(program):
    if not shutil.which(program):
        pytest.skip(f'{program} is not installed')


LONG = ''.join(LONG_STRINGS)


def squeezed(text):
    return text.replace('" "', '').replace('"', '')


# ---- dig, kdig, drill: UDP, TCP, a TCP retry by themselves

@pytest.mark.parametrize('options', [
    [], ['+tcp'], ['+noedns'], ['+nocookie'], ['+dnssec'], ['+bufsize=4096'],
    ['+subnet=198.51.100.0/24'], ['+noadflag', '+cdflag'], ['-6'],
    ['+keepopen', '+tcp'], ['+keepalive', '+tcp'], ['+nsid'], ['+norec'],
    ['+padding=64']],
    ids=lambda o: ' '.join(o) or 'plain')
def test_dig(machine, options):
    need('dig')
    server = '@::1' if '-6' in options else '@127.0.0.1'
    out = machine.run('dig', '-r', '+tries=1', '+time=20', server, *options,
                      'www.example', 'A')
    assert 'status: NOERROR' in out
    assert '192.0.2.1' in out and '192.0.2.2' in out
    assert 'WARNING' not in out and 'Malformed' not in out


def test_dig_many_in_one_go(machine):
    need('dig')
    out = machine.run('dig', '-r', '+time=20', '+short', '+tcp', '+keepopen',
                      *[f'n{k}.many.example' for k in range(40)])
    assert out.split() == [f'198.18.0.{k}' for k in range(40)]


def test_dig_long_answer_retries_over_tcp(machine):
    need('dig')
    out = machine.run('dig', '-r', '+short', 'long.example', 'TXT')
    assert LONG in squeezed(out)


def test_dig_zone_transfer_ends(machine):
    need('dig')
    out = machine.run('dig', '-r', '+tries=1', '+time=20', '@127.0.0.1',
                      'example', 'AXFR')
    assert 'Transfer failed' in out


@pytest.mark.parametrize('options', [[], ['+tcp'], ['+tcp', '+keepopen'],
                                     ['+edns=0'], ['+dnssec'],
                                     ['+bufsize=512']],
                         ids=lambda o: ' '.join(o) or 'plain')
def test_kdig(machine, options):
    need('kdig')
    out = machine.run('kdig', '@127.0.0.1', '+retry=0', '+time=20', *options,
                      'hop1.example', 'AAAA')
    assert 'status: NOERROR' in out and '2001:db8::1' in out
    assert 'WARNING' not in out


def test_kdig_long_answer_retries_over_tcp(machine):
    need('kdig')
    out = machine.run('kdig', '@127.0.0.1', '+short', 'long.example', 'TXT')
    assert LONG in squeezed(out)


@pytest.mark.parametrize('options', [[], ['-t'], ['-b', '1232'], ['-D']],
                         ids=lambda o: ' '.join(o) or 'plain')
def test_drill(machine, options):
    need('drill')
    out = machine.run('drill', *options, 'mail.example', 'MX', '@127.0.0.1')
    assert 'rcode: NOERROR' in out and 'mx1.example.' in out


def test_drill_long_answer(machine):
    """drill says that it was truncated and leaves the rest to its user."""
    need('drill')
    out = machine.run('drill', 'long.example', 'TXT', '@127.0.0.1')
    assert ' tc ' in out
    out = machine.run('drill', '-t', 'long.example', 'TXT', '@127.0.0.1')
    assert LONG in squeezed(out)


@pytest.mark.parametrize('options', [[], ['-type=aaaa'], ['-vc'],
                                     ['-type=any'], ['-debug']],
                         ids=lambda o: ' '.join(o) or 'plain')
def test_nslookup(machine, options):
    need('nslookup')
    out = machine.run('nslookup', *options, 'www.example')
    assert '127.0.0.1#53' in out
    wanted = '2001:db8::1' if options == ['-type=aaaa'] else '192.0.2.1'
    assert wanted in out


# ---- the C libraries' resolvers

@pytest.mark.parametrize('database,wanted', [
    ('ahostsv4', '192.0.2.2'), ('ahostsv6', '2001:db8::1'),
    ('ahosts', '192.0.2.1'), ('hosts', '2001:db8::1')])
def test_getent(machine, database, wanted):
    need('getent')
    out = machine.run('getent', database, 'hop1.example')
    assert wanted in out


def test_getent_says_no(machine):
    need('getent')
    out, code = machine.namespace.run('getent', 'hosts', 'missing.example')
    assert code == 2 and not out


@pytest.mark.parametrize('options', [
    'use-vc', 'edns0', 'single-request', 'edns0 trust-ad', 'rotate',
    'single-request-reopen'])
def test_getent_with_options(machine, options):
    """RES_OPTIONS: over TCP, with EDNS, one query after the other …"""
    need('getent')
    out = machine.run('env', f'RES_OPTIONS={options}', 'getent', 'ahosts',
                      'www.example')
    assert '192.0.2.1' in out and '2001:db8::1' in out


@pytest.fixture(scope='module')
def musl_program(tmp_path_factory):
    need('musl-gcc')
    program = tmp_path_factory.mktemp('musl') / 'addresses'
    subprocess.run(['musl-gcc', '-static', '-o', program,
                    HERE / 'clients' / 'addresses.c'], check=True)
    return program


@pytest.mark.parametrize('name,wanted', [
    ('www.example', ['192.0.2.1', '192.0.2.2', '2001:db8::1']),
    ('hop1.example', ['192.0.2.1', '192.0.2.2', '2001:db8::1']),
    ('only4.example', ['192.0.2.4'])])
def test_musl(machine, musl_program, name, wanted):
    """A and AAAA at once from one socket; NODATA for one of them."""
    for _ in range(10):
        out = machine.run(musl_program, name)
        assert sorted(out.split()) == sorted(wanted)


def test_musl_says_no(machine, musl_program):
    out, code = machine.namespace.run(musl_program, 'missing.example')
    assert code == 1 and out.startswith('error: ')
