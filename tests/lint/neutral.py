#!/usr/bin/python3
"""Find what ties a file to one machine or brings in what is not ours.

Paths of somebody's home or work folder, hosts of package mirrors, sources of
other projects, binaries: none of it belongs here.
"""
import re

import common

# Written in pieces, or this file would find itself.
PATTERNS = [
    (r'(?<![\w.~-])/(home|Users|work|root)/\w', 'a path of one machine'),
    (r'\b(deb|ftp|security|snapshot|archive)\.' + r'(debian|ubuntu)\.'
     r'(org|com)\b', 'a package mirror'),
    (r'\b(pypi|files)\.python' + r'hosted\.org\b', 'a package mirror'),
    (r'registry\.npmjs' + r'\.org', 'a package mirror'),
]
COMPILED = [(re.compile(p), wrong) for p, wrong in PATTERNS]
COPYRIGHT = re.compile(r'copy' + r'right\s+(\(c\)|©|\d)', re.IGNORECASE)
MAY_NAME_A_HOLDER = {'LICENSE'}
BINARY_MAY_BE = re.compile(r'^tests/(fuzz|unit|e2e|sim)/|^docs/')


def check(path, data):
    if b'\0' in data:
        if not BINARY_MAY_BE.match(str(path)):
            yield f'{path}:1: a binary file'
        return
    for number, line in enumerate(
            data.decode('utf-8', 'replace').splitlines(), 1):
        for pattern, wrong in COMPILED:
            if pattern.search(line):
                yield f'{path}:{number}: {wrong}: {line.strip()[:60]}'
        if COPYRIGHT.search(line) and str(path) not in MAY_NAME_A_HOLDER:
            yield f'{path}:{number}: a notice of another holder'


def main():
    findings = []
    for path in common.files('*'):
        full = common.ROOT / path
        if full.is_file() and not full.is_symlink():
            findings += check(path, full.read_bytes())
    common.finish(findings)


if __name__ == '__main__':
    main()
