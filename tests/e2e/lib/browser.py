"""A real browser without a window, in a network namespace of its own: it
reaches one port of this machine's loopback, through a unix socket, and nothing
else. It is driven over a pipe with the DevTools protocol.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import threading
import time

PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome']

# In the namespace: relays connections of argv[1], a port, to argv[2], a unix
# socket; runs the browser, for which argv[3] and argv[4], ends of pipes, become
# 3 and 4.
_INSIDE = '''
import fcntl, os, socket, subprocess, sys, threading
ends = [fcntl.fcntl(int(a), fcntl.F_DUPFD, 100) for a in sys.argv[3:5]]
for to, end in enumerate(ends, 3):
    os.dup2(end, to)
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def serve(listener):
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(sys.argv[2])
        for a, b in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(a, b), daemon=True).start()
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
sys.exit(subprocess.run(sys.argv[5:], pass_fds=(3, 4)).returncode)
'''


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def _pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Gate:
    """A unix socket that leads to a port of the loopback."""

    def __init__(self, path, port):
        self.path = str(path)
        self.port = port
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(('127.0.0.1', self.port))
            except OSError:
                return
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(a, b),
                                 daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Browser:
    """One page. After a call that waits, `events` has what the browser told
    meanwhile."""

    def __init__(self, folder, port, *, width=1280, height=900, is_dark=False,
                 has_script=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.gate = Gate(self.folder / 'gate', port)
        self.url = f'http://127.0.0.1:{port}/'
        self.events = []
        self._number = 0
        self._answers = {}
        self._rest = b''
        self._start(port)
        target = self.call('Target.createTarget', {'url': 'about:blank'},
                           session=False)['targetId']
        self.session = self.call(
            'Target.attachToTarget', {'targetId': target, 'flatten': True},
            session=False)['sessionId']
        for domain in ('Page', 'Network', 'Runtime', 'Log'):
            self.call(f'{domain}.enable')
        self.call('Emulation.setDeviceMetricsOverride',
                  {'width': width, 'height': height, 'mobile': width < 600,
                   'deviceScaleFactor': 1})
        self.call('Emulation.setEmulatedMedia', {'features': [
            {'name': 'prefers-color-scheme',
             'value': 'dark' if is_dark else 'light'}]})
        self.call('Emulation.setScriptExecutionDisabled',
                  {'value': not has_script})

    def _start(self, port):
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        argv = ['unshare', '--user', '--map-root-user', '--net',
                sys.executable, '-c', _INSIDE, str(port),
                str(self.folder / 'gate'), str(to_browser), str(from_browser),
                find(), '--headless=new',
                '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                '--no-first-run', '--disable-background-networking',
                '--disable-component-update', '--disable-extensions',
                '--hide-scrollbars', '--remote-debugging-pipe',
                f'--user-data-dir={self.folder / "profile"}', 'about:blank']
        self.log = open(self.folder / 'log', 'wb')
        self.process = subprocess.Popen(
            argv, pass_fds=(to_browser, from_browser), stdout=self.log,
            stderr=self.log, stdin=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)

    # ---- the protocol

    def _read(self, timeout_s):
        ready, _, _ = select.select([self._in], [], [], max(0, timeout_s))
        if not ready:
            return False
        data = os.read(self._in, 1 << 20)
        if not data:
            raise AssertionError('the browser ended: ' + self.said())
        *messages, self._rest = (self._rest + data).split(b'\0')
        for message in map(json.loads, messages):
            if 'id' in message:
                self._answers[message['id']] = message
            else:
                self.events.append(message)
        return True

    def call(self, method, parameters=None, session=True, timeout_s=120):
        self._number += 1
        message = {'id': self._number, 'method': method,
                   'params': parameters or {}}
        if session:
            message['sessionId'] = self.session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        end = time.monotonic() + timeout_s
        while self._number not in self._answers:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f'no answer to {method}: {self.said()}')
        answer = self._answers.pop(self._number)
        assert 'error' not in answer, f'{method}: {answer["error"]}'
        return answer['result']

    def said(self):
        return (self.folder / 'log').read_text(errors='replace')[-2000:]

    # ---- the page

    def open(self, path=''):
        self.call('Page.navigate', {'url': self.url + path})
        self.wait(lambda: any(e['method'] == 'Page.loadEventFired'
                              for e in self.events), 'the page is loaded')
        return self

    def wait(self, condition, what, timeout_s=90):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f'not in time: {what}'
            self._read(0.1)

    def js(self, expression):
        result = self.call('Runtime.evaluate', {
            'expression': expression, 'returnByValue': True,
            'awaitPromise': True})
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def screenshot(self, path):
        """Of the whole page."""
        size = self.call('Page.getLayoutMetrics')['cssContentSize']
        image = self.call('Page.captureScreenshot', {
            'captureBeyondViewport': True, 'clip': {
                'x': 0, 'y': 0, 'width': size['width'],
                'height': size['height'], 'scale': 1}})
        pathlib.Path(path).write_bytes(base64.b64decode(image['data']))

    def requests(self):
        """The addresses that the page asked for."""
        return [e['params']['request']['url'] for e in self.events
                if e['method'] == 'Network.requestWillBeSent']

    def complaints(self):
        """What the page wrote to the console, and what went wrong in it."""
        return [e['params'] for e in self.events if e['method'] in (
            'Runtime.consoleAPICalled', 'Runtime.exceptionThrown',
            'Log.entryAdded', 'Network.loadingFailed')]

    def stop(self):
        try:
            self.call('Browser.close', session=False, timeout_s=20)
            self.process.wait(30)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self._in)
        os.close(self._out)
        self.gate.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
