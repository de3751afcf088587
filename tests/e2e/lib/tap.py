"""Receivers of dnstap, and what they received: Frame Streams and the few
kinds of Protocol Buffers' fields that dnstap.proto has, read anew here."""
import dataclasses
import pathlib
import shutil
import socket
import struct

import pytest

from lib.process import Process, wait_until

TYPE = 'protobuf:dnstap.Dnstap'
START, STOP = 2, 3
KINDS = {5: 'query', 6: 'response'}


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """Number to value; no field of dnstap's comes twice."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        assert number not in found, f'field {number} twice'
        if kind == 0:
            found[number], at = varint(data, at)
        elif kind == 5:
            found[number], = struct.unpack_from('<I', data, at)
            at += 4
        else:
            assert kind == 2, f'field {number} is of kind {kind}'
            length, at = varint(data, at)
            found[number] = data[at:at + length]
            assert len(found[number]) == length, f'field {number} is cut'
            at += length
    return found


@dataclasses.dataclass
class Message:
    kind: str
    transport: str
    family: int
    client: str      # None: not told, as all that follows
    client_port: int
    local: str
    local_port: int
    asked: float
    answered: float
    octets: bytes
    identity: str
    version: str


def ip_text(octets):
    if octets is None:
        return None
    family = {4: socket.AF_INET, 16: socket.AF_INET6}[len(octets)]
    return socket.inet_ntop(family, octets)


def seconds(m, sec, nsec):
    assert (sec in m) == (nsec in m) and m.get(nsec, 0) < 10**9
    return m[sec] + m[nsec] / 1e9 if sec in m else None


def message(frame):
    top = fields(frame)
    assert top.pop(15) == 1, 'it is no MESSAGE'
    m = fields(top.pop(14))
    kind = KINDS[m[1]]
    asked, answered = seconds(m, 8, 9), seconds(m, 12, 13)
    assert set(m) <= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14}, m
    return Message(
        kind, {1: 'udp', 2: 'tcp'}[m[3]], {1: 4, 2: 6}[m[2]],
        ip_text(m.get(4)), m.get(6), ip_text(m.get(5)), m.get(7), asked,
        answered, m[10 if kind == 'query' else 14],
        top.pop(1, b'').decode() or None, top.pop(2, b'').decode() or None)


def control(frame):
    """The type of a control frame."""
    return int.from_bytes(frame[:4], 'big')


def frames(data):
    """What is whole: pairs of is_control and a frame."""
    at = 0
    while at + 4 <= len(data):
        is_control = data[at:at + 4] == bytes(4)
        at += 4 * is_control
        length = int.from_bytes(data[at:at + 4], 'big')
        if at + 4 + length > len(data):
            return
        yield is_control, data[at + 4:at + 4 + length]
        at += 4 + length


def read(path):
    """The messages of a stream in a file, and whether it has its end."""
    found, is_ended = [], False
    for k, (is_control, frame) in enumerate(
            frames(pathlib.Path(path).read_bytes())):
        assert not is_ended, 'something follows the end'
        if is_control:
            assert control(frame) == (STOP if k else START), 'a second START'
            is_ended = control(frame) == STOP
        else:
            assert k > 0, 'no START'
            found.append(message(frame))
    return found, is_ended


class Capture:
    """fstrm_capture at a unix socket, or at a port of TCP."""

    def __init__(self, folder, port=None):
        if shutil.which('fstrm_capture') is None:
            pytest.skip('fstrm_capture is not installed')
        self.folder, self.port = pathlib.Path(folder), port
        self.socket = self.folder / 'tap.sock'
        self.target = (f'tcp://127.0.0.1:{port}' if port
                       else f'unix:{self.socket}')
        self.count = 0
        self.process = None

    def start(self):
        self.count += 1
        self.file = self.folder / f'captured{self.count}'
        place = (['-a', '127.0.0.1', '-p', str(self.port)] if self.port
                 else ['-u', str(self.socket)])
        self.process = Process(
            ['fstrm_capture', '-t', TYPE, *5 * ['-d'], *place, '-w',
             self.file],
            self.folder / f'capture{self.count}.log')
        wait_until(lambda: 'opened output file' in self.process.log(), 5,
                   self.process.log)
        return self

    def stop(self, count=None):
        """What it received: so many messages, or all from senders that have
        ended. It writes its file at its end, and what it has not read by then
        is lost."""
        def has_all():
            said = self.process.log().count
            if count is None:
                return said('closing (read') == said('accepted new connection')
            return said('processing data frame') >= count
        wait_until(has_all, 10, self.process.log)
        self.process.stop()
        return read(self.file)[0]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.process.stop()
