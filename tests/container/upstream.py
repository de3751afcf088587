#!/usr/bin/python3
"""A DoT server for the container under test, until it is killed.

    upstream.py FOLDER ADDRESS PORT

Writes FOLDER/ca.pem, proves itself as dot.example, says "ready".
"""
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'e2e'))

from lib.certs import Authority  # noqa: E402
from lib.dotd import Server  # noqa: E402


def main():
    folder, address, port = sys.argv[1:]
    leaf = Authority(folder).leaf(['dot.example'])
    with Server(leaf, address=address, port=int(port)):
        print('ready', flush=True)
        signal.pause()


if __name__ == '__main__':
    main()
