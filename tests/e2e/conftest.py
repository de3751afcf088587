"""Fixtures that all test files share.

ca, leaf     a throw-away authority and a right certificate for dot.example
serve        serve(script, leaf=..., **options) starts a scriptable DoT server
plain        plain(behaviour, **options) starts a scriptable plain server
dotstub      dotstub([servers], **config keys) starts the program under test

What was started is stopped at the end of the test; logs are shown when it
failed.
"""
import os
import sys

import pytest
from _pytest.runner import runtestprotocol

sys.dont_write_bytecode = True

from lib import behaviours, dotd, pauses, plaind  # noqa: E402
from lib.cache import CALM  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.dotstub import Dotstub, find_binary  # noqa: E402

ATTEMPTS = 4
CONFIRMATIONS = 3
_pauses = pauses.Pauses()


def pytest_sessionstart():
    path = find_binary()
    if not os.access(path, os.X_OK):
        raise pytest.UsageError(
            f'{path} is not there: build it, or set DOTSTUB_BIN')


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """One failure alone is no verdict yet: a test that passes CONFIRMATIONS
    times after it counts as passed, but unsteady, which tests/run.py allows
    to few."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid,
                                       location=item.location)
    reports = run_undisturbed(item, nextitem)
    if has_failed(reports):
        first = reports
        for _ in range(CONFIRMATIONS):
            forget_results(item)
            reports = run_undisturbed(item, nextitem)
            if has_failed(reports):
                break
        else:
            tell(item, first, 'unsteady')
            mark_unsteady(reports)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid,
                                        location=item.location)
    return True


def run_undisturbed(item, nextitem):
    """The reports of a run. If the machine stood still in one that failed, it
    is void, and the whole test is done again, a few times at most."""
    for attempt in range(1, ATTEMPTS + 1):
        _pauses.longest_s = 0
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if (not has_failed(reports) or not _pauses.was_long()
                or attempt == ATTEMPTS):
            break
        tell(item, reports, 'void, the machine stood still for '
             f'{_pauses.longest_s * 1000:.0f} ms')
        forget_results(item)
    return reports


def has_failed(reports):
    return any(report.failed for report in reports)


def mark_unsteady(reports):
    for report in reports:
        if report.when == 'call':
            report.is_unsteady = True


def tell(item, reports, verdict):
    terminal = item.config.pluginmanager.get_plugin('terminalreporter')
    terminal.write_line(f'\n{verdict}: {item.nodeid}')
    for report in reports:
        if report.failed:
            terminal.write_line(report.longreprtext)
            for title, text in report.sections:
                terminal.write_line(f'-- {title}\n{text}')


def forget_results(item):
    """Of fixtures: the next attempt begins with none that has failed."""
    item._initrequest()
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for definition in definitions:
            if definition.cached_result and definition.cached_result[2]:
                definition.cached_result = None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == 'call' and report.failed:
        for stub in getattr(item, 'dotstubs', []):
            report.sections.append((str(stub.log_file), stub.log()[-20000:]))
        for server in getattr(item, 'servers', []):
            report.sections.append(
                (f'DoT server {server.address}', server.summary()))


@pytest.fixture(scope='session')
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture(scope='session')
def leaf(ca):
    return ca.leaf(['dot.example'], ['127.0.0.1', '::1'])


def stop_all(servers):
    """Stop them, and fail with the first error that one of them met."""
    errors = []
    for server in servers:
        server.stop()
        errors += server.errors
    if errors:
        raise errors[0]


@pytest.fixture
def serve(request, leaf):
    """Start a scriptable DoT server."""
    request.node.servers = servers = []

    def start(script=behaviours.serve, leaf=leaf, **options):
        server = dotd.Server(leaf, script, **options).start()
        servers.append(server)
        return server
    yield start
    stop_all(servers)


@pytest.fixture
def plain():
    """Start a scriptable plain server."""
    servers = []

    def start(behaviour=plaind.answer, **options):
        server = plaind.Server(behaviour, **options).start()
        servers.append(server)
        return server
    yield start
    stop_all(servers)


@pytest.fixture
def dotstub(request, tmp_path, ca):
    """Start the program; by default it listens when this returns."""
    request.node.dotstubs = stubs = []

    def start(servers, wait=True, ready=None, **config):
        """ready: wait until these servers have a verified connection."""
        config.setdefault('ca_file', ca.file)
        # Queries are counted, and a server of the tests that is late is
        # none that hedging is for. None: as ever.
        config.setdefault('hedge_budget', 0)
        stub = Dotstub(tmp_path, servers, label=f'dotstub{len(stubs)}',
                       **config)
        stubs.append(stub)
        stub.start(wait)
        for server in ready or []:
            server.wait_ready()
        return stub
    yield start
    codes = [(stub, stub.stop()) for stub in stubs]
    for stub, code in codes:
        text = stub.log()
        assert 'Sanitizer' not in text, text
        assert code in (0, None, *getattr(stub, 'expected_codes', ())), (
            f'dotstub ended with {code}:\n{text}')


@pytest.fixture
def straight(serve, dotstub):
    """The straight line: one good server, dotstub in front. A pair."""
    server = serve()
    return dotstub([server], ready=[server], **CALM), server
