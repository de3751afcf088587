#!/usr/bin/python3
"""Run test files with pytest and report in TAP, one line a case.

    run.py [--tap] [FILE or pytest option]...

TAP goes to standard output, everything else to standard error. The exit code
is 1 when a case failed; with --tap it is 0, for harnesses that read TAP and
take any other code for a crash. With
DOTSTUB_NO_SKIP=1 a skipped test is a failure: what a machine lacks must not
look like success where everything is meant to be there.
"""
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True


class Tap:
    """A pytest plugin: counts cases, prints TAP."""

    def __init__(self, out):
        self.out = out
        self.count = 0
        self.is_strict = os.environ.get('DOTSTUB_NO_SKIP') == '1'
        self.failed = set()

    def say(self, line):
        print(line, file=self.out, flush=True)

    def pytest_runtest_logreport(self, report):
        if report.when == 'call' or (report.when == 'setup'
                                     and not report.passed):
            self.case(report)
        elif report.when == 'teardown' and report.failed:
            self.case(report, 'teardown')

    def case(self, report, suffix=''):
        self.count += 1
        name = report.nodeid.replace('#', ' ') + (suffix and f' {suffix}')
        if report.skipped:
            reason = str(report.longrepr[2] if isinstance(
                report.longrepr, tuple) else 'skipped')
            reason = reason.removeprefix('Skipped: ')
            if self.is_strict:
                self.say(f'not ok {self.count} - {name} was skipped: '
                         + reason.replace('#', ''))
                self.failed.add(name)
            else:
                self.say(f'ok {self.count} - {name} # SKIP {reason}')
        elif report.passed:
            unsteady = getattr(report, 'is_unsteady', False)
            self.say(f'ok {self.count} - {name}'
                     + (' # unsteady' if unsteady else ''))
        else:
            self.failed.add(name)
            self.say(f'not ok {self.count} - {name}')

    def pytest_collectreport(self, report):
        if report.failed:
            self.case(report, 'cannot be read')

    def pytest_sessionfinish(self):
        self.say(f'1..{self.count}')


def main():
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    try:
        import cryptography  # noqa: F401
        import dns.message  # noqa: F401
        import pytest
    except ImportError as e:
        print(f'Bail out! {e.name} is missing: apt-get install '
              'python3-pytest python3-dnspython python3-cryptography',
              file=out)
        return 1
    tap = Tap(out)
    arguments = [a for a in sys.argv[1:] if a != '--tap'] or [str(HERE)]
    status = pytest.main(['-p', 'no:cacheprovider', '-q', '--tb=short',
                          '-rfE', '--rootdir', str(HERE), *arguments],
                         plugins=[tap])
    if '--tap' in sys.argv and status in (0, 1):
        return 0
    return 1 if tap.failed else int(status)


if __name__ == '__main__':
    sys.exit(main())
