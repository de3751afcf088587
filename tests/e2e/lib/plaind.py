"""A scriptable plain DNS server, UDP and TCP on one port, that keeps what it
got: transport, source port, ID, spelling, options.

A behaviour is a function of one query that returns what is to be sent: a
message, octets, several of these in a list, a Later, CLOSE (the connection),
or None for silence. answer() is the well-behaved one.

    with Server(behaviour=answer) as server:
        ... server.udp_entry, server.tcp_entry, server.queries ...
"""
import asyncio
import socket
import threading
import time

import dns.flags
import dns.message
import dns.rcode

from lib.client import want_buffer
from lib.ports import free_port
from lib.process import PATIENCE_S, wait_until
from lib.zone import Zone

UDP_MAX = 1232
CLOSE = object()

_zone = Zone()


class Later:
    """Send what after so many seconds."""

    def __init__(self, delay_s, what):
        self.delay_s = delay_s
        self.what = what


class Query:
    """One query as it came."""

    def __init__(self, transport, peer, wire, conn=None):
        self.transport = transport  # 'udp' or 'tcp'
        self.peer = peer            # address, port
        self.wire = wire
        self.conn = conn            # number of the connection, over TCP
        self.came_s = time.monotonic()

    @property
    def port(self):
        return self.peer[1]

    @property
    def id(self):
        return int.from_bytes(self.wire[:2], 'big')

    @property
    def message(self):
        return dns.message.from_wire(self.wire)

    @property
    def spelling(self):
        """The name as it is spelt."""
        return self.message.question[0].name.to_text(omit_final_dot=True)

    @property
    def name(self):
        return self.spelling.lower()

    @property
    def has_opt(self):
        return self.message.edns >= 0

    def options(self):
        """EDNS options: code to octets."""
        return {int(o.otype): o.to_wire() for o in self.message.options}


# ---- behaviours

def answer(query):
    """From the zone; cut to TC=1 and the question where it is too long."""
    response = _zone.respond(query.message)
    wire = response.to_wire(max_size=65535)
    if query.transport == 'udp' and len(wire) > UDP_MAX:
        short = dns.message.Message(response.id)
        short.flags = response.flags | dns.flags.TC
        short.question = list(response.question)
        wire = short.to_wire()
    return wire


def silent(_query):
    return None


def error(rcode):
    """Every query is answered with this error."""
    def behave(query):
        response = dns.message.make_response(query.message)
        response.set_rcode(rcode)
        return response
    return behave


def without_edns(query):
    """A server from before EDNS: a header that says FORMERR to any OPT."""
    if query.has_opt:
        return query.wire[:2] + bytes([0x80, dns.rcode.FORMERR]) + bytes(8)
    return answer(query)


def lower_case(query):
    """The question comes back in lower case."""
    wire = bytearray(answer(query))
    end = 12 + len(query.name) + 1
    wire[12:end] = bytes(wire[12:end]).lower()
    return bytes(wire)


# ---- the server

class Server:
    def __init__(self, behaviour=answer, *, address='127.0.0.1', port=0):
        self.behaviour = behaviour
        self.ip = address
        self.port = port or free_port(address)
        shown = f'[{address}]' if ':' in address else address
        self.address = f'{shown}:{self.port}'
        self.queries = []
        self.connections = 0
        self.errors = []
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def udp_entry(self):
        return f'udp://{self.address}'

    @property
    def tcp_entry(self):
        return f'tcp://{self.address}'

    def over(self, transport):
        return [q for q in self.queries if q.transport == transport]

    def names(self):
        return [q.name for q in self.queries]

    def wait(self, condition, timeout_s=5):
        wait_until(lambda: condition(self), timeout_s,
                   lambda: f'{self.address} got {self.names()}')

    def summary(self):
        return '\n'.join(f'{q.transport} from port {q.port}, id {q.id}: '
                         f'{q.spelling}' for q in self.queries[-100:])

    # ---- life

    def start(self):
        self._thread.start()
        self._in_loop(self._open())
        return self

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _in_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self._loop).result(PATIENCE_S)

    async def _open(self):
        family = socket.AF_INET6 if ':' in self.ip else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        want_buffer(sock, 4 << 20)
        sock.bind((self.ip, self.port))
        self._udp, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self), sock=sock)
        self._tcp = await asyncio.start_server(self._serve_tcp, self.ip,
                                               self.port, backlog=1024)

    def down(self):
        """Both ports are closed, and all connections."""
        self._in_loop(self._close())

    def up(self):
        self._in_loop(self._open())

    async def _close(self):
        self._udp.close()
        self._tcp.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)

    def stop(self):
        if self._thread.is_alive():
            self.down()
            self._in_loop(self._cancel_tasks())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _cancel_tasks(self):
        tasks = [t for t in asyncio.all_tasks()
                 if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- queries

    def take(self, query, send, close=lambda: None):
        self.queries.append(query)
        try:
            what = self.behaviour(query)
            for each in what if isinstance(what, list) else [what]:
                self._dispatch(each, send, close)
        except Exception as e:  # a mistake of the test's own behaviour
            self.errors.append(e)

    def _dispatch(self, what, send, close):
        if isinstance(what, Later):
            self._loop.call_later(what.delay_s, self._dispatch, what.what,
                                  send, close)
        elif what is CLOSE:
            close()
        elif what is not None:
            send(what if isinstance(what, bytes) else what.to_wire())

    async def _serve_tcp(self, reader, writer):
        number = self.connections
        self.connections += 1
        self._writers.add(writer)
        peer = writer.get_extra_info('peername')[:2]

        def send(wire):
            if not writer.is_closing():
                writer.write(len(wire).to_bytes(2, 'big') + wire)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), 'big')
                wire = await reader.readexactly(size)
                self.take(Query('tcp', peer, wire, number), send,
                          writer.close)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server):
        self.server = server

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.server.take(Query('udp', peer[:2], data),
                         lambda wire: self.transport.sendto(wire, peer))
