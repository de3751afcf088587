"""Does this machine stand still? A virtual one may for seconds, and a busy one
keeps a process from its processor for a while. The program then does what it
is for: it asks a server that says nothing once more, or another one. A test
that counts queries, or has a time limit to prove, cannot tell that from a
fault, so a verdict of that time is void: see pytest_runtest_protocol() in
conftest.py.
"""
import threading
import time

STEP_S = 0.01
# The shortest time that the program gives a server is 100 ms.
LONG_S = 0.05


class Pauses:
    """Watches from its making on. longest_s: set it to 0 to begin anew."""

    def __init__(self):
        self.longest_s = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            before = time.monotonic()
            time.sleep(STEP_S)
            late_s = time.monotonic() - before - STEP_S
            self.longest_s = max(self.longest_s, late_s)

    def was_long(self):
        return self.longest_s > LONG_S
