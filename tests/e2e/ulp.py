#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections whose sockets are given back to TCP while they are being offered to the ring.

  ulp.py listen PORT NUMBER             serves NUMBER connections
  ulp.py connect ADDRESS PORT NUMBER    makes them, one after the other

Both send small messages and compare what comes. The side that connects asks for a
protocol upon TCP (TCP_ULP) at another moment in each, around the offer.
"""

import errno
import random
import socket
import sys
import threading
import time

TCP_ULP = 31
MESSAGES, SIZE = 40, 100
CONTENT = random.Random(1).randbytes(MESSAGES * SIZE)


class Hearer(threading.Thread):
    def __init__(self, sock):
        super().__init__()
        self.sock = sock
        self.error = None
        self.start()

    def run(self):
        data = bytearray()
        try:
            while got := self.sock.recv(1 << 16):
                data += got
        except OSError as error:
            self.error = error
        if data != CONTENT:
            self.error = f"{len(data)} bytes of {len(CONTENT)}, or others: {self.error}"

    def end(self):
        self.join()
        if self.error:
            sys.exit(self.error)


def ask_for_ulp(sock):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"nothing")
    except OSError as error:
        if error.errno != errno.ENOENT:     # there is no such protocol
            raise


def converse(sock, ask_at=-1, pause=0.0):
    sock.settimeout(100)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hearer = Hearer(sock)
    for n in range(MESSAGES):
        if n == ask_at:
            time.sleep(pause)
            ask_for_ulp(sock)
        sock.sendall(CONTENT[n * SIZE:(n + 1) * SIZE])
    sock.shutdown(socket.SHUT_WR)
    hearer.end()
    sock.close()


def listen(port, number):
    server = socket.create_server(("", port))
    server.settimeout(100)
    for _ in range(number):
        converse(server.accept()[0])


def connect(address, port, number):
    for n in range(number):
        sock = socket.create_connection((address, port), 10)
        converse(sock, 3 + n % 3, (n // 3) % 10 * 0.0003)


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]), int(sys.argv[3]))
else:
    connect(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
