"""What the checks share: the tree's files, how to report, how to be skipped.

A check prints one finding a line (file:line: what is wrong) and exits 0, 1, or
77 when its tool is missing (1 with DOTSTUB_NO_SKIP=1).
"""
import functools
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {'.git', '__pycache__', '.pytest_cache', '.cache'}


def is_ours(path):
    """Is path (relative to ROOT) neither built nor fetched nor hidden?"""
    parts = path.parts
    if NOT_OURS & set(parts) or parts[0].startswith('build'):
        return False
    return not (parts[0] == 'deps' and len(parts) > 2
                and parts[1] != 'packagefiles')


def files(*patterns, under=''):
    """Our files below ROOT/under whose names match one of the patterns."""
    found = set()
    top = ROOT / under
    for folder, folders, names in os.walk(top):
        here = pathlib.Path(folder).relative_to(ROOT)
        folders[:] = [f for f in folders if is_ours(here / f)
                      or (here / f) == pathlib.Path('deps')]
        for name in names:
            path = here / name
            if is_ours(path) and any(path.match(p) for p in patterns):
                found.add(path)
    return sorted(found)


def c_sources(*under):
    """Our .c files, of the folders given or of src and tests."""
    return [p for top in under or ('src', 'tests')
            for p in files('*.c', under=top)]


@functools.cache
def c_files():
    """All C that is held to the house style. The bench's instruments are not:
    they come from outside of the program and never go into it."""
    found = c_sources() + files('*.h', under='src') + files('*.h',
                                                            under='tests')
    return [p for p in found if p.parts[:2] != ('tests', 'bench')]


@functools.cache
def text(path):
    return (ROOT / path).read_text(encoding='utf-8', errors='replace')


def finish(findings):
    """Print what was found and end the program."""
    for finding in findings:
        print(finding)
    if findings:
        print(f'{len(findings)} findings')
    sys.exit(1 if findings else 0)


def tool(name):
    """The path of a program; ends the check where there is none."""
    path = shutil.which(name)
    if path is None:
        print(f'{name} is not installed')
        sys.exit(1 if os.environ.get('DOTSTUB_NO_SKIP') == '1' else 77)
    return path


def run(command, **options):
    """Run a command in ROOT; returns its status and all it said."""
    done = subprocess.run(command, cwd=options.pop('cwd', ROOT),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='utf-8', errors='replace', check=False,
                          **options)
    return done.returncode, done.stdout
