#!/usr/bin/python3
"""The servers for the containers under test, until it is killed.

    upstream.py FOLDER

Writes FOLDER/ca.pem and says "ready". Over TLS: dot.example on port 8853 of
all addresses, and dns.quad9.net on 9.9.9.9:853 with the name www.example.org.
In clear text: the DNS of a cluster on 10.96.0.10:53. Every query is a line of
FOLDER/seen: "tls|udp|tcp NAME TYPE".
"""
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'e2e'))

import dns.rdatatype  # noqa: E402

from lib import dotd, plaind  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.recorder import Table  # noqa: E402

INTERNET = Table({'www.example.org A': '192.0.2.80'})
CLUSTER = Table({
    'web.default.svc.cluster.local A': '10.96.7.7',
    '7.7.96.10.in-addr.arpa PTR': 'web.default.svc.cluster.local.',
})


def lines_of(server, plain):
    for query in list(server.queries) + list(plain.queries):
        kind = query.message.question[0].rdtype
        yield (f'{getattr(query, "transport", "tls")} {query.name} '
               + dns.rdatatype.to_text(kind))


def main():
    folder = pathlib.Path(sys.argv[1])
    authority = Authority(folder)
    first = dotd.Server(authority.leaf(['dot.example']), address='0.0.0.0',
                        port=8853)
    quad9 = dotd.Server(authority.leaf(['dns.quad9.net']), address='9.9.9.9',
                        port=853)
    quad9.zone = INTERNET
    with first, quad9, plaind.Server(CLUSTER, address='10.96.0.10',
                                     port=53) as plain:
        print('ready', flush=True)
        while True:
            new = folder / 'seen.new'
            new.write_text('\n'.join(lines_of(quad9, plain)) + '\n')
            new.replace(folder / 'seen')
            time.sleep(0.1)


if __name__ == '__main__':
    main()
