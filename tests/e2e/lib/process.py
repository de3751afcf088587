"""Child processes: started, watched and ended by their own pid.

A child dies with the thread that started it (PR_SET_PDEATHSIG), so that an
interrupted test run leaves nothing behind. Its output goes to a file, which
the caller shows when something fails.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1

# A deadline is there for a test that fails to fail and not to hang. So that
# none fails on a machine that has other work or stands still now and then,
# each is so many times what a test allows for.
PATIENCE = 6
# And what is waited for where no test says anything.
PATIENCE_S = 30
ENDING_S = 8  # longer than the queries of most tests may take


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def wait_until(condition, timeout_s, what, step_s=0.005):
    """Poll until condition() is true; its value. AssertionError if never.

    timeout_s is for a quiet machine; see PATIENCE.
    """
    end = time.monotonic() + timeout_s * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f'not within {timeout_s * PATIENCE} s: {text}')
        time.sleep(step_s)


class Process:
    """One program, its output in log_file."""

    def __init__(self, argv, log_file, env=None, cwd=None, stdin=None,
                 pass_fds=()):
        self.argv = [str(a) for a in argv]
        self.log_file = pathlib.Path(log_file)
        self._log = open(self.log_file, 'ab')
        self.popen = subprocess.Popen(
            self.argv, stdin=stdin or subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, env=env, cwd=cwd, pass_fds=pass_fds,
            preexec_fn=die_with_parent)
        self.pid = self.popen.pid
        self._is_ending = False

    def log(self):
        return self.log_file.read_text(errors='replace')

    def is_running(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.is_running():
            self._is_ending |= number in (signal.SIGTERM, signal.SIGINT)
            os.kill(self.pid, number)

    def wait(self, timeout_s=PATIENCE_S):
        """The exit code (negative: killed by that signal)."""
        return self.popen.wait(timeout_s)

    def is_still(self):
        """Is every thread of it stopped?"""
        try:
            return all(stat.read_text().rpartition(')')[2].split()[0] in 'Tt'
                       for stat in pathlib.Path(f'/proc/{self.pid}/task').glob(
                           '*/stat'))
        except OSError:  # one that ended meanwhile
            return False

    @contextlib.contextmanager
    def standing_still(self):
        """It does nothing at all meanwhile. SIGSTOP alone is a wish: each
        thread runs on until the kernel comes to it."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            wait_until(self.is_still, 5, f'{self.argv[0]} stands still')
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _wait_for_a_while(self):
        try:
            self.popen.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            pass

    def stop(self, timeout_s=PATIENCE_S):
        """SIGTERM, then SIGKILL; the exit code. One that was told to end and
        does is not told again: a second SIGTERM may find it half gone."""
        if self._is_ending:
            self._wait_for_a_while()
        if self.is_running():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(timeout_s)
        self._log.close()
        return self.popen.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


_TABLES = {'udp': ('07', ('udp', 'udp6')), 'tcp': ('0A', ('tcp', 'tcp6'))}


def is_bound(pid, kind, port):
    """Does a socket listen on the port, in the process's network namespace?

    Read from /proc, so that the program under test sees no traffic.
    """
    state, tables = _TABLES[kind]
    want = f'{port:04X}'
    for table in tables:
        try:
            lines = pathlib.Path(f'/proc/{pid}/net/{table}').read_text()
        except OSError:
            continue
        for line in lines.splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and fields[1].endswith(':' + want):
                return True
    return False


def wait_bound(process, ports, timeout_s=5):
    """Wait until the process listens. ports: pairs such as ('udp', 53)."""
    def bound():
        if not process.is_running():
            raise AssertionError(
                f'{process.argv[0]} ended with {process.popen.returncode}:\n'
                + process.log())
        return all(is_bound(process.pid, k, p) for k, p in ports)
    wait_until(bound, timeout_s, lambda: f'{process.argv[0]} listens on '
               f'{ports}:\n{process.log()}')
