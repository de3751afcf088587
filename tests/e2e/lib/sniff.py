"""Everything that crosses loopback of this network namespace, to a file:
each packet behind its length in four octets. Ends on SIGTERM."""
import socket
import sys

from lib.client import want_buffer

ETH_P_ALL = 3


def main():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                         socket.htons(ETH_P_ALL))
    want_buffer(sock, 4 << 20)
    sock.bind(('lo', 0))
    print('listening', flush=True)
    with open(sys.argv[1], 'wb', buffering=0) as out:
        while True:
            packet = sock.recv(1 << 17)
            out.write(len(packet).to_bytes(4, 'big') + packet)


if __name__ == '__main__':
    main()
