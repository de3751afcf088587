#!/usr/bin/python3
"""The demo: DNS in over UDP and TCP, verified DNS over TLS out, on loopback.

    demo.py --binary PATH [--keep]

Starts a small DoT server with a throw-away certificate authority, dotstub in
front of it, asks with dig, compares every answer with the zone, and shows what
the server saw of the channel. Needs python3, dnspython, cryptography and dig;
no network and no privilege.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading

sys.dont_write_bytecode = True


class Failed(Exception):
    """One clear line for the reader."""


try:
    import dns.rcode
    import dns.rdata
    import dns.rdatatype
    from lib import client, dotd
    from lib.certs import Authority
    from lib.dotstub import Dotstub
except ImportError as missing:
    sys.exit(f'demo: Python cannot import {missing.name}: apt-get install '
             'python3-dnspython python3-cryptography')

QUESTIONS = [
    ('an address', 'www.example', 'A'),
    ('an IPv6 address', 'www.example', 'AAAA'),
    ('a chain of aliases', 'hop1.example', 'A'),
    ('mail servers', 'mail.example', 'MX'),
    ('a long text', 'long.example', 'TXT'),
    ('no such name', 'missing.example', 'A'),
    ('no such record', 'only4.example', 'AAAA'),
]
WIDTH = 74


def bold(text):
    return f'\033[1m{text}\033[0m' if sys.stdout.isatty() else text


def heading(text):
    print(f'\n{bold(text)}')


def fact(label, text):
    print(f'  {label:<19}{text}')


# ---------------------------------------------------------------- asking

def dig(port, transport, name, kind):
    """The parts of dig's answer that matter."""
    argv = ['dig', '-r', '@127.0.0.1', '-p', str(port), '+tries=1', '+time=5',
            '+tcp' if transport == 'tcp' else '+ignore', name, kind]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f'{" ".join(argv)}: {last_line(done.stdout)}')
    answer = {'records': [], 'status': '', 'flags': []}
    section = ''
    for line in done.stdout.splitlines():
        if 'status: ' in line:
            answer['status'] = line.split('status: ')[1].split(',')[0]
        elif line.startswith(';; flags: '):
            answer['flags'] = line[10:].split(';')[0].split()
        elif line.startswith(';; ') and line.endswith(' SECTION:'):
            section = line
        elif line.startswith('; EDE: '):
            answer['ede'] = line[7:]
        elif line and line[0] != ';' and 'ANSWER' in section:
            answer['records'].append(record_of(line))
    return answer


def last_line(text):
    return (text.strip().splitlines() or ['no output'])[-1].lstrip('; ')


def record_of(line):
    owner, _, _, kind, data = line.split(None, 4)
    rdata = dns.rdata.from_text('IN', kind, data)
    return owner.lower(), kind, rdata.to_digestable()


def expected(zone, name, kind):
    response = zone.respond(client.query(name, kind))
    records = [(s.name.to_text().lower(), dns.rdatatype.to_text(s.rdtype),
                r.to_digestable()) for s in response.answer for r in s]
    return dns.rcode.to_text(response.rcode()), records


def shown(answer):
    """An answer for people."""
    if 'tc' in answer['flags']:
        return 'too long for UDP: TC=1, so the client asks over TCP'
    if answer['status'] != 'NOERROR':
        return answer['status']
    if not answer['records']:
        return 'NOERROR, no records (NODATA)'
    parts = []
    for _, kind, data in answer['records']:
        text = dns.rdata.from_wire(1, kind, data, 0, len(data)).to_text()
        if len(text) > 200:
            text = f'{len(data):,} octets of text'
        parts.append(('-> ' if kind == 'CNAME' else '') + text)
    return ', '.join(parts).replace(', ->', ' ->')


def check(zone, port, title, name, kind):
    """Ask over UDP and TCP, print, compare."""
    status, records = expected(zone, name, kind)
    print(f'  {title + ":":<21}{name} {kind}')
    for transport in ('udp', 'tcp'):
        answer = dig(port, transport, name, kind)
        lines = textwrap.wrap(shown(answer), WIDTH - 9)
        for at, line in enumerate(lines):
            print(f'    {"" if at else transport.upper():<5}{line}')
        if transport == 'udp' and name.startswith('long.'):
            right = 'tc' in answer['flags'] and not answer['records']
        else:
            right = sorted(answer['records']) == sorted(records)
        if answer['status'] != status or not right:
            raise Failed(f'{name} {kind} over {transport.upper()}: the answer '
                         f'is not what the zone has')


# ---------------------------------------------------------------- proof

def prove(server, asked):
    """What the DoT server saw, and whether it is what was promised."""
    queries, ready = server.queries, server.ready
    if len(queries) < asked:  # one that was late is asked again
        raise Failed(f'{asked} queries were asked, the DoT server saw '
                     f'{len(queries)}')
    busy = [c for c in ready if c.queries]
    conn = busy[0]
    fact('TLS version', conn.version)
    fact('cipher suite', conn.cipher)
    fact('name verified', f'{conn.sni} (asked for by SNI, found in the '
         'certificate)')
    fact('connection reused', f'{len(queries)} queries over '
         f'{len(busy)} connection{"s" if len(busy) > 1 else ""}')
    sizes = sorted({len(q.wire) for q in queries})
    fact('padded', f'every query has {" or ".join(map(str, sizes))} octets, '
         'whatever its name')
    raw = b''.join(bytes(c.raw) for c in server.connections)
    fact('in clear', f'nothing: none of the names in the {len(raw):,} octets '
         'received')
    unlike = [
        (conn.version not in ('TLSv1.2', 'TLSv1.3'), 'TLS version'),
        (conn.sni != server.name, 'server name'),
        (len(busy) >= len(queries), 'connections were not reused'),
        (any(size % 128 for size in sizes), 'padding'),
        (any(name in raw.lower() for name in spellings(queries)),
         'a name was seen in clear'),
    ]
    for is_wrong, what in unlike:
        if is_wrong:
            raise Failed(f'the channel is not as promised: {what}')


def spellings(queries):
    """The names that were asked for, as text and as they are on the wire."""
    for query in queries:
        yield query.name.lower().encode()
        yield query.message.question[0].name.to_wire().lower()[:-1]


def prove_refusal(impostor, port):
    """A server with another name gets no query at all."""
    answer = dig(port, 'udp', 'www.example', 'A')
    fact('dig says', answer['status'])
    reason = textwrap.wrap(answer.get('ede', ''), WIDTH - 21)
    for at, line in enumerate(reason):
        fact('because' if at == 0 else '', line)
    fact('the impostor saw', f'{len(impostor.queries)} queries, '
         f'{len(impostor.plaintext)} octets')
    if answer['status'] != 'SERVFAIL':
        raise Failed('a server with the wrong name was believed')
    if impostor.queries or impostor.plaintext:
        raise Failed('a query went to a server that was not verified')


# ---------------------------------------------------------------- the whole

def show(folder, binary, keep):
    ca = Authority(folder)
    good = dotd.Server(ca.leaf(['dot.example']))
    impostor = dotd.Server(ca.leaf(['impostor.example']))
    with good, impostor:
        stub = Dotstub(folder, [good], ca.file, binary=binary)
        careful = Dotstub(folder, [impostor], ca.file, binary=binary,
                          label='careful', query_timeout='500ms')
        with stub, careful:
            walk_through(stub, good, careful, impostor)
            if keep:
                wait_for_the_end(stub)


def walk_through(stub, good, careful, impostor):
    print(bold('dotstub: DNS over UDP and TCP in, verified DNS over TLS out'))
    heading('Started on this machine only')
    fact('DoT server', f'{good.address}, certificate for {good.name}')
    fact('dotstub', f'127.0.0.1:{stub.port}, UDP and TCP')
    fact('its configuration', str(stub.config_file))
    for line in stub.config_file.read_text().splitlines():
        why = '  # every question reaches the server'
        print(f'    {line}{why if line == "cache_size: 0" else ""}')
    heading(f'Asked with dig @127.0.0.1 -p {stub.port}')
    for question in QUESTIONS:
        check(good.zone, stub.port, *question)
    heading('What the DoT server saw of it')
    prove(good, 2 * len(QUESTIONS))
    heading('And when the server is not the one that was named')
    prove_refusal(impostor, careful.port)
    print()


def wait_for_the_end(stub):
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    heading('Left running')
    fact('ask it', f'dig @127.0.0.1 -p {stub.port} www.example')
    fact('its log', str(stub.log_file))
    fact('stop it', f'press Ctrl-C here, or: kill {os.getpid()}')
    sys.stdout.flush()
    while not over.wait(0.2):
        if not stub.process.is_running():
            raise Failed(f'dotstub ended: {last_line(stub.log())}')
    print()


def main():
    parser = argparse.ArgumentParser(description='Show dotstub at work.')
    parser.add_argument('--binary', required=True, help='the program')
    parser.add_argument('--keep', action='store_true',
                        help='leave it running until Ctrl-C')
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='dotstub-demo-')
    try:
        if not shutil.which('dig'):
            raise Failed('dig is missing: apt-get install bind9-dnsutils')
        show(folder, str(pathlib.Path(options.binary).resolve()),
             options.keep)
    except (Failed, AssertionError, OSError) as e:
        sys.stdout.flush()
        print(f'demo: {str(e).strip()}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print('Every answer matched; everything is stopped again.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
