#!/usr/bin/python3
"""Compile in a second way what the build compiles in one.

    compile.py clang BUILD     every source with clang, warnings are errors
    compile.py headers BUILD   every header of src/ alone, with the compiler of
                               the build, warnings are errors

Only the syntax and the warnings are wanted: nothing is written.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import sys

import common

DROP_WITH_VALUE = {'-o', '-MF', '-MQ', '-MT'}
DROP = {'-c', '-MD', '-MMD', '-fdiagnostics-color=always'}
# What a header is included into: a file must declare something.
NOT_EMPTY = 'extern int not_empty;\n'


def flags_of(entry):
    """The compiler and the flags of one entry, without files to write."""
    words = shlex.split(entry['command'])
    if os.path.basename(words[0]) in ('ccache', 'sccache'):
        words = words[1:]
    kept, skip = [], False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in DROP_WITH_VALUE:
            skip = True
        elif word not in DROP and word != entry['file']:
            kept.append(word)
    return words[0], kept


def our_entries(build):
    """The entries of compile_commands.json that compile our own files."""
    entries = json.loads((build / 'compile_commands.json').read_text())
    ours = {}
    for entry in entries:
        full = (pathlib.Path(entry['directory']) / entry['file']).resolve()
        if full.is_relative_to(common.ROOT) and common.is_ours(
                full.relative_to(common.ROOT)):
            ours.setdefault(full.relative_to(common.ROOT), entry)
    return ours


def clang_jobs(build):
    clang = common.tool('clang')
    for path, entry in our_entries(build).items():
        _, flags = flags_of(entry)
        yield path, entry['directory'], [
            clang, *flags, '-fsyntax-only', '-Werror',
            '-Wno-unknown-warning-option', entry['file']]


def header_jobs(build):
    by_room = {}
    for path, entry in our_entries(build).items():
        by_room.setdefault(path.parts[:2], entry)
    for path in common.files('*.h', under='src'):
        entry = by_room.get(path.parts[:2])
        if entry is None:
            continue
        compiler, flags = flags_of(entry)
        yield path, entry['directory'], [
            compiler, *flags, '-fsyntax-only', '-Werror', '-x', 'c',
            '-include', str(common.ROOT / path), '-']


def main():
    build = pathlib.Path(sys.argv[2])
    jobs = list({'clang': clang_jobs, 'headers': header_jobs}[sys.argv[1]](
        build))
    if not jobs:
        common.finish([f'{build}: nothing to compile'])
    findings = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(
            lambda job: common.run(job[2], cwd=job[1], input=NOT_EMPTY), jobs)
        for (path, _, _), (status, said) in zip(jobs, results):
            if status != 0:
                findings.append(f'{path}:\n{said}')
    print(f'{len(jobs)} files compiled')
    common.finish(findings)


if __name__ == '__main__':
    main()
