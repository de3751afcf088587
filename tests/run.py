#!/usr/bin/python3
"""Run meson's test suites one after the other and count what ran.

    run.py --build DIR [--suite NAME]... [--without NAME]...

A test program that speaks TAP counts for each of its cases, another for one.
The last line is "N passed, N failed, N skipped"; the exit status is 0 only if
something ran and nothing failed. With DOTSTUB_NO_SKIP=1 a skipped case is a
failure unless tests/README.md lists it. A case that failed once and then passed
each time that it was done again ("# unsteady") counts as passed and is named;
more than MAX_UNSTEADY of them are failures.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

# One suite at a time: a linter that takes every processor must not push a
# test with deadlines over them. The extra ones run only when asked for.
SUITES = ['unit', 'fuzz', 'sim', 'e2e', 'lint']
EXTRA_SUITES = ['container', 'package']

# Cases that may be skipped with DOTSTUB_NO_SKIP=1: see tests/README.md.
MAY_SKIP = re.compile(
    r'^container$|^package$|^e2e_sandbox: .*with a sanitizer')

TAP_LINE = re.compile(r'^(not )?ok\b\s*(\d*)(.*)$')
SKIP_MARK = re.compile(r'#\s*skip', re.IGNORECASE)
UNSTEADY_MARK = re.compile(r'#\s*unsteady$')
MAX_UNSTEADY = 2
SANITIZER_ENV = {
    'ASAN_OPTIONS': 'abort_on_error=1:detect_leaks=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1:print_stacktrace=1',
}


class Count:
    """What ran, and the names of what did not go well."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.unsteady = []

    def add(self, name, result):
        if result == 'pass':
            self.passed += 1
        else:
            getattr(self, result).append(name)

    def extend(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.unsteady += other.unsteady

    def line(self):
        return (f'{self.passed} passed, {len(self.failed)} failed, '
                f'{len(self.skipped)} skipped')


def count_tap(name, text):
    """Count the cases of one TAP stream."""
    count = Count()
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if match is None:
            continue
        rest = match[3].strip(' -')
        if SKIP_MARK.search(rest):
            result = 'skipped'
        else:
            result = 'failed' if match[1] else 'pass'
        count.add(f'{name}: {rest or match[2]}', result)
        if UNSTEADY_MARK.search(rest):
            count.unsteady.append(f'{name}: {rest}')
    return count


def count_test(entry):
    """Count one line of meson's test log."""
    name = entry['name'].split(' / ')[-1].split(':')[-1]
    count = count_tap(name, entry.get('stdout') or '')
    result = entry['result']
    if result == 'SKIP':
        if not count.skipped:
            count.add(name, 'skipped')
    elif result not in ('OK', 'EXPECTEDFAIL'):
        if not count.failed:
            count.add(f'{name} ({result.lower()})', 'failed')
    elif not (count.passed or count.failed or count.skipped):
        count.add(name, 'pass')
    return count


def suites_with_tests(build):
    """The suites that hold at least one test."""
    text = subprocess.run(['meson', 'introspect', '--tests', build],
                          check=True, stdout=subprocess.PIPE).stdout
    return {suite.split(':')[-1]
            for test in json.loads(text) for suite in test['suite']}


def run_suite(build, suite, env):
    """Run one suite and count it; meson's own output goes to the terminal."""
    base = f'testlog-{suite}'
    log = build / 'meson-logs' / f'{base}.json'
    log.unlink(missing_ok=True)
    done = subprocess.run(
        ['meson', 'test', '-C', build, '--no-rebuild', '--print-errorlogs',
         '--suite', suite, '--logbase', base,
         '--timeout-multiplier', '4'], env=env, check=False)
    count = Count()
    if log.exists():
        for line in log.read_text(encoding='utf-8').splitlines():
            count.extend(count_test(json.loads(line)))
    if done.returncode != 0 and not count.failed:
        count.add(f'{suite}: meson test ended with {done.returncode}',
                  'failed')
    return count


def be_strict(count):
    """Turn skipped cases into failures, but for the listed ones."""
    for name in count.skipped:
        if not MAY_SKIP.search(name):
            count.failed.append(f'{name} (was skipped)')
    count.skipped = [n for n in count.skipped if MAY_SKIP.search(n)]


def too_many(count):
    """A failure if more cases are unsteady than may be."""
    if len(count.unsteady) <= MAX_UNSTEADY:
        return []
    return [f'{len(count.unsteady)} cases are unsteady']


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--suite', action='append', default=[],
                        choices=SUITES + EXTRA_SUITES)
    parser.add_argument('--without', action='append', default=[])
    return parser.parse_args()


def main():
    arguments = parse()
    env = {**SANITIZER_ENV, **os.environ}
    there = suites_with_tests(arguments.build)
    total = Count()
    for suite in arguments.suite or SUITES:
        if suite in arguments.without:
            continue
        print(f'\n== {suite}', flush=True)
        if suite not in there:
            total.add(f'{suite}: no tests in this suite', 'failed')
            continue
        start = time.monotonic()
        count = run_suite(arguments.build, suite, env)
        if os.environ.get('DOTSTUB_NO_SKIP') == '1':
            be_strict(count)
        print(f'{suite}: {count.line()}, {time.monotonic() - start:.1f} s')
        total.extend(count)
    print()
    for name in total.skipped:
        print(f'skipped: {name}')
    for name in total.unsteady:
        print(f'unsteady: {name}')
    total.failed += too_many(total)
    for name in total.failed:
        print(f'FAILED: {name}')
    print(total.line(), flush=True)
    return 1 if total.failed or not (total.passed or total.skipped) else 0


if __name__ == '__main__':
    sys.exit(main())
