"""Queries at an even pace, each for a name of its own, and what became of
them."""
import selectors
import socket
import threading
import time

from lib import client
from lib.process import PATIENCE_S


def asked(server):
    """The clients' queries that came to the server, without dotstub's own
    for the root."""
    return [q for q in list(server.queries) if q.wire[12] != 0]


class Load:
    """count queries from one UDP socket (of this thread's namespace), rate_s
    in a second.

    During run(), the functions of at ({number of a query: function}) are
    called in a thread of their own just before that query is sent.
    """

    def __init__(self, port, count, rate_s, at=None, address='127.0.0.1'):
        assert count <= 65536
        self.wires = [client.query(f'n{k}.many.example', query_id=k).to_wire()
                      for k in range(count)]
        self.rate_s = rate_s
        self.at = at or {}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.want_buffer(self.sock, 4 << 20)
        self.sock.connect((address, port))
        self.sock.setblocking(False)
        self.sent_at = {}
        self.latency_s = {}  # of good answers, by number
        self.failed = {}     # other answers' RCODEs, by number
        self.repeated = 0
        self._threads = []

    def run(self, patience_s=PATIENCE_S):
        """Ask all, and wait for the last answers; self."""
        waiting = selectors.DefaultSelector()
        waiting.register(self.sock, selectors.EVENT_READ)
        start = time.monotonic()
        number = 0
        end = start + len(self.wires) / self.rate_s + patience_s
        while len(self.latency_s) + len(self.failed) < len(self.wires):
            now = time.monotonic()
            if now > end:
                break
            while (number < len(self.wires)
                   and now >= start + number / self.rate_s):
                self._send(number)
                number += 1
            until = (start + number / self.rate_s
                     if number < len(self.wires) else end)
            if waiting.select(max(0, until - time.monotonic())):
                self._receive()
        self.sock.close()
        for thread in self._threads:
            thread.join()
        return self

    def _send(self, number):
        if number in self.at:
            thread = threading.Thread(target=self.at[number])
            self._threads.append(thread)
            thread.start()
        self.sent_at[number] = time.monotonic()
        self.sock.send(self.wires[number])

    def _receive(self):
        try:
            while True:
                data = self.sock.recv(65535)
                self._note(data)
        except BlockingIOError:
            pass

    def _note(self, data):
        now = time.monotonic()
        number = int.from_bytes(data[:2], 'big')
        if number in self.latency_s or number in self.failed:
            self.repeated += 1
        elif data[3] & 15 == 0 and data[6:8] != b'\0\0':
            self.latency_s[number] = now - self.sent_at[number]
        else:
            self.failed[number] = data[3] & 15

    # ---- the result

    def missing(self):
        """Queries that got no answer at all."""
        return [k for k in range(len(self.wires))
                if k not in self.latency_s and k not in self.failed]

    def percentile_s(self, percent):
        ordered = sorted(self.latency_s.values())
        return ordered[min(len(ordered) - 1,
                           int(len(ordered) * percent / 100))]

    def summary(self):
        return (f'{len(self.latency_s)} answered, {len(self.failed)} failed, '
                f'{len(self.missing())} unanswered, p50 '
                f'{self.percentile_s(50) * 1000:.0f} ms, p99 '
                f'{self.percentile_s(99) * 1000:.0f} ms, worst '
                f'{self.percentile_s(100) * 1000:.0f} ms')

    def check(self):
        """Every query has one good answer; self."""
        assert not self.failed and not self.missing(), self.summary()
        assert not self.repeated
        return self
