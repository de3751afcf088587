#!/usr/bin/python3
"""Hold every #include to the order of the rooms and the borders of libraries.

    includes.py [FOLDER with a src/ in it]
"""
import pathlib
import re
import sys

import common

# What each room may include beside itself and the C library.
ROOMS = {
    'base': '',
    'dns': 'base',
    'tls': 'base',
    'cache': 'base dns',
    'policy': 'base dns',
    'config': 'base dns tls policy',
    'net': 'base',
    'upstream': 'base dns tls config net',
    'resolver': 'base dns cache policy config net upstream',
    'dnstap': 'base dns config',
    'listener': 'base dns policy config net resolver dnstap',
    'admin': 'base dns tls cache policy config net upstream resolver '
             'dnstap listener',
    'server': 'base dns tls cache policy config net upstream resolver '
              'dnstap listener admin',
    'cli': 'base dns tls cache policy config net upstream resolver '
           'dnstap listener admin server',
}

# A library's headers, and the one room that may see them.
LIBRARIES = [
    (re.compile(r'^uv(\.h|/)'), 'net'),
    (re.compile(r'^(mbedtls|psa)/'), 'tls'),
    (re.compile(r'^(cyaml/|yaml\.h)'), 'config'),
    (re.compile(r'^(jansson|microhttpd)'), 'admin'),
    (re.compile(r'^fstrm'), 'dnstap'),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def verdict(room, quote, name, is_local):
    """What is wrong with this include in this room, or None."""
    for pattern, owner in LIBRARIES:
        if pattern.match(name) and room != owner:
            return f'<{name}> belongs to src/{owner} alone'
    if quote == '<' or is_local:
        return None
    other = name.split('/')[0]
    if other == room or other in ROOMS[room].split():
        return None
    if other in ROOMS:
        return f'src/{room} may not include "{name}" of src/{other}'
    return f'"{name}" is in no room'


def check(root):
    findings = []
    for path in sorted((root / 'src').rglob('*.[ch]')):
        relative = path.relative_to(root)
        room = relative.parts[1]
        if room not in ROOMS:
            findings.append(f'{relative}:1: {room} is not a room')
            continue
        lines = path.read_text(encoding='utf-8').splitlines()
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            quote, name = match.groups()
            is_local = '/' not in name and (path.parent / name).exists()
            wrong = verdict(room, quote, name, is_local)
            if wrong:
                findings.append(f'{relative}:{number}: {wrong}')
    return findings


if __name__ == '__main__':
    common.finish(check(pathlib.Path(
        sys.argv[1] if len(sys.argv) > 1 else common.ROOT)))
