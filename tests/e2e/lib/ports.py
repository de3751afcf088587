"""Free ports on loopback, for programs that cannot be told to take port 0.

They are taken at random from below the range the kernel gives to outgoing
connections, so that nobody gets one by accident between our look and the
program's bind().
"""
import random
import socket

_random = random.SystemRandom()


def _floor_of_ephemeral():
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range') as f:
            return int(f.read().split()[0])
    except (OSError, ValueError):
        return 32768


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
    addresses = addresses or ('127.0.0.1',)
    top = _floor_of_ephemeral()
    low, high = (10000, top) if top > 12000 else (20000, 60000)
    for _ in range(200):
        port = _random.randrange(low, high)
        if _is_free(port, addresses):
            return port
    raise RuntimeError('no free port found on ' + ', '.join(addresses))
