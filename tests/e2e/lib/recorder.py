"""Servers that answer from a table, and what left dotstub for where.

A Table is a behaviour of plaind and a zone of dotd, so the same records may be
put behind clear text and behind TLS.
"""
import subprocess

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from lib.process import wait_until

TTL_S = 30
KEEPALIVE, PADDING = 11, 12  # EDNS options: RFC 7828, RFC 7830


class Table:
    """records: {'name type': data, or a list of it}; other names do not
    exist."""

    def __init__(self, records):
        self.records = {}
        for key, data in records.items():
            name, kind = key.split()
            self.records[name.lower(), kind] = (
                [data] if isinstance(data, str) else data)

    def respond(self, message):
        response = dns.message.make_response(message, recursion_available=True)
        question = message.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if (name, kind) in self.records:
            response.answer.append(dns.rrset.from_text(
                question.name, TTL_S, 'IN', kind, *self.records[name, kind]))
        elif name != '.' and not any(n == name for n, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def __call__(self, query):
        return self.respond(query.message)


def public_names(server):
    """What came to a DoT server, but for dotstub's own probes (". NS")."""
    return [n.lower() for n in server.names() if n != '.']


def assert_private(server, block=128):
    """What came over TLS is padded, and has no option but dotstub's own:
    padding, and a keepalive without a value."""
    for query in server.queries:
        options = query.options()
        assert len(query.wire) % block == 0, query.message
        assert set(options) <= {PADDING, KEEPALIVE}, query.message
        assert not options.get(KEEPALIVE), query.message


def wait_for_log(stub, text, count=1):
    wait_until(lambda: stub.log().count(text) >= count, 10,
               lambda: f'"{text}" {count} times in the log:\n{stub.log()}')


def public_server(serve, records=None):
    """A DoT server that knows these names and no other."""
    server = serve()
    server.zone = Table(records or {})
    return server


def dig(port, *words, source=None, address='127.0.0.1'):
    """What dig says, whole."""
    argv = ['dig', '-r', f'@{address}', '-p', str(port), '+tries=1',
            '+time=20', *words]
    if source:
        argv += ['-b', source]
    return subprocess.run(argv, stdout=subprocess.PIPE, timeout=60,
                          check=False).stdout.decode(errors='replace')
