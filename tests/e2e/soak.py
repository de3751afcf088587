#!/usr/bin/python3
"""Minutes of everything at once: is it still well, and no fatter?

    DOTSTUB_BIN=build-asan/dotstub tests/e2e/soak.py [--minutes 20]

Clients over UDP and TCP ask names that are kept, new, local, denied and
absent; others send garbage, or connect and say nothing. Meanwhile servers are
restarted in turn, the configuration is read again, answers are forgotten,
statistics asked for. Exit code 0 when every query was answered, the process
ended well, and its memory is flat: the median of the last quarter of the time
is that of the second one. The first quarter is for the cache to fill, and for
pools to reach the size that the load asks for.

A build with AddressSanitizer keeps what is freed, to see who comes back to it
(256 MiB of it by default, hours of this load), and each stack that it saw: the
fast way to walk one makes up others in libraries without frame pointers, a new
one for each handshake. With ASAN_OPTIONS it keeps little and walks them right,
and must be flat like any other.
"""
import argparse
import os
import pathlib
import random
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import client, dotd  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.client import query  # noqa: E402
from lib.dotstub import Dotstub, find_binary  # noqa: E402

CLIENTS = [client.Udp, client.Udp, client.Tcp, client.Tcp]
QUARTERS = 4
SAMPLE_S = 1
# What the last quarter may have more than the second: a share, and KiB. What
# a sanitizer keeps goes on growing for a while, ever more slowly.
GROWTH = 0.02, 512
GROWTH_SANITIZED = 0.04, 1024
ASAN_OPTIONS = ('quarantine_size_mb=1:thread_local_quarantine_size_kb=64:'
                'fast_unwind_on_malloc=0:detect_leaks=1')


def is_sanitized(binary):
    return b'__asan_init' in pathlib.Path(binary).read_bytes()


def environment(binary):
    """Of the process: ours, and what a sanitizer needs."""
    if not is_sanitized(binary):
        return {'DOTSTUB_SANDBOX': 'on'}
    given = os.environ.get('ASAN_OPTIONS')
    return {'ASAN_OPTIONS': given or ASAN_OPTIONS}


def memory_kib(pid):
    """What is resident, and how much of it is no file's."""
    fields = {}
    for line in open(f'/proc/{pid}/status'):
        name, _, value = line.partition(':')
        if name in ('VmRSS', 'RssAnon'):
            fields[name] = int(value.split()[0])
    return fields['VmRSS'], fields['RssAnon']


class Soak:
    def __init__(self, folder, options):
        ca = Authority(folder)
        leaf = ca.leaf(['dot.example'], ['127.0.0.1'])
        binary = find_binary()
        self.servers = [dotd.Server(leaf).start() for _ in range(2)]
        self.stub = Dotstub(
            folder, self.servers, ca.file, cache_size='1MiB', workers=2,
            records=['router.lan A 192.0.2.1'], deny_names=['ads.example'],
            query_log=str(folder / 'queries.log'), prefix=options.under,
            env={'DOTSTUB_SANDBOX': 'off'} if options.under
            else environment(binary))
        self.stub.start(wait=False)
        self.stub.wait_listening(timeout_s=60)
        for server in self.servers:
            server.wait_ready()
        self.minutes = options.minutes
        self.pause_s = len(CLIENTS) / options.rate
        self.begin = time.monotonic()
        self.end = self.begin + 60 * self.minutes
        self.asked, self.failures, self.samples = 0, [], []

    def is_over(self):
        return time.monotonic() > self.end or len(self.failures) > 20

    # ---- clients

    def names(self, seed):
        dice = random.Random(seed)
        while True:
            kind = dice.random()
            if kind < 0.6:
                yield f'n{int(dice.paretovariate(1)) % 500}.many.example', True
            elif kind < 0.9:
                yield f'n{dice.randrange(10 ** 9)}.many.example', True
            elif kind < 0.95:
                yield 'router.lan', True
            else:
                yield dice.choice(['x.ads.example', 'x.onion',
                                   f'absent{dice.randrange(99)}.example']), \
                    False

    def ask(self, way, seed):
        numbers = random.Random(seed)
        with way(self.stub.port) as c:
            for name, is_there in self.names(seed):
                if self.is_over():
                    return
                self.asked += 1
                try:
                    got = c.ask(query(name, query_id=numbers.randrange(65536),
                                      edns=1232), 6)
                    if bool(got.answer) != is_there:
                        self.failures.append(f'{name}: {got.rcode()}')
                except Exception as e:  # pylint: disable=broad-except
                    self.failures.append(f'{name}: {e!r}')
                    return
                time.sleep(self.pause_s)

    def disturb(self):
        dice = random.Random(3)
        while not self.is_over():
            with client.Udp(self.stub.port) as c:
                for _ in range(20):
                    c.send(dice.randbytes(dice.randrange(1, 200)))
            with client.Tcp(self.stub.port) as c:
                c.sock.send(dice.randbytes(dice.randrange(1, 40)))
                time.sleep(0.05)

    # ---- the machine around it

    def command(self, *args):
        done = subprocess.run(
            [find_binary(), *args, '-c', self.stub.config_file],
            capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            self.failures.append(f'{args}: {done.stderr}')

    def operate(self):
        turn = 0
        while not self.is_over():
            time.sleep(2)
            turn += 1
            for server in self.servers:
                server.queries.clear()
            if turn % 7 == 0:
                server = self.servers[turn // 7 % 2]
                server.down()
                time.sleep(1)
                server.up()
            if turn % 10 == 0:
                self.stub.process.signal(signal.SIGHUP)
            if turn % 15 == 0:
                self.command('stats', '--json')
            if turn % 40 == 0:
                self.command('flush')

    def sample(self):
        while not self.is_over():
            at = (time.monotonic() - self.begin) / (60 * self.minutes)
            rss, anonymous = memory_kib(self.stub.pid)
            self.samples.append((at, self.asked, rss, anonymous))
            time.sleep(SAMPLE_S)

    def run(self):
        threads = [threading.Thread(target=self.ask, args=(way, seed))
                   for seed, way in enumerate(CLIENTS)]
        threads += [threading.Thread(target=work) for work in
                    (self.disturb, self.operate, self.sample)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        code = self.stub.process.stop(timeout_s=60)
        for server in self.servers:
            server.stop()
        return self.verdict(code)

    # ---- the verdict

    def quarters(self):
        """Of each quarter: its samples, and how far the queries had come."""
        return [[s for s in self.samples if i <= s[0] * QUARTERS < i + 1]
                for i in range(QUARTERS)]

    def print_table(self, quarters):
        print('| quarter | queries by its end | resident: median | most |'
              ' of no file: median |')
        print('|---|---:|---:|---:|---:|')
        for i, samples in enumerate(quarters, 1):
            _, asked, rss, anonymous = zip(*samples)
            print(f'| {i} | {asked[-1]} | {statistics.median(rss):.0f} KiB '
                  f'| {max(rss)} KiB | {statistics.median(anonymous):.0f} KiB '
                  '|')

    def is_flat(self):
        quarters = self.quarters()
        if not all(quarters):
            print('not flat: it ended before its time')
            return False
        self.print_table(quarters)
        early, late = (statistics.median(s[2] for s in quarters[i])
                       for i in (1, QUARTERS - 1))
        share, kib = (GROWTH_SANITIZED if is_sanitized(find_binary())
                      else GROWTH)
        most = early * (1 + share) + kib
        is_flat = late <= most
        print(f'{"flat" if is_flat else "not flat"}: {early:.0f} KiB in the '
              f'second quarter, {late:.0f} KiB in the last (at most '
              f'{most:.0f})')
        return is_flat

    def verdict(self, code):
        is_flat = self.is_flat()
        is_clean = 'Sanitizer' not in self.stub.log()
        print(f'{self.minutes:g} minutes, {self.asked} queries, '
              f'{len(self.failures)} failed; exit code {code}')
        for failure in self.failures[:10]:
            print(f'  {failure}')
        if not is_clean or code != 0:
            print(self.stub.log()[-4000:])
        return not self.failures and is_flat and is_clean and code == 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--minutes', type=float, default=20)
    options.add_argument('--rate', type=float, default=1000,
                         help='queries a second, at most, of all clients')
    options.add_argument('--under', type=shlex.split, default=[],
                         help='a program to run it under ("valgrind …")')
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(pathlib.Path(folder), options.parse_args())
        return 0 if soak.run() else 1


if __name__ == '__main__':
    sys.exit(main())
