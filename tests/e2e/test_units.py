"""The units for systemd, as far as they can be judged without it running. That
they work is shown by tests/package."""
import pathlib
import re
import shutil
import subprocess

import pytest

from lib.dotstub import REPOSITORY, find_binary

UNITS = REPOSITORY / 'config' / 'systemd'
EXPOSURE_MAX = 15  # tenths


@pytest.fixture
def analyze():
    """systemd-analyze with arguments: its output and exit code."""
    path = shutil.which('systemd-analyze')
    if not path:
        pytest.skip('no systemd-analyze')

    def run(*arguments, cwd=None):
        done = subprocess.run([path, *map(str, arguments)], cwd=cwd,
                              stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout, done.returncode
    version = int(re.search(r'systemd (\d+)', run('--version')[0])[1])
    if version < 250:
        pytest.skip(f'systemd {version} cannot judge a unit offline')
    return run


def make(folder):
    """The units as they are installed, with this program."""
    service = (UNITS / 'dotstub.service.in').read_text()
    service = service.replace('@BINDIR@',
                              str(pathlib.Path(find_binary()).parent))
    assert '@' not in re.sub(r'@[a-z]', '', service)
    (folder / 'dotstub.service').write_text(service)
    shutil.copy(UNITS / 'dotstub.socket', folder)


def test_systemd_understands_them(analyze, tmp_path):
    make(tmp_path)
    said, code = analyze('verify', '--man=no', './dotstub.service',
                         './dotstub.socket', cwd=tmp_path)
    assert (said, code) == ('', 0)


def test_exposure(analyze, tmp_path):
    make(tmp_path)
    said, code = analyze('security', '--offline=true',
                         f'--threshold={EXPOSURE_MAX}', './dotstub.service',
                         cwd=tmp_path)
    assert code == 0, said


def test_exposure_is_measured(analyze, tmp_path):
    """The same with one line less is above the limit."""
    make(tmp_path)
    path = tmp_path / 'dotstub.service'
    path.write_text(path.read_text().replace('RestrictNamespaces=yes\n', ''))
    _, code = analyze('security', '--offline=true',
                      f'--threshold={EXPOSURE_MAX}', './dotstub.service',
                      cwd=tmp_path)
    assert code != 0
