"""What a reload cannot do in a process that has locked itself in: it is refused
and nothing is lost."""
import pathlib
import tempfile

import pytest

from lib.process import wait_until
from lib.reload import DONE, STAYS, ask_reload, reload, rewrite

LOCKED_IN = 'the process has locked itself in and cannot'
WAYS_OUT = [({}, 'restart it, or set sandbox to off'),
            ({'sandbox': 'off'}, 'restart it')]


@pytest.fixture
def locked_in(serve, dotstub, monkeypatch):
    """A process whose files and ports are limited. Skips if they cannot be."""
    monkeypatch.delenv('DOTSTUB_SANDBOX', raising=False)
    server = serve()
    stub = dotstub([server], ready=[server], log_level='info')
    wait_until(lambda: 'listening on' in stub.log(), 5, 'what holds')
    if 'Landlock (ABI ' not in stub.log():
        pytest.skip('a kernel without Landlock')
    return stub


@pytest.fixture
def elsewhere():
    """A folder that is not below that of the configuration."""
    with tempfile.TemporaryDirectory(prefix='dotstub-') as name:
        yield pathlib.Path(name)


@pytest.mark.parametrize('changes, way_out', WAYS_OUT)
@pytest.mark.parametrize('is_there', [False, True])
@pytest.mark.parametrize('key', ['cache_file', 'query_log'])
def test_output_in_another_folder(locked_in, elsewhere, key, is_there, changes,
                                  way_out):
    """Refused, and not lost when it would be written."""
    stub, file = locked_in, elsewhere / 'output'
    if is_there:
        file.write_text('before')
    rewrite(stub, **{key: str(file)}, cache_size='1MiB', **changes)
    code, out, err = ask_reload(stub)
    assert (code, out) == (1, [])
    assert err.endswith(f'{key}: {file}: {LOCKED_IN} write in this folder; '
                        f'{way_out}\n')
    assert STAYS in stub.log() and DONE not in stub.log()
    assert stub.udp('www.example').answer
    assert [x.read_text() for x in elsewhere.iterdir()] == ['before'] * is_there
    assert stub.stop() == 0


def test_output_in_a_folder_of_the_start(locked_in):
    """That of the control socket; to try it leaves nothing behind."""
    stub = locked_in
    folder = pathlib.Path(stub.values['control']).parent
    names = {x.name for x in folder.iterdir()}
    reload(stub, cache_file=str(folder / 'cache'), cache_size='1MiB')
    assert {x.name for x in folder.iterdir()} == names
    reload(stub, query_log=str(folder / 'queries'))
    assert {x.name for x in folder.iterdir()} == names | {'queries'}
    reload(stub, query_log='/dev/null')  # may be written whatever was named
    assert stub.udp('www.example').answer
    assert stub.stop() == 0
    assert (folder / 'cache').stat().st_size > 0


@pytest.mark.parametrize('changes, way_out', WAYS_OUT)
def test_way_out_is_one_that_is_not_taken_yet(locked_in, changes, way_out):
    rewrite(locked_in, dnstap='unix:/nonexistent/tap.sock', **changes)
    code, _, err = ask_reload(locked_in)
    assert code == 1
    assert err.endswith(f'dnstap was off when the process locked itself in; '
                        f'{way_out}\n')
