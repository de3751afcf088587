#!/usr/bin/env python3
"""List what a program is made of, as CycloneDX 1.5 in JSON.

    sbom.py BUILD PROGRAM

BUILD is the build folder: meson knows which libraries it found there, and
their versions. The same program gives the same list.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import uuid

# Name for meson: name, licence.
LIBRARIES = {
    'libuv': ('libuv', 'MIT'),
    'libuv-static': ('libuv', 'MIT'),
    'yaml-0.1': ('libyaml', 'MIT'),
    'libcyaml': ('libcyaml', 'ISC'),
    'jansson': ('jansson', 'MIT'),
    'mbedtls': ('mbedtls', 'Apache-2.0 OR GPL-2.0-or-later'),
    'libseccomp': ('libseccomp', 'LGPL-2.1-only'),
    'libmicrohttpd': ('libmicrohttpd', 'LGPL-2.1-or-later'),
    'libfstrm': ('fstrm', 'MIT'),
}
# Parts of another one, of the system, or of no program.
WITHOUT = {'mbedx509', 'mbedcrypto', 'threads', 'systemd', 'cmocka', 'm'}


def introspect(build, what):
    return json.loads(subprocess.run(
        ['meson', 'introspect', what, str(build)], check=True,
        stdout=subprocess.PIPE).stdout)


def component(name, version, licence):
    return {
        'type': 'library',
        'bom-ref': f'{name}@{version}',
        'name': name,
        'version': version,
        'licenses': [{'expression': licence}],
        'purl': f'pkg:generic/{name}@{version}',
    }


def libraries(build):
    found = {}
    for dependency in introspect(build, '--dependencies'):
        name, version = dependency['name'], dependency['version']
        if name in WITHOUT:
            continue
        if name not in LIBRARIES:
            sys.exit(f'sbom.py: what is {name}? Say so in LIBRARIES')
        found[LIBRARIES[name][0]] = component(LIBRARIES[name][0], version,
                                              LIBRARIES[name][1])
    project = introspect(build, '--projectinfo')
    for sub in project['subprojects']:
        name, version = sub['name'], sub['version']
        if name in LIBRARIES:
            name, licence = LIBRARIES[name]
            found[name] = component(name, version, licence)
    glibc = subprocess.run(['getconf', 'GNU_LIBC_VERSION'], check=False,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    if glibc:
        found['glibc'] = component(*glibc, 'LGPL-2.1-or-later')
    return project['version'], [found[name] for name in sorted(found)]


def main():
    build, program = map(pathlib.Path, sys.argv[1:])
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    version, parts = libraries(build)
    ref = f'dotstub@{version}'
    print(json.dumps({
        'bomFormat': 'CycloneDX',
        'specVersion': '1.5',
        'serialNumber': f'urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}',
        'version': 1,
        'metadata': {
            'component': {
                'type': 'application',
                'bom-ref': ref,
                'name': 'dotstub',
                'version': version,
                'licenses': [{'expression': 'MIT'}],
                'purl': f'pkg:generic/dotstub@{version}',
                'hashes': [{'alg': 'SHA-256', 'content': digest}],
            },
        },
        'components': parts,
        'dependencies': [{'ref': ref,
                          'dependsOn': [x['bom-ref'] for x in parts]}],
    }, indent=2))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
