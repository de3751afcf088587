"""Does this machine stand still? A virtual one may for seconds, and a busy one
keeps a process from its processor for a while. The program then does what it
is for: it asks a server that says nothing once more, or another one. A test
that counts queries, or has a time limit to prove, cannot tell that from a
fault, so a verdict of that time is void: see pytest_runtest_protocol() in
conftest.py. The programs under test are looked at too: the kernel counts how
long each thread of them waited for a processor.
"""
import pathlib
import threading
import time

STEP_S = 0.01
STEPS_A_LOOK = 5  # at the programs
# The shortest time that the program gives a server is 100 ms.
LONG_S = 0.05


def waits():
    """How long the threads of our children have waited, in all: nanoseconds
    by number of the thread. (Children belong to the thread that started them;
    that is the main one.)"""
    main = pathlib.Path('/proc/self/task',
                        str(threading.main_thread().native_id))
    found = {}
    try:
        for pid in (main / 'children').read_text().split():
            for path in pathlib.Path('/proc', pid, 'task').glob('*/schedstat'):
                found[path.parent.name] = int(path.read_text().split()[1])
    except (OSError, IndexError, ValueError):  # one that ended meanwhile
        pass
    return found


class Pauses:
    """Watches from its making on. longest_s: set it to 0 to begin anew."""

    def __init__(self):
        self.longest_s = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        seen = {}
        while True:
            for _ in range(STEPS_A_LOOK):
                before = time.monotonic()
                time.sleep(STEP_S)
                self._note(time.monotonic() - before - STEP_S)
            now = waits()
            for thread, wait_ns in now.items():
                self._note((wait_ns - seen.get(thread, 0)) / 1e9)
            seen.update(now)

    def _note(self, late_s):
        self.longest_s = max(self.longest_s, late_s)

    def was_long(self):
        return self.longest_s > LONG_S
