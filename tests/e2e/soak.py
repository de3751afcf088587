#!/usr/bin/python3
"""Minutes of everything at once: is it still well, and no fatter?

    DOTSTUB_BIN=build-asan/dotstub tests/e2e/soak.py [--minutes 20]

Clients over UDP and TCP ask names that are kept, new, local, denied and
absent; others send garbage, or connect and say nothing. Meanwhile servers are
restarted in turn, the configuration is read again, answers are forgotten,
statistics asked for. Exit code 0 when every query was answered, the process
ended well, and its memory in the last third is what it was after the first.
"""
import argparse
import pathlib
import random
import signal
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


def rss_kib(pid):
    for line in open(f'/proc/{pid}/status'):
        if line.startswith('VmRSS:'):
            return int(line.split()[1])
    return 0


class Soak:
    def __init__(self, folder, minutes):
        ca = Authority(folder)
        leaf = ca.leaf(['dot.example'], ['127.0.0.1'])
        self.servers = [dotd.Server(leaf).start() for _ in range(2)]
        self.stub = Dotstub(
            folder, self.servers, ca.file, cache_size='1MiB', workers=2,
            records=['router.lan A 192.0.2.1'], deny_names=['ads.example'],
            query_log=str(folder / 'queries.log'), env={'DOTSTUB_SANDBOX': 'on'})
        self.stub.start()
        for server in self.servers:
            server.wait_ready()
        self.end = time.monotonic() + 60 * minutes
        self.minutes = minutes
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
                time.sleep(0.002)

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
            self.samples.append(rss_kib(self.stub.pid))

    def run(self):
        threads = [threading.Thread(target=self.ask, args=(way, seed))
                   for seed, way in enumerate([client.Udp, client.Udp,
                                               client.Tcp, client.Tcp])]
        threads += [threading.Thread(target=self.disturb),
                    threading.Thread(target=self.operate)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        code = self.stub.stop()
        for server in self.servers:
            server.stop()
        return self.verdict(code)

    def verdict(self, code):
        third = len(self.samples) // 3
        early, late = max(self.samples[:third]), max(self.samples[-third:])
        is_flat = late <= early * 1.1 + 2048
        is_clean = 'Sanitizer' not in self.stub.log()
        print(f'{self.minutes} minutes, {self.asked} queries, '
              f'{len(self.failures)} failed; resident {early} KiB in the '
              f'first third, {late} KiB in the last; exit code {code}')
        for failure in self.failures[:10]:
            print(f'  {failure}')
        if not is_clean:
            print(self.stub.log()[-4000:])
        return not self.failures and is_flat and is_clean and code == 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--minutes', type=float, default=20)
    minutes = options.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        return 0 if Soak(pathlib.Path(folder), minutes).run() else 1


if __name__ == '__main__':
    sys.exit(main())
