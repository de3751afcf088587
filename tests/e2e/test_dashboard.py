"""The dashboard in a real browser: light, dark, on a phone, without script.

With DOTSTUB_SCREENSHOTS=folder the pictures are kept there.
"""
import json
import math
import os
import pathlib
import threading
import time

import pytest

from lib import browser, namespace, pages
from lib.behaviours import serving
from lib.browser import Browser
from lib.load import Load
from lib.ports import free_port

pytestmark = [
    pytest.mark.skipif(not pages.are_built(),
                       reason='the program was built without its pages'),
    pytest.mark.skipif(not browser.find(), reason='no Chromium is installed'),
    pytest.mark.skipif(not namespace.is_possible(),
                       reason='no namespaces can be made here'),
]

LOOKS = {
    'light': {},
    'dark': {'is_dark': True},
    'phone': {'width': 390, 'height': 844},
    'phone-dark': {'width': 390, 'height': 844, 'is_dark': True},
}


@pytest.fixture
def busy(serve, dotstub):
    """dotstub with two good servers, one that is closed and one inner zone,
    under a little load that repeats names. Its admin port."""
    servers = [serve(serving(lambda n: 0.005 + (n * 7 % 10) / 1000))
               for _ in range(2)]
    port = free_port('127.0.0.1')
    closed = free_port('127.0.0.1')
    entries = [*servers, f'127.0.0.1:{closed}#dot.example']
    stub = dotstub(entries, ready=servers, admin=f'127.0.0.1:{port}',
                   cache_size='8MiB', max_ttl='3s', strategy='round_robin', sandbox='kill')
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            Load(stub.port, 40, 80).run(1)
            stop.wait(0.1)
    thread = threading.Thread(target=ask)
    thread.start()
    yield port
    stop.set()
    thread.join()


def keep(page, name, tmp_path):
    folder = pathlib.Path(os.environ.get('DOTSTUB_SCREENSHOTS', tmp_path))
    page.screenshot(folder / f'dashboard-{name}.png')


def check_clean(page):
    assert page.complaints() == []
    asked = page.requests()
    assert asked and all(u.startswith((page.url, 'data:')) for u in asked), \
        asked


def test_in_every_look(busy, tmp_path):
    """Charts with data, no complaint, nothing from elsewhere, no text cut."""
    time.sleep(22)  # two samples, so that lines are lines
    for name, look in LOOKS.items():
        with Browser(tmp_path / name, busy, **look) as page:
            page.open()
            page.wait(lambda: page.js('''
                document.querySelectorAll('path.curve').length'''), 'curves')
            check_page(page, look)
            check_clean(page)
            keep(page, name, tmp_path)


def check_page(page, look):
    curves = page.js('''Object.fromEntries([...document.querySelectorAll(
        '.chart')].map(c => [c.id, c.querySelectorAll(
            'path.curve, circle.dot').length]))''')
    assert curves['chart-qps'] == 1 and curves['chart-failures'] == 1
    assert curves['chart-latency'] >= 3 and curves['chart-hits'] == 1
    assert page.js("document.querySelector('#pill').textContent") == 'ready'
    assert page.js("document.querySelectorAll('.server rect').length") >= 3
    assert page.js('document.querySelectorAll(".server .name-d").length') == 1
    assert page.js("document.querySelector('#plain').hidden")
    # Nothing is wider than the screen.
    assert page.js('document.documentElement.scrollWidth '
                   '<= document.documentElement.clientWidth')
    channels = page.js('getComputedStyle(document.body).backgroundColor')
    red = int(channels.split('(')[1].split(',')[0])
    assert (red < 64) == bool(look.get('is_dark')), channels
    # The page's own policy holds: script put in does not run.
    assert page.js('''(() => {
        const s = document.createElement('script');
        s.textContent = 'window.evil = 1';
        try { document.body.append(s); } catch (e) {}
        s.remove();
        return window.evil === undefined;
    })()''')
    page.events[:] = [e for e in page.events if e['method'] not in (
        'Log.entryAdded',)]


def an_hour():
    """What /api/history.json says after an hour with an outage in it."""
    times = range(360)
    bad = range(200, 230)
    wave = [60 + 25 * math.sin(i / 30) + (i * 7919 % 13) for i in times]
    return {
        'version': '0.1.0', 'started_at': 1.8e9, 'uptime_s': 93784,
        'workers': 4, 'ready': True, 'draining': False, 'history_s': 3600,
        'step_s': 10, 'totals': {
            'queries': 1234567, 'cache_answers': 987654, 'stale_answers': 12,
            'forwarded': 246913, 'failures': 87, 'in_flight': 3,
            'tcp_clients': 2, 'cache_entries': 41234, 'cache_bytes': 17e6,
            'cache_max_bytes': 32 << 20, 'resident_bytes': 61 << 20},
        'history': {
            'at': [1800090184 + 10 * i for i in times],
            'qps': wave,
            'failures_per_s': [4.5 if i in bad else 0 for i in times],
            'hit_percent': [None if i % 90 == 7 else 70 + w / 10
                            for i, w in zip(times, wave)],
            'p50_ms': [None if i in bad else 11 + w / 20
                       for i, w in zip(times, wave)],
            'p95_ms': [None if i in bad else 24 + w / 7
                       for i, w in zip(times, wave)],
            'p99_ms': [None if i in bad else 1800 if i == 231 else 60 + w
                       for i, w in zip(times, wave)]},
        'servers': [{
            'zone': zone, 'server': server, 'state': state, 'why': why,
            'tls': tls, 'cipher': '', 'plain': not tls, 'connections': 4,
            'in_flight': 1, 'queries': 120000, 'handshakes': 40,
            'resumed': 36, 'p50_ms': 11.2, 'p95_ms': 27, 'p99_ms': 70,
            'states': states} for zone, server, state, tls, why, states in [
                ('.', '9.9.9.9:853#dns.quad9.net', 'up', 'TLSv1.3', '',
                 'u' * 200 + 'd' * 28 + 'c' * 2 + 'u' * 130),
                ('.', '[2606:4700:4700::1111]:853#cloudflare-dns.com',
                 'suspect', 'TLSv1.3', 'connection lost: <b>timed out</b>',
                 '-' * 90 + 'u' * 110 + 'd' * 30 + 'i' * 100 + 's' * 30),
                ('corp.example.', 'udp://10.1.2.3:53', 'up', '', '',
                 'u' * 360)]],
    }


@pytest.mark.parametrize('name', LOOKS)
def test_a_whole_hour(busy, tmp_path, name):
    """With numbers that are made up, through the page's own fetch()."""
    with Browser(tmp_path / 'b', busy, **LOOKS[name]) as page:
        page.call('Page.addScriptToEvaluateOnNewDocument', {'source': f'''
            window.fetch = async () => new Response({
                json.dumps(json.dumps(an_hour()))})'''})
        page.open()
        page.wait(lambda: page.js(
            "document.querySelectorAll('.server').length") == 3, 'servers')
        assert page.js(
            "document.querySelectorAll('#chart-latency .curve').length") == 6
        assert page.js("document.querySelectorAll('.server rect').length") == 9
        assert page.js("document.querySelector('.why').children.length") == 0
        assert page.js('document.documentElement.scrollWidth '
                       '<= document.documentElement.clientWidth')
        check_clean(page)
        keep(page, f'hour-{name}', tmp_path)


def test_refreshes(busy, tmp_path):
    with Browser(tmp_path / 'b', busy) as page:
        page.open()
        page.wait(lambda: page.js(
            "document.querySelectorAll('.card').length"), 'cards')
        first = page.js("document.querySelector('#cards').textContent")
        page.wait(lambda: page.js(
            "document.querySelector('#cards').textContent") != first,
            'new numbers')
        check_clean(page)


def test_pointer_tells_values(busy, tmp_path):
    with Browser(tmp_path / 'b', busy) as page:
        page.open()
        page.wait(lambda: page.js(
            "document.querySelectorAll('#chart-qps .dot, #chart-qps .curve')"
            ".length"), 'a point')
        box = page.js('''(() => { const r = document.querySelector(
            '#chart-qps svg').getBoundingClientRect();
            return [r.left + r.width / 2, r.top + r.height / 2]; })()''')
        page.call('Input.dispatchMouseEvent',
                  {'type': 'mouseMoved', 'x': box[0], 'y': box[1]})
        page.wait(lambda: ':' in page.js(
            "document.querySelector('#chart-qps figcaption').textContent"),
            'the time of the sample')
        check_clean(page)


def test_without_script(busy, tmp_path):
    """A table of numbers."""
    with Browser(tmp_path / 'b', busy, has_script=False) as page:
        page.open()
        page.call('Emulation.setScriptExecutionDisabled', {'value': False})
        tables = page.js('''[...document.querySelectorAll('caption')].map(
            c => c.textContent)''')
        assert tables == ['Since the start', 'Servers']
        assert page.js("document.querySelectorAll('tr').length") > 12
        assert page.js("document.querySelector('#live').hidden")
        keep(page, 'plain', tmp_path)


def test_words_of_servers_are_words(serve, dotstub, tmp_path):
    """What a server's failure says is text on the page, not markup."""
    port = free_port('127.0.0.1')
    dotstub([f'127.0.0.1:{free_port("127.0.0.1")}#dot.example'],
            admin=f'127.0.0.1:{port}')
    with Browser(tmp_path / 'b', port) as page:
        page.open()
        page.wait(lambda: page.js("document.querySelector('.why') !== null"),
                  'a reason')
        assert 'refused' in page.js("document.querySelector('.why').innerHTML")
        assert page.js("document.querySelector('#pill').textContent") == \
            'not ready'
        check_clean(page)
