#!/usr/bin/python3
"""Hold the C files to the sizes and habits that CONTRIBUTING.md names.

What clang-format cannot see: lengths of functions and files, guards, TODOs
without an issue, prototypes that nobody explained.
"""
import re

import common

COLUMNS = 80
FUNCTION_LINES = 80
FILE_LINES = {'src': 500, 'tests': 800}  # tests are lists of cases

FUNCTION_END = re.compile(r'^}\s*$')
PROTOTYPE_START = re.compile(r'^[A-Za-z_][\w\s*]*[\s*]\w+\(|^MUST_USE\b')
# What these do is the same everywhere (CONTRIBUTING.md): no comment needed.
BY_CONVENTION = re.compile(r'\b\w+_(init|finish|destroy|stats)\(')
TODO = re.compile(r'\b(TODO|FIXME|XXX)\b(?!\(#\d+\))')


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield number, f'{len(line)} columns, more than {COLUMNS}'
        if '\t' in line:
            yield number, 'a tab'
        if line != line.rstrip():
            yield number, 'space at the end of the line'
        if TODO.search(line):
            yield number, 'a TODO without an issue: write TODO(#n)'
    most = FILE_LINES[path.parts[0]]
    if len(lines) > most:
        yield len(lines), f'{len(lines)} lines, more than {most}'
    if not lines or not lines[0].startswith('/*'):
        yield 1, 'the file does not open with a comment on its job'


def functions(lines):
    """Yield (first line, last line) of every function, counted from one."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and line == '{':
            start = number
            while start > 1 and lines[start - 2].strip() and not lines[
                    start - 2].endswith(('*/', '}', ';')) and not lines[
                        start - 2].startswith('#'):
                start -= 1
        elif start is not None and FUNCTION_END.match(line):
            yield start, number
            start = None


def check_functions(path, lines):
    for first, last in functions(lines):
        length = last - first + 1
        if length > FUNCTION_LINES:
            yield first, f'a function of {length} lines, more than ' \
                f'{FUNCTION_LINES}'


def check_guard(path, lines):
    words = [p.upper().replace('-', '_') for p in path.with_suffix('').parts]
    want = '_'.join(words[-2:] if path.parts[0] == 'src' else words[-1:])
    want += '_H'
    code = [(n, line) for n, line in enumerate(lines, 1)
            if line.startswith('#')]
    guard = code[0][1].removeprefix('#ifndef ') if code else ''
    is_right = (guard == want if path.parts[0] == 'src'
                else guard.endswith(want))
    if (len(code) < 3 or not is_right or code[1][1] != f'#define {guard}'
            or not code[-1][1].startswith('#endif')):
        yield code[0][0] if code else 1, f'the guard should be {want}'


def blocks(lines):
    """Yield (first line number, lines) of runs without an empty line, at the
    top level: comments and braces hold their empty lines together."""
    block, start, is_comment, depth = [], 1, False, 0
    for number, line in enumerate(lines, 1):
        if not line.strip() and not is_comment and depth == 0:
            if block:
                yield start, block
            block, start = [], number + 1
            continue
        block.append(line)
        if is_comment or line.lstrip().startswith('/*'):
            is_comment = '*/' not in line
        else:
            depth += line.count('{') - line.count('}')
    if block:
        yield start, block


def check_prototypes(path, lines):
    for start, block in blocks(lines):
        is_explained = False
        for number, line in enumerate(block, start):
            if '*/' in line:
                is_explained = True
            if (PROTOTYPE_START.match(line) and not is_explained
                    and not line.startswith(('static', 'typedef'))
                    and not BY_CONVENTION.search(line)):
                yield number, 'a prototype without a comment'


def is_public(path):
    """Is this header a door: does another room or a test include it?"""
    name = '/'.join(path.parts[1:])
    return any(f'#include "{name}"' in common.text(other)
               for other in common.c_files()
               if other.parts[:2] != path.parts[:2])


def check(path, lines, is_door=True):
    checks = [check_lines, check_functions]
    if path.suffix == '.h':
        checks.append(check_guard)
        if is_door:
            checks.append(check_prototypes)
    for one in checks:
        for number, wrong in one(path, lines):
            yield f'{path}:{number}: {wrong}'


def main():
    findings = []
    for path in common.c_files():
        is_door = (path.suffix == '.h' and path.parts[0] == 'src'
                   and is_public(path))
        findings += check(path, common.text(path).splitlines(), is_door)
    common.finish(findings)


if __name__ == '__main__':
    main()
