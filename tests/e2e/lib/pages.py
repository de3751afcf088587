"""Does the program have the HTTP pages?"""
import functools
import subprocess
import tempfile

from lib.dotstub import find_binary
from lib.ports import free_port


@functools.cache
def are_built():
    """It says so when they are configured; an address that is not this
    machine's ends it either way."""
    with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
        file.write(f'listen: 127.0.0.1:{free_port("127.0.0.1")}\n'
                   'servers: 127.0.0.1:1#dot.example\n'
                   'admin: 192.0.2.1:1\ncontrol: off\n')
        file.flush()
        said = subprocess.run([find_binary(), 'run', '-c', file.name],
                              capture_output=True, text=True, timeout=60,
                              check=False)
    assert said.returncode == 1, said.stderr
    return 'libmicrohttpd' not in said.stderr
