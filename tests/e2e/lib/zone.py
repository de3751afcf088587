"""The zone that every server of the tests and the demo serves: example.

One master file for real servers; the scriptable server answers from the same
text, and in addition
    nK.many.example    an A record of its own for every K below 65,536
    size-N.example     TXT: an answer of exactly N octets (up to 65,535)
"""
import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.zone

ORIGIN = 'example.'
LONG_STRINGS = [f'{i:02d}-' + chr(97 + i) * 217 for i in range(20)]
REAL_MANY = 300  # nK.many.example in the master file: K below this


def many_address(k):
    return f'198.18.{k >> 8 & 255}.{k & 255}'


def _text():
    lines = ['''$ORIGIN example.
$TTL 300
@          IN SOA  ns.example. host.example. 1 3600 600 86400 60
@          IN NS   ns
ns         IN A    192.0.2.53
www        IN A    192.0.2.1
www        IN A    192.0.2.2
www        IN AAAA 2001:db8::1
hop1       IN CNAME hop2
hop2       IN CNAME hop3
hop3       IN CNAME www
mail       IN MX   10 mx1
mail       IN MX   20 mx2
mx1        IN A    192.0.2.25
mx2        IN A    192.0.2.26
only4      IN A    192.0.2.4
private    IN TYPE65280 \\# 5 0102030405
caa        IN CAA  0 issue "ca.example"
srv        IN SRV  1 2 853 ns
mid        IN TXT  ''' + ' '.join(f'"{c * 240}"' for c in 'abc')]
    lines.append('long IN TXT ' + ' '.join(f'"{s}"' for s in LONG_STRINGS))
    lines += [f'n{k}.many IN A {many_address(k)}' for k in range(REAL_MANY)]
    return '\n'.join(lines) + '\n'


TEXT = _text()


def _padding_text(octets):
    """TXT RDATA of exactly so many octets (2 or more)."""
    out = b''
    while octets:
        n = min(octets, 256)
        if octets - n == 1:
            n -= 1
        out += bytes([n - 1]) + b'x' * (n - 1)
        octets -= n
    return dns.rdata.from_wire(1, 16, out, 0, len(out))


class Zone:
    """Answers from the zone, as a recursive server would give them."""

    def __init__(self):
        self.zone = dns.zone.from_text(TEXT, origin=ORIGIN, relativize=False)
        self.origin = dns.name.from_text(ORIGIN)
        self.soa = self._find(self.origin, dns.rdatatype.SOA)

    def _find(self, name, kind):
        rdataset = self.zone.get_rdataset(name, kind)
        if rdataset is None:
            return None
        return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))

    def respond(self, query):
        """The response to a query (dns.message.Message)."""
        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response
        question = query.question[0]
        name = question.name
        if question.rdclass != 1:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        if not name.is_subdomain(self.origin):
            response.set_rcode(dns.rcode.NXDOMAIN)
            return response
        if self._synthesise(response, name, question.rdtype):
            return response
        self._look_up(response, name, question.rdtype)
        return response

    def _look_up(self, response, name, kind):
        for _ in range(8):
            if kind == dns.rdatatype.ANY:
                node = self.zone.get_node(name)
                found = [dns.rrset.from_rdata_list(name, r.ttl, list(r))
                         for r in (node or [])]
                response.answer += found
                if found:
                    return
            rrset = self._find(name, kind)
            if rrset is not None:
                response.answer.append(rrset)
                return
            alias = self._find(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            response.answer.append(alias)
            name = alias[0].target
        if self.zone.get_node(name) is None and not self._is_parent(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(self.soa)

    def _is_parent(self, name):
        return any(n.is_subdomain(name) for n in self.zone.nodes)

    def _synthesise(self, response, name, kind):
        labels = [label.decode('ascii', 'replace').lower()
                  for label in name.labels]
        if labels[0].startswith('size-') and kind == dns.rdatatype.TXT:
            self._fill(response, name, int(labels[0][5:]))
            return True
        if (len(labels) == 4 and labels[1] == 'many'
                and labels[0][1:].isdigit() and kind == dns.rdatatype.A):
            response.answer.append(dns.rrset.from_text(
                name, 300, 'IN', 'A', many_address(int(labels[0][1:]))))
            return True
        return False

    @staticmethod
    def _fill(response, name, octets):
        """Add TXT records until the message has exactly so many octets."""
        base = len(response.to_wire(max_size=65535))
        head = 12  # compressed owner, type, class, TTL, length
        left = octets - base
        while left:
            n = min(left, 20000)
            if 0 < left - n < head + 2:
                n -= head + 2
            response.answer.append(dns.rrset.from_rdata(
                name, 300, _padding_text(n - head)))
            left -= n
        # One set for each record, or dnspython would sort out duplicates.
