#!/usr/bin/python3
"""Run clang-tidy over the sources in src/, as .clang-tidy says.

    tidy.py BUILD

A file that was clean is not read again while it, every header, the compiler's
flags and .clang-tidy are the same: the build folder remembers.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import sys

import common
import compile as compiler

# Without the folders before src/, and without the path that the analyser took:
# clang-tidy -p BUILD FILE shows that.
FINDING = re.compile(r'\b(src/\S+:\d+:\d+: (error|warning): .*)')


def state_of_everything(clang_tidy):
    """A digest of what every file depends on."""
    digest = hashlib.sha256()
    digest.update(common.run([clang_tidy, '--version'])[1].encode())
    digest.update((common.ROOT / '.clang-tidy').read_bytes())
    for path in common.files('*.h', under='src'):
        digest.update((common.ROOT / path).read_bytes())
    return digest.hexdigest()


def key_of(everything, path, entry):
    source = (common.ROOT / path).read_bytes()
    return hashlib.sha256(b'\0'.join((
        everything.encode(), entry['command'].encode(), source))).hexdigest()


def tidy(clang_tidy, build, path):
    status, said = common.run(
        [clang_tidy, '--quiet', '-p', str(build), str(common.ROOT / path)])
    if status == 0:
        return ''
    wrong = [m.expand(r'\1') for m in map(FINDING.search, said.splitlines())
             if m]
    return '\n'.join(wrong) or said


def main():
    clang_tidy = common.tool('clang-tidy')
    build = pathlib.Path(sys.argv[1]).resolve()
    memory = build / 'tidy-clean.json'
    clean = set(json.loads(memory.read_text()) if memory.exists() else [])
    everything = state_of_everything(clang_tidy)
    work = {}
    for path, entry in compiler.our_entries(build).items():
        if path.parts[0] == 'src':
            work[path] = key_of(everything, path, entry)
    todo = [path for path, key in work.items() if key not in clean]
    clean &= set(work.values())
    findings = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda p: tidy(clang_tidy, build, p), todo)
        for path, said in zip(todo, results):
            if said:
                findings.append(said)
            else:
                clean.add(work[path])
    memory.write_text(json.dumps(sorted(clean)))
    print(f'{len(todo)} of {len(work)} files read')
    common.finish(findings)


if __name__ == '__main__':
    main()
