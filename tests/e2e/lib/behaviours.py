"""Scripts for dotd: what a DoT server may do to its clients.

Each is a coroutine of one connection, or a function that makes one.
"""
import asyncio
import time

import dns.rcode

from lib.dotd import Gone, frame, serve  # noqa: F401


# ---- stalls and resets at each step

async def stall_accept(conn):
    """Accepted by the kernel; not one octet comes back."""
    await conn.stall()


async def stall_in_handshake(conn):
    """A part of the server's first flight, then silence."""
    await conn.handshake(stop_after=100)
    await conn.stall()


async def stall_after_handshake(conn):
    await conn.handshake()
    await conn.stall()


async def stall_after_query(conn):
    await conn.handshake()
    await conn.query()
    await conn.stall()


async def stall_in_answer(conn):
    """Half of the answer, then silence."""
    await conn.handshake()
    answer = frame(conn.answer_to(await conn.query()))
    await conn.send_plain(answer[:len(answer) // 2])
    await conn.stall()


async def reset_accept(conn):
    conn.reset()


async def reset_in_handshake(conn):
    await conn.handshake(stop_after=100)
    conn.reset()


async def reset_after_handshake(conn):
    await conn.handshake()
    conn.reset()


async def reset_after_query(conn):
    await conn.handshake()
    await conn.query()
    conn.reset()


async def reset_in_answer(conn):
    await conn.handshake()
    answer = frame(conn.answer_to(await conn.query()))
    await conn.send_plain(answer[:len(answer) // 2])
    conn.reset()


STALLS = [stall_accept, stall_in_handshake, stall_after_handshake,
          stall_after_query, stall_in_answer]
RESETS = [reset_accept, reset_in_handshake, reset_after_handshake,
          reset_after_query, reset_in_answer]


# ---- closes

async def close_after_query(conn):
    """A proper close while a query waits."""
    await conn.handshake()
    await conn.query()
    await conn.close()


async def close_without_notify(conn):
    """A truncation: FIN without close_notify while a query waits."""
    await conn.handshake()
    await conn.query()
    await conn.close(notify=False)


async def close_mid_frame(conn):
    await conn.handshake()
    answer = frame(conn.answer_to(await conn.query()))
    await conn.send_plain(answer[:5])
    await conn.close()


def close_after(count):
    """Answer so many queries, then close."""
    async def script(conn):
        await conn.handshake()
        for _ in range(count):
            query = await conn.query()
            await conn.answer(query)
        await conn.close()
    return script


# ---- wrong answers

def answering(make):
    """make(conn, query) gives the octets to send in place of an answer."""
    async def script(conn):
        await conn.handshake()
        while True:
            query = await conn.query()
            await conn.send_plain(make(conn, query))
    return script


def wrong_id(conn, query):
    answer = bytearray(conn.answer_to(query))
    answer[0] ^= 0x55
    return frame(bytes(answer))


def wrong_name(conn, query):
    answer = conn.answer_to(query)
    label = query.message.question[0].name.labels[0]
    return frame(answer.replace(label, b'x' * len(label)))


def wrong_type(conn, query):
    answer = bytearray(conn.answer_to(query))
    end = 12 + len(query.message.question[0].name.to_wire())
    answer[end + 1] ^= 0x20
    return frame(bytes(answer))


def no_question(conn, query):
    """RCODE NOERROR without a question section."""
    return frame(query.wire[:2] + bytes.fromhex('81800000000000000000'))


def not_a_response(conn, query):
    """The query itself comes back, QR clear."""
    return frame(query.wire)


def garbage(conn, query):
    return frame(b'\xff' * 200)


def short_frame(conn, query):
    return b'\x00\x05hello'


def empty_frame(conn, query):
    return b'\x00\x00'


def not_dns_at_all(conn, query):
    return b'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'


def cut_header(conn, query):
    return frame(conn.answer_to(query)[:11])


def counts_lie(conn, query):
    """ANCOUNT says 65,535, one record is there."""
    answer = bytearray(conn.answer_to(query))
    answer[6:8] = b'\xff\xff'
    return frame(bytes(answer))


WRONG = [wrong_id, wrong_name, wrong_type, no_question, not_a_response,
         garbage, short_frame, empty_frame, not_dns_at_all, cut_header]


def rcode(code):
    """Answer every query with this response code and nothing else."""
    def spoil(message):
        message.answer = []
        message.authority = []
        message.set_rcode(code)

    def make(conn, query):
        return frame(conn.answer_to(query, spoil))
    return answering(make)


servfail = rcode(dns.rcode.SERVFAIL)


# ---- right answers in odd ways

def cut_at(size):
    """Every answer in TLS records of so many octets."""
    async def script(conn):
        await conn.handshake()
        while True:
            query = await conn.query()
            data = frame(conn.answer_to(query))
            await conn.send_pieces(data[i:i + size]
                                   for i in range(0, len(data), size))
    return script


def segments_of(size):
    """Every answer in TCP segments of so many octets: records are cut."""
    async def script(conn):
        await conn.handshake()
        while True:
            query = await conn.query()
            data = conn.encrypt(frame(conn.answer_to(query)))
            await conn.send_raw_pieces(data, size)
    return script


def batch(count, order=None):
    """Wait for so many queries, then answer all of them in one record.

    order(list) arranges the answers; the default is last in, first out.
    """
    async def script(conn):
        await conn.handshake()
        while True:
            queries = []
            while len(queries) < count:
                query = await conn.query()
                queries.append(query)
            answers = [conn.answer_to(q) for q in queries]
            answers = order(answers) if order else answers[::-1]
            await conn.send(*answers)
    return script


def delayed(delay_s):
    """Answers late, each on its own: others are not held up."""
    async def script(conn):
        await conn.handshake()
        pending = set()

        async def later(query):
            await asyncio.sleep(delay_s)
            await conn.answer(query)
        while True:
            task = asyncio.create_task(later(await conn.query()))
            pending.add(task)
            task.add_done_callback(pending.discard)
    return script


def quick_answer(query):
    """One A record, made of octets: a loaded machine has enough to do."""
    wire = query.wire
    end = wire.index(b'\0', 12) + 5
    return (wire[:2] + b'\x81\x80\0\1\0\1\0\0\0\0' + wire[12:end]
            + bytes.fromhex('c00c00010001000003840004c0000201'))


def serving(delay_of=lambda number: 0.02, idle_s=None):
    """Answers each query delay_of(its number on the server) seconds late, or
    never (None); closes a connection that was idle for idle_s. Notes when
    connections became ready, and when they ended."""
    async def script(conn):
        await conn.handshake()
        conn.ready_at = time.monotonic()
        conn.ended_at = None
        tasks = set()

        async def later(query, delay_s):
            await asyncio.sleep(delay_s)
            try:
                await conn.send(quick_answer(query))
            except Gone:
                pass
        try:
            while True:
                query = await asyncio.wait_for(conn.query(), idle_s)
                delay_s = delay_of(len(conn.server.queries) - 1)
                if delay_s is not None:
                    task = asyncio.create_task(later(query, delay_s))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except asyncio.TimeoutError:
            pass
        finally:
            conn.ended_at = time.monotonic()
            for task in tasks:
                task.cancel()
    return script


def dropping(is_dropped):
    """Leave queries without an answer; is_dropped(number, query)."""
    async def script(conn):
        await conn.handshake()
        number = 0
        while True:
            query = await conn.query()
            if not is_dropped(number, query):
                await conn.answer(query)
            number += 1
    return script


async def twice(conn):
    """Every answer comes two times."""
    await conn.handshake()
    while True:
        query = await conn.query()
        answer = conn.answer_to(query)
        await conn.send(answer, answer)


async def unasked(conn):
    """Before every answer one that nobody asked for, with a free ID."""
    await conn.handshake()
    while True:
        query = await conn.query()
        answer = conn.answer_to(query)
        await conn.send(bytes([answer[0], answer[1] ^ 1]) + answer[2:],
                        answer)


async def ticket_with_answer(conn):
    """The tickets of the handshake and the first answer in one segment."""
    await conn.handshake(hold_tickets=True)
    await _serve_on(conn)


async def ticket_in_the_middle(conn):
    """A new session ticket between the two halves of every answer."""
    await conn.handshake()
    while True:
        query = await conn.query()
        data = frame(conn.answer_to(query))
        await conn.send_plain(data[:7])
        conn.new_ticket()
        await conn.send_plain(data[7:])


async def _serve_on(conn):
    while True:
        await conn.answer(await conn.query())


def gate(event):
    """Serve, but answer nothing before event (threading.Event) is set."""
    async def script(conn):
        await conn.handshake()
        waiting = []

        async def release():
            while not event.is_set():
                await asyncio.sleep(0.005)
            while waiting:
                await conn.answer(waiting.pop(0))
        task = asyncio.create_task(release())
        try:
            while True:
                query = await conn.query()
                if event.is_set():
                    await conn.answer(query)
                else:
                    waiting.append(query)
        finally:
            task.cancel()
    return script



# ---- for the cache

def changing(change):
    """Every answer is the zone's, after change(message)."""
    return answering(lambda conn, query: frame(conn.answer_to(query, change)))


def lasting(ttl_s):
    """Every record, and what the SOA says of "no", lasts so long."""
    def change(message):
        for rrset in message.answer + message.authority + message.additional:
            rrset.ttl = ttl_s
            for soa in [r for r in rrset if hasattr(r, 'minimum')]:
                rrset.remove(soa)
                rrset.add(soa.replace(minimum=ttl_s), ttl_s)
    return changing(change)


def while_set(event, change=None):
    """Answers while event (threading.Event) is set, and what came while it
    was not as soon as it is; each query for itself."""
    async def script(conn):
        await conn.handshake()
        tasks = []

        async def later(query):
            while not event.is_set():
                await asyncio.sleep(0.005)
            await conn.answer(query, change)
        try:
            while True:
                query = await conn.query()
                if event.is_set():
                    await conn.answer(query, change)
                else:
                    tasks.append(asyncio.create_task(later(query)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return script


async def bulk(conn):
    """One A record for whatever is asked, as fast as Python goes: made of
    octets, nothing noted."""
    await conn.handshake()
    rest = bytearray()
    record = bytes.fromhex('c00c00010001000003840004c0000201')
    while data := await conn.read():
        rest += data
        out, at = [], 0
        while len(rest) - at >= 2:
            end = at + 2 + int.from_bytes(rest[at:at + 2], 'big')
            if end > len(rest):
                break
            # The question ends where the OPT record of dotstub begins.
            question_end = rest.index(b'\0', at + 14) + 5
            out.append(frame(
                bytes(rest[at + 2:at + 4])
                + b'\x81\x80\0\1\0\1\0\0\0\0'
                + bytes(rest[at + 14:question_end]) + record))
            at = end
        del rest[:at]
        conn.records.clear()
        conn.raw.clear()
        await conn.send_plain(b''.join(out))
