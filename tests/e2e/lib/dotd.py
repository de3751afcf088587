"""A scriptable DNS over TLS server: right, slow, broken or hostile on demand.

A script is a coroutine that gets one connection (Conn) before its handshake
and does with it what it likes; serve() below is the well-behaved one, the
others are in behaviours.py. TLS runs over memory, so a script decides about
every octet on the wire, and the server sees each TLS record by itself.

    with Server(leaf, script=serve) as server:
        ... server.address, server.queries, server.connections ...

The server has a thread and an event loop of its own.
"""
import asyncio
import ctypes
import ctypes.util
import socket
import ssl
import struct
import threading
import time
import warnings

import dns.message

from lib.ports import free_port
from lib.process import PATIENCE, PATIENCE_S
from lib.zone import Zone

TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3
APPLICATION_DATA = 23


class Gone(Exception):
    """The client closed or reset the connection, or refused the handshake."""


class Query:
    """One query as it came out of the channel."""

    def __init__(self, conn, wire):
        self.conn = conn
        self.wire = wire

    @property
    def id(self):
        return int.from_bytes(self.wire[:2], 'big')

    @property
    def message(self):
        return dns.message.from_wire(self.wire, ignore_trailing=True)

    @property
    def name(self):
        return self.message.question[0].name.to_text(omit_final_dot=True)

    def options(self):
        """EDNS options: code to octets."""
        return {int(o.otype): o.to_wire() for o in self.message.options}


class Conn:
    """One connection of a client; a script's only door to it."""

    def __init__(self, server, sock, number):
        self.server = server
        self.sock = sock
        self.number = number  # from 0, in the order of accept()
        self.peer = sock.getpeername()[0]
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        self.queries = []
        self.records = []   # plaintext of each record after the handshake
        self.raw = bytearray()  # every octet that the client sent
        self.sni = self.version = self.cipher = self.alpn = None
        self.is_resumed = self.is_handshaken = self.is_closed = False
        self.handshake_error = None
        self._ciphertext = bytearray()
        self._plaintext = bytearray()
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.tls = server.context.wrap_bio(self._in, self._out,
                                           server_side=True)
        self.held = b''  # ciphertext that goes out with the next send

    # ---- the way in

    async def _feed_record(self):
        """Take one whole TLS record from the socket into the session."""
        while True:
            if len(self._ciphertext) >= 5:
                size = 5 + int.from_bytes(self._ciphertext[3:5], 'big')
                if len(self._ciphertext) >= size:
                    self._in.write(bytes(self._ciphertext[:size]))
                    del self._ciphertext[:size]
                    return
            await self._receive()

    async def _receive(self):
        try:
            data = await self.loop.sock_recv(self.sock, 65536)
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone('end of stream')
        self.raw += data
        self.server.changed()
        self._ciphertext += data

    async def handshake(self, hold_tickets=False, stop_after=None):
        """stop_after: send only so many octets of the first flight, return.

        hold_tickets: the session tickets leave with the first answer.
        """
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                flight = self._out.read()
                if stop_after is not None and flight:
                    await self.send_raw(flight[:stop_after])
                    return
                await self.send_raw(flight)
                await self._feed_record()
                continue
            except ssl.SSLError as e:
                self.handshake_error = e.reason or str(e)
                await self.send_raw(self._out.read())
                raise Gone(str(e)) from e
            break
        self._note_session()
        last = self._out.read()
        if hold_tickets:
            self.held = last
        else:
            await self.send_raw(last)
        self.server.changed()

    def _note_session(self):
        self.version = self.tls.version()
        self.cipher = self.tls.cipher()[0]
        self.alpn = self.tls.selected_alpn_protocol()
        self.sni = self.server.sni_of.pop(id(self.tls), None)
        self.is_resumed = self.tls.session_reused
        self.is_handshaken = True

    async def read(self):
        """The plaintext of the next record that has any; b'' at its end."""
        while True:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self.send_raw(self._out.read())
                await self._feed_record()
                continue
            except ssl.SSLZeroReturnError:
                return b''
            except ssl.SSLError as e:
                raise Gone(str(e)) from e
            if data:
                self.records.append(data)
            return data

    async def next_query(self):
        """None when the client closes properly."""
        while True:
            if len(self._plaintext) >= 2:
                size = 2 + int.from_bytes(self._plaintext[:2], 'big')
                if len(self._plaintext) >= size:
                    query = Query(self, bytes(self._plaintext[2:size]))
                    del self._plaintext[:size]
                    self._note_query(query)
                    return query
            data = await self.read()
            if not data:
                return None
            self._plaintext += data

    async def query(self):
        """The next query; Gone when the client closes."""
        query = await self.next_query()
        if query is None:
            raise Gone('close_notify')
        return query

    def _note_query(self, query):
        self.queries.append(query)
        self.server.queries.append(query)
        self.server.changed()

    # ---- the way out

    def encrypt(self, plaintext):
        """Ciphertext of the plaintext, in as few records as it takes."""
        for at in range(0, len(plaintext), 16384):
            self.tls.write(plaintext[at:at + 16384])
        return self._out.read()

    async def send_raw(self, data):
        if not data:
            return
        try:
            await self.loop.sock_sendall(self.sock, data)
        except OSError as e:
            raise Gone(str(e)) from e

    async def send(self, *messages):
        """The messages, framed, in one record and one segment if they fit."""
        await self.send_plain(b''.join(frame(m) for m in messages))

    async def send_plain(self, data):
        held, self.held = self.held, b''
        await self.send_raw(held + self.encrypt(data))

    async def send_pieces(self, pieces):
        """Each piece in a record of its own, in a segment of its own."""
        for piece in pieces:
            await self.send_plain(piece)
            await asyncio.sleep(0)

    async def send_raw_pieces(self, data, size):
        """Ciphertext in segments of so many octets."""
        for at in range(0, len(data), size):
            await self.send_raw(data[at:at + size])
            await asyncio.sleep(0)

    def new_ticket(self):
        """Queue a TLS 1.3 session ticket; it leaves with the next send.

        Python's ssl module has no call for it, so OpenSSL's own is called.
        The session is the second pointer of the interpreter's object.
        """
        inner = ctypes.c_void_p.from_address(
            id(self.tls._sslobj) + object.__basicsize__
            + ctypes.sizeof(ctypes.c_void_p)).value
        library = ctypes.CDLL(ctypes.util.find_library('ssl'))
        library.SSL_version.argtypes = [ctypes.c_void_p]
        library.SSL_new_session_ticket.argtypes = [ctypes.c_void_p]
        assert library.SSL_version(inner) == 0x0304
        assert library.SSL_new_session_ticket(inner) == 1

    def answer_to(self, query, change=None):
        """The zone's answer as octets; change(message) may spoil it first."""
        response = self.server.zone.respond(query.message)
        if change:
            change(response)
        return response.to_wire(max_size=65535)

    async def answer(self, query, change=None):
        await self.send(self.answer_to(query, change))

    # ---- the end

    async def stall(self):
        """Say and read nothing more, until the server stops."""
        await asyncio.Event().wait()

    def reset(self):
        """RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
        self._close_socket()

    async def close(self, notify=True):
        """close_notify (unless told not to), then FIN."""
        if notify and self.is_handshaken:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            try:
                await self.send_raw(self._out.read())
            except Gone:
                pass
        self._close_socket()

    def _close_socket(self):
        """Also from outside of the script, which then ends: the event loop
        must forget the descriptor before it is given to another."""
        self.is_closed = True
        self.loop.remove_reader(self.sock)
        self.loop.remove_writer(self.sock)
        self.sock.close()
        if asyncio.current_task() is not self.task:
            self.task.cancel()
        self.server.changed()


def frame(message):
    return len(message).to_bytes(2, 'big') + message


async def serve(conn):
    """The well-behaved server: every query answered as it comes."""
    await conn.handshake()
    while True:
        await conn.answer(await conn.query())


class Server:
    """script: for every connection, or a list: one each, the last for all
    further ones."""

    def __init__(self, leaf, script=serve, *, address='127.0.0.1', port=0,
                 versions=(TLS12, TLS13), ciphers=None, alpn=('dot',),
                 tickets=2, name='dot.example'):
        self.script = script
        self.zone = Zone()
        self.name = name
        self.queries = []
        self.connections = []
        self.errors = []
        self.sni_of = {}
        self._condition = threading.Condition()
        self._tasks = set()
        self.set_leaf(leaf, versions, ciphers, alpn, tickets)
        self._bind(address, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def set_leaf(self, leaf, versions=(TLS12, TLS13), ciphers=None,
                 alpn=('dot',), tickets=2):
        """The certificate of connections from now on; forgets all tickets."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            context.minimum_version, context.maximum_version = versions
        context.load_cert_chain(leaf.chain_file, leaf.key_file)
        context.set_ciphers(ciphers or 'DEFAULT')
        if alpn:
            context.set_alpn_protocols(list(alpn))
        context.num_tickets = tickets
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
        context.sni_callback = self._on_sni
        self.context = context

    def _bind(self, address, port):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A port that was asked for by number is kept by down() and up().
        self.sock.bind((address, port or free_port(address)))
        self.sock.setblocking(False)
        self.ip, self.port = self.sock.getsockname()[:2]
        shown = f'[{self.ip}]' if ':' in self.ip else self.ip
        self.address = f'{shown}:{self.port}'

    @property
    def entry(self):
        """As dotstub's configuration names it."""
        return self.address + (f'#{self.name}' if self.name else '')

    def _on_sni(self, tls, name, _context):
        self.sni_of[id(tls)] = name

    # ---- life

    def start(self):
        self.sock.listen(1024)
        self._thread.start()
        return self

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._accept_handle = self._loop.add_reader(self.sock, self._accept)
        self._loop.run_forever()

    def stop(self):
        if self._thread.is_alive():
            self._in_loop(self._stop_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self.sock.close()

    async def _stop_all(self):
        self._loop.remove_reader(self.sock)
        await self._cancel_tasks()

    async def _cancel_tasks(self):
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _in_loop(self, coroutine, timeout_s=PATIENCE_S):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self._loop).result(timeout_s)

    def _accept(self):
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._run_script(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _script_for(self, number):
        if isinstance(self.script, (list, tuple)):
            return self.script[min(number, len(self.script) - 1)]
        return self.script

    async def _run_script(self, sock):
        try:
            conn = Conn(self, sock, len(self.connections))
        except OSError:  # gone before it was looked at
            sock.close()
            return
        self.connections.append(conn)
        self.changed()
        try:
            await self._script_for(conn.number)(conn)
        except (Gone, asyncio.CancelledError):
            pass
        except Exception as e:  # a mistake of the test's own script
            self.errors.append(e)
        finally:
            if not conn.is_closed:
                await conn.close()

    # ---- faults of the whole server

    def down(self):
        """Refuse connections and reset the open ones; the port stays ours."""
        async def go():
            self._loop.remove_reader(self.sock)
            self.sock.shutdown(socket.SHUT_RDWR)
            for conn in self.connections:
                if not conn.is_closed:
                    conn.reset()
            await self._cancel_tasks()
        self._in_loop(go())

    def up(self):
        async def go():
            self.sock.listen(1024)
            self._loop.add_reader(self.sock, self._accept)
        self._in_loop(go())

    def each_open(self, act):
        """Run act(conn) (a function or a coroutine function) on all."""
        async def go():
            for conn in [c for c in self.connections if not c.is_closed]:
                result = act(conn)
                if asyncio.iscoroutine(result):
                    await result
        self._in_loop(go())

    # ---- what was seen

    def changed(self):
        with self._condition:
            self._condition.notify_all()

    def wait(self, condition, timeout_s=5, what='what the test waits for'):
        """Wait until condition(self) is true; its value. timeout_s is for a
        quiet machine, as that of wait_until()."""
        timeout_s *= PATIENCE
        end = time.monotonic() + timeout_s
        with self._condition:
            while True:
                value = condition(self)
                if value:
                    return value
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f'not within {timeout_s} s: {what}; '
                        f'{self.summary()}')
                self._condition.wait(min(left, 0.05))

    def wait_ready(self, count=1, timeout_s=5):
        """Wait for so many verified connections."""
        self.wait(lambda s: len(s.ready) >= count, timeout_s,
                  f'{count} connection(s) ready')

    @property
    def ready(self):
        return [c for c in self.connections if c.is_handshaken]

    @property
    def open(self):
        return [c for c in self.connections if not c.is_closed]

    @property
    def plaintext(self):
        """All octets of application data, of all connections."""
        return b''.join(b''.join(c.records) for c in self.connections)

    def names(self):
        return [q.name for q in self.queries]

    def summary(self):
        return (f'{len(self.connections)} connections, '
                f'{len(self.ready)} ready, {len(self.queries)} queries')

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None and self.errors:
            raise self.errors[0]


def main():
    """Run a server by itself: dotd.py LEAF.pem LEAF.key [ADDRESS [PORT]]."""
    import sys
    import types
    leaf = types.SimpleNamespace(chain_file=sys.argv[1], key_file=sys.argv[2])
    address = sys.argv[3] if len(sys.argv) > 3 else '127.0.0.1'
    port = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    with Server(leaf, address=address, port=port) as server:
        print(server.address, flush=True)
        seen = 0
        while True:
            server.wait(lambda s: len(s.queries) > seen, timeout_s=1e6)
            while seen < len(server.queries):
                print(server.queries[seen].name, flush=True)
                seen += 1


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        pass
