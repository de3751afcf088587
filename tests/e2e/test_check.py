"""dotstub check: where names go, what leaves in clear text, and a
configuration out of the environment."""
import os
import subprocess

import pytest

from lib.dotstub import find_binary


def check(text, *, file='-', **variables):
    done = subprocess.run(
        [find_binary(), 'check', '-c', file], input=text, text=True,
        capture_output=True, timeout=60, check=False,
        env={**os.environ, **variables})
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_lists_what_leaves_in_clear_text(tmp_path):
    """One line a zone; only those in clear text are called so."""
    resolv = tmp_path / 'resolv.conf'
    resolv.write_text('search a\nnameserver 127.0.0.1\nnameserver 10.0.0.2\n')
    code, out, err = check(f"""
servers: quad9
listen: 127.0.0.1
zones:
  cluster.local: [udp://10.96.0.10, 'tcp://10.96.0.11:5353']
  192.168.0.0/23: udp://10.96.0.10
  corp.example: 192.0.2.53#dns.corp.example
  gone.example: nxdomain
  lan: {{servers: {{resolv_conf: {resolv}}}}}
""")
    assert (code, err) == (0, '')
    assert out[1:] == [
        'clear text: cluster.local. to udp://10.96.0.10:53, '
        'tcp://10.96.0.11:5353',
        'clear text: 0.168.192.in-addr.arpa. to udp://10.96.0.10:53',
        'clear text: 1.168.192.in-addr.arpa. to udp://10.96.0.10:53',
        'encrypted: corp.example. to 192.0.2.53:853#dns.corp.example',
        'no such name: gone.example. and all below',
        f'clear text: lan. to the servers of {resolv}, now '
        'udp://10.0.0.2:53']


def test_all_in_clear_text_is_said_and_warned_of():
    code, out, err = check('zones: {.: udp://10.0.0.1}\n')
    assert code == 0
    assert out[1:] == ['clear text: all other names to udp://10.0.0.1:53']
    assert 'warning: zones.".": all that no other zone takes leaves in ' \
        'clear text' in err


def test_nothing_leaves_in_clear_text_without_a_zone():
    code, out, _ = check('servers: [quad9, cloudflare]\n')
    assert code == 0
    assert len(out) == 1 and 'clear text' not in out[0]


@pytest.mark.parametrize('place, is_clear', [
    ('tcp://192.0.2.9:6000', True), ('tcp://127.0.0.1:6000', False),
    ('tcp://[::1]:6000', False), ('unix:/nowhere/socket', False)])
def test_dnstap_in_clear_text_is_listed(place, is_clear):
    code, out, err = check(f"servers: quad9\ndnstap: '{place}'\n")
    assert code == 0, err
    assert out[1:] == ([f'clear text: copies of all queries and answers to '
                        f'{place} (dnstap)'] if is_clear else [])


@pytest.mark.parametrize('text', [
    'servers: udp://10.0.0.1\n',
    'servers: {resolv_conf: /etc/resolv.conf}\n',
    'servers: quad9\nzones: {a: [quad9, udp://10.0.0.1]}\n'])
def test_clear_text_is_refused(text):
    code, out, err = check(text)
    assert (code, out) == (2, [])
    assert 'clear text' in err


def test_user_and_authority_that_are_not_there(tmp_path):
    """What the start would refuse, `check` says."""
    (tmp_path / 'ca.pem').write_text('servers: quad9\n')
    code, out, err = check('servers: quad9\nuser: no-such-user\n'
                           f'ca_file: {tmp_path}/ca.pem\n')
    assert (code, out) == (2, [])
    assert "<stdin>:2:7: user: there is no user 'no-such-user'" in err
    assert f'<stdin>:3:10: ca_file: {tmp_path}/ca.pem holds no cert' in err


def test_addresses_in_a_list_of_one_line():
    code, out, err = check('listen: [127.0.0.1, ::1]\n'
                           'servers: [quad9, cloudflare]\n')
    assert (code, err) == (0, '')
    assert out == ['<stdin> is good: 4 servers, listening on 127.0.0.1:53, '
                   '[::1]:53']


def test_records_that_contradict_each_other():
    """No line of them is wrong alone."""
    code, out, err = check('servers: quad9\n'
                           'records: [a.lan A 192.0.2.1, a.lan CNAME b.lan]\n')
    assert (code, out) == (2, [])
    assert 'CNAME' in err


def test_environment_takes_the_place_of_keys():
    code, out, err = check('servers: x\nlisten: y\n',
                           DOTSTUB_SERVERS='quad9, cloudflare',
                           DOTSTUB_LISTEN='[::1]:5300,127.0.0.1',
                           DOTSTUB_ZONES='{cluster.local: udp://10.96.0.10}')
    assert (code, err) == (0, '')
    assert out == ['<stdin> is good: 4 servers, listening on [::1]:5300, '
                   '127.0.0.1:53',
                   'clear text: cluster.local. to udp://10.96.0.10:53']


def test_environment_alone(tmp_path):
    file = str(tmp_path / 'none.yaml')
    code, out, err = check('', file=file, DOTSTUB_SERVERS='quad9')
    assert code == 0
    assert err == f'{file}: warning: is not there; the environment and ' \
        'defaults are used\n'
    assert out[0].startswith('the environment is good: 2 servers')
    assert check('', file=file)[0] == 2


def test_environment_that_is_wrong():
    code, out, err = check('servers: quad9\n', DOTSTUB_CACHE_SIZE='lots',
                           DOTSTUB_LISTENS='x')
    assert (code, out) == (2, [])
    assert err.splitlines() == [
        'environment DOTSTUB_CACHE_SIZE: cache_size: lots is not a size such '
        'as 1232 or 16MiB (0, or 64KiB to 16GiB)',
        'environment DOTSTUB_LISTENS: warning: is no key; did you mean '
        'DOTSTUB_LISTEN?']
