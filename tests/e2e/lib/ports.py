"""Free ports on loopback, for programs that cannot be told to take port 0.

They lie below the range the kernel gives to outgoing connections, so that
nobody gets one by accident between our look and the program's bind(). The
range is cut into slots, and each process of the tests has one for itself, so
that those that run side by side do not take each other's either; within it
none is given a second time before all the others were.
"""
import collections
import random
import socket

_SLOTS = 64
_random = random.SystemRandom()
_slot = None  # ports, and the socket that holds them for us


def _range():
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
            top = int(f.read().split()[0])
    except (OSError, ValueError):
        top = 32768
    return range(10000, top) if top > 12000 else range(20000, 60000)


def _claim():
    """A name in the abstract space of unix sockets is held by one process of
    this network, and free again when that ends, however it does."""
    ports = _range()
    for k in _random.sample(range(_SLOTS), _SLOTS):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(f'\0dotstub-tests-ports-{k}')
        except OSError:
            holder.close()
            continue
        ours = list(ports[k::_SLOTS])
        _random.shuffle(ours)
        return collections.deque(ours), holder
    return collections.deque(_random.sample(ports, len(ports))), None


def _is_free(port, addresses):
    for address in addresses:
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as s:
                try:
                    s.bind((address, port))
                except OSError:
                    return False
    return True


def free_port(*addresses):
    """A port free for UDP and for TCP on all addresses (127.0.0.1)."""
    global _slot
    _slot = _slot or _claim()
    addresses = addresses or ('127.0.0.1',)
    ports = _slot[0]
    for _ in range(len(ports)):
        port = ports.popleft()
        ports.append(port)
        if _is_free(port, addresses):
            return port
    raise RuntimeError('no free port found on ' + ', '.join(addresses))
