"""Clients of dotstub at the level of octets, and dnspython's messages."""
import random
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from lib.process import PATIENCE_S

_random = random.SystemRandom()
_SO_RCVBUFFORCE = 33


def query(name, kind='A', *, edns=None, dnssec_ok=False, options=(),
          query_id=None, flags=None, rdclass='IN'):
    """A query message. edns: the payload size, None for no OPT record."""
    message = dns.message.make_query(name, kind, rdclass,
                                     use_edns=edns is not None or None)
    if edns is not None:
        message.use_edns(0, dns.flags.DO if dnssec_ok else 0, payload=edns,
                         options=list(options))
    else:
        message.use_edns(False)
    message.id = _random.randrange(65536) if query_id is None else query_id
    if flags is not None:
        message.flags = flags
    return message


def wire_of(message):
    return message if isinstance(message, bytes) else message.to_wire()


def parse(data):
    return dns.message.from_wire(data)


def want_buffer(sock, octets):
    """As much room for what comes as we may have."""
    try:  # beyond the limit of the machine: root may
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)


class Udp:
    """A UDP socket connected to one server: answers from elsewhere are lost.
    It holds thousands of answers until they are read."""

    def __init__(self, port, address='127.0.0.1'):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        want_buffer(self.sock, 4 << 20)
        self.sock.connect((address, port))

    def send(self, message):
        self.sock.send(wire_of(message))

    def receive(self, timeout_s=PATIENCE_S):
        """Octets of one answer, or None when there is none in time."""
        self.sock.settimeout(timeout_s)
        try:
            return self.sock.recv(65535)
        except TimeoutError:
            return None

    def ask_raw(self, message, timeout_s=PATIENCE_S):
        self.send(message)
        return self.receive(timeout_s)

    def ask(self, message, timeout_s=PATIENCE_S):
        """The parsed answer to this query; others are an error."""
        data = self.ask_raw(message, timeout_s)
        assert data is not None, 'no answer over UDP'
        response = parse(data)
        assert response.id == int.from_bytes(wire_of(message)[:2], 'big')
        return response

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Tcp:
    """A TCP connection that frames messages (RFC 1035 4.2.2)."""

    def __init__(self, port, address='127.0.0.1', receive_buffer=None,
                 source=None):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 receive_buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect((address, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def send(self, *messages):
        """All messages in one write."""
        self.sock.sendall(b''.join(framed(m) for m in messages))

    def send_raw(self, data):
        self.sock.sendall(data)

    def receive(self, timeout_s=PATIENCE_S):
        """Octets of the next answer; None at the end of the stream."""
        self.sock.settimeout(timeout_s)
        while True:
            if len(self._buffer) >= 2:
                size = 2 + int.from_bytes(self._buffer[:2], 'big')
                if len(self._buffer) >= size:
                    data = bytes(self._buffer[2:size])
                    del self._buffer[:size]
                    return data
            try:
                chunk = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not chunk:
                assert not self._buffer, 'closed inside a frame'
                return None
            self._buffer += chunk

    def ask(self, message, timeout_s=PATIENCE_S):
        self.send(message)
        data = self.receive(timeout_s)
        assert data is not None, 'the TCP connection was closed'
        return parse(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
        self.sock.close()

    def is_closed_by_peer(self, timeout_s=PATIENCE_S):
        """True when nothing more comes but the end."""
        try:
            return self.receive(timeout_s) is None
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def framed(message):
    data = wire_of(message)
    return len(data).to_bytes(2, 'big') + data


def ask_many_udp(port, messages, timeout_s=PATIENCE_S, address='127.0.0.1'):
    """Send all in one burst from one socket; answers by message ID."""
    answers = {}
    with Udp(port, address) as client:
        for message in messages:
            client.send(message)
        end = time.monotonic() + timeout_s
        while len(answers) < len(messages):
            data = client.receive(max(0.001, end - time.monotonic()))
            if data is None:
                break
            answers.setdefault(int.from_bytes(data[:2], 'big'),
                               []).append(data)
    return answers


def texts(response):
    """The records of the answer section, sorted, one string each."""
    return sorted(f'{s.name} {dns.rdatatype.to_text(r.rdtype)} {r}'
                  for s in response.answer for r in s)


def extended_errors(response):
    """RFC 8914: pairs of code and text."""
    return [(int(o.code), o.text or '') for o in response.options
            if o.otype == dns.edns.OptionType.EDE]


def rcode_text(response):
    return dns.rcode.to_text(response.rcode())
