"""Another configuration for a running program."""
import os
import signal
import subprocess

from lib.dotstub import config_text, find_binary
from lib.process import wait_until

DONE = 'going on with the new configuration'
STAYS = 'the running configuration stays'


def hup(stub):
    stub.process.signal(signal.SIGHUP)


def rewrite(stub, servers=None, **changes):
    """The file of stub with other values; None removes a key."""
    values = {**stub.values, **changes}
    if servers is not None:
        values['servers'] = [getattr(s, 'entry', s) for s in servers]
    stub.values = values
    fresh = stub.config_file.with_suffix('.new')
    fresh.write_text(config_text(
        {k: v for k, v in values.items() if v is not None}))
    os.replace(fresh, stub.config_file)


def reload(stub, servers=None, said=DONE, **changes):
    """Rewrite the file, SIGHUP, and wait until it has been taken."""
    before = stub.log().count(said)
    rewrite(stub, servers, **changes)
    hup(stub)
    wait_until(lambda: stub.log().count(said) > before, 10,
               f'the log does not say "{said}"')


def ask_reload(stub):
    done = subprocess.run(
        [find_binary(), 'reload', '-c', stub.config_file, '--socket',
         stub.values['control']], capture_output=True, text=True, timeout=20,
        check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr
