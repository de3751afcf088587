"""The dashboard of the terminal, in a terminal of the tests' own."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

import pytest

from lib.dotstub import find_binary
from lib.process import wait_until

ESCAPE = re.compile(rb'\x1b\[([?0-9;]*)([A-Za-z])')
ENTER, LEAVE = b'\x1b[?1049h', b'\x1b[?1049l'


class Screen:
    """A terminal that knows what top writes, and nothing more."""

    def __init__(self, stub, columns=80, rows=24, **env):
        self.all = b''
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [find_binary(), 'top', '-c', str(stub.config_file)],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env={**os.environ, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8',
                 'NO_COLOR': '', **env},
            preexec_fn=self.make_controlling, start_new_session=True)

    @staticmethod
    def make_controlling():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ,
                    struct.pack('HHHH', rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            self.all += os.read(self.master, 65536)
        return self.all

    def text(self):
        """The screen's rows after everything that was written."""
        rows = [[' '] * self.columns for _ in range(self.rows)]
        x = y = 0
        out = self.read().rpartition(ENTER)[2].partition(LEAVE)[0]
        at = 0
        while at < len(out):
            match = ESCAPE.match(out, at)
            if match is None and out[at] == 0x1b:
                break  # the rest of it is on its way
            if match:
                at = match.end()
                value, letter = match.groups()
                if letter == b'H':
                    y, x = [int(n) - 1 for n in (
                        value or b'1;1').decode().split(';')]
                elif letter == b'K':
                    rows[y][x:] = [' '] * (self.columns - x)
                elif letter == b'J':
                    rows[y][x:] = [' '] * (self.columns - x)
                    rows[y + 1:] = [[' '] * self.columns
                                    for _ in rows[y + 1:]]
                continue
            length = 1 + (out[at] >= 0xc0) + (out[at] >= 0xe0)
            if at + length > len(out):
                break
            char = out[at:at + length].decode()
            at += length
            if char == '\r':
                x = 0
            elif char == '\n':
                y += 1
            else:
                assert x < self.columns and y < self.rows, (x, y, char)
                rows[y][x] = char
                x += 1
        return [''.join(row).rstrip() for row in rows]

    def wait(self, text, timeout_s=10):
        wait_until(lambda: text in '\n'.join(self.text()), timeout_s,
                   lambda: f'{text!r} is not on the screen:\n'
                   + '\n'.join(self.text()))

    def end(self, timeout_s=5):
        """It has ended; the terminal must be as it was."""
        wait_until(lambda: self.read() and self.process.poll() is not None,
                   timeout_s, 'it does not end')
        self.read()
        assert self.all.count(ENTER) == self.all.count(LEAVE)
        assert self.all.rindex(b'\x1b[?25h') > self.all.rindex(b'\x1b[?25l')
        assert termios.tcgetattr(self.slave) == self.before
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def press(screen, key):
    os.write(screen.master, key)


@pytest.mark.parametrize('way', ['q', 'ctrl-c', 'SIGINT', 'SIGTERM'])
def test_leaves_the_terminal_as_it_was(straight, way):
    stub, _ = straight
    with Screen(stub) as screen:
        screen.wait('q quits')
        now = termios.tcgetattr(screen.slave)
        assert not now[3] & (termios.ECHO | termios.ICANON)
        if way == 'q':
            press(screen, b'q')
        elif way == 'ctrl-c':
            press(screen, b'\x03')
        else:
            screen.process.send_signal(getattr(signal, way))
        assert screen.end() == 0


def test_frame_of_80_by_24(straight):
    stub, server = straight
    for k in range(20):
        assert stub.udp(f'n{k}.many.example').answer
    with Screen(stub) as screen:
        screen.wait(server.entry.partition('#')[0])
        screen.wait(' up ')
        screen.wait(' 1.3 ')
        text = screen.text()
        assert re.match(r'dotstub \S+  up 00:00:\d\d  1 worker  ', text[0])
        assert text[0].endswith('ready')
        assert text[-1] == 'q quits'
        for word in ('queries', 'cache', 'latency', 'asked', 'clients'):
            assert any(row.startswith(word) for row in text)
        assert b'\x1b[32m' in screen.all
        press(screen, b'q')
        assert screen.end() == 0


def test_rates_follow_the_load(straight):
    stub, _ = straight
    with Screen(stub) as screen:
        screen.wait('q quits')

        def is_told():
            for _ in range(50):
                stub.udp('www.example')
            row = next((r for r in screen.text() if r.startswith('queries')),
                       'queries 0')
            return float(row.split()[1]) >= 5
        wait_until(is_told, 10, screen.text)


def test_no_color(straight):
    stub, _ = straight
    with Screen(stub, NO_COLOR='1') as screen:
        screen.wait(' up ')
        press(screen, b'q')
        assert screen.end() == 0
        assert not re.search(rb'\x1b\[[1-9][0-9]*m', screen.all)


def test_ascii(straight):
    stub, _ = straight
    with Screen(stub, LC_ALL='C') as screen:
        screen.wait('#')
        press(screen, b'q')
        assert screen.end() == 0
        assert all(c < 0x80 for c in screen.all)


@pytest.mark.parametrize('columns, rows', [(40, 8), (20, 3), (1, 1),
                                           (200, 60)])
def test_sizes(straight, columns, rows):
    stub, _ = straight
    with Screen(stub) as screen:
        screen.wait('q quits')
        screen.resize(columns, rows)
        screen.process.send_signal(signal.SIGWINCH)

        def is_inside():  # the first frames may have been on their way
            screen.read()
            screen.all = ENTER
            wait_until(lambda: len(screen.read()) > len(ENTER), 5, 'no frame')
            try:
                screen.text()
            except AssertionError:
                return False
            return True
        wait_until(lambda: is_inside() and is_inside(), 5, screen.text)
        press(screen, b'q')
        wait_until(lambda: screen.read() and screen.process.poll() == 0, 5,
                   'it does not end')


def test_stopped_and_continued(straight):
    stub, _ = straight
    with Screen(stub) as screen:
        screen.wait('q quits')
        screen.process.send_signal(signal.SIGTSTP)
        wait_until(lambda: LEAVE in screen.read(), 5, 'it does not leave')
        wait_until(lambda: termios.tcgetattr(screen.slave) == screen.before,
                   5, 'the terminal is not given back')
        screen.process.send_signal(signal.SIGCONT)
        wait_until(lambda: screen.read().count(ENTER) == 2, 5, 'not back')
        screen.wait('q quits')
        press(screen, b'q')
        assert screen.end() == 0


def test_daemon_that_goes_and_comes_back(serve, dotstub):
    server = serve()
    first = dotstub([server], ready=[server])
    with Screen(first) as screen:
        screen.wait(' up ')
        first.terminate()
        assert first.process.wait() == 0
        screen.wait('no answer: ')
        dotstub([server], control=first.values['control'])
        screen.wait('q quits')
        press(screen, b'q')
        assert screen.end() == 0


def run_plain(stub, *arguments, **env):
    return subprocess.Popen(
        [find_binary(), 'top', '-c', str(stub.config_file), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **env})


def test_once(straight):
    stub, server = straight
    out, error = run_plain(stub, '--once', TERM='xterm').communicate(
        timeout=60)
    assert error == b'' and b'\x1b' not in out
    assert out.count(b'dotstub ') == 1
    assert server.entry.partition('#')[0].encode() in out


@pytest.mark.parametrize('kind', ['dumb', ''])
def test_dumb_terminal(straight, kind):
    stub, _ = straight
    with Screen(stub, TERM=kind) as screen:
        wait_until(lambda: screen.read().count(b'dotstub ') >= 2, 10,
                   'no second frame')
        assert b'\x1b' not in screen.all
        screen.process.send_signal(signal.SIGTERM)
        assert screen.process.wait(60) == 0


def test_pipe_that_nobody_reads(straight):
    stub, _ = straight
    process = run_plain(stub)
    assert process.stdout.readline().startswith(b'dotstub ')
    process.stdout.close()
    assert process.wait(60) == 1
    process.stderr.close()


def test_plain_frames_end_with_the_daemon(straight):
    stub, _ = straight
    process = run_plain(stub)
    assert process.stdout.readline().startswith(b'dotstub ')
    stub.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.count(b'\n') == 1 and b'the connection ended' in error
