# SPDX-License-Identifier: GPL-2.0-only
"""What the two sides say to each other beside the connections under test.

TCP between link-local addresses: vmc doesn't know them. One JSON line a message, and a
line is taken whole or not at all, so that a row's process may be killed at any moment and
its parent goes on with the same socket.
"""

import json
import select
import socket
import time

PORT = 7900


class PeerIsOver(Exception):
    """The other side's half of the row has ended."""


class Control:
    """One side's end. Messages of earlier rows are dropped, those of later ones wait."""

    def __init__(self, sock):
        self.sock = sock
        self.row = -1
        self.buffer_end = 0

    @classmethod
    def listen(cls, scope, wait):
        with socket.socket(socket.AF_INET6) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::", PORT, 0, scope))
            listener.listen()
            listener.settimeout(wait)
            sock, _ = listener.accept()
        return cls(cls._prepare(sock))

    @classmethod
    def connect(cls, address, scope, wait):
        end = time.monotonic() + wait
        while True:
            sock = socket.socket(socket.AF_INET6)
            sock.settimeout(5)
            try:
                sock.connect((address, PORT, 0, scope))
                return cls(cls._prepare(sock))
            except OSError:
                sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    @staticmethod
    def _prepare(sock):
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def send(self, kind, value=None):
        line = json.dumps({"row": self.row, "kind": kind, "value": value}) + "\n"
        self.sock.sendall(line.encode())

    def _peek(self, end):
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("the other side says nothing")
            data = self.sock.recv(1 << 20, socket.MSG_PEEK)
            if not data:
                raise ConnectionError("the other side is gone")
            line, newline, _ = data.partition(b"\n")
            if newline:
                return json.loads(line), len(line) + 1
            time.sleep(0.005)

    def receive(self, kind, wait):
        """The value of the peer's next message of KIND in this row."""
        end = time.monotonic() + wait
        while True:
            message, size = self._peek(end)
            if message["row"] == self.row and message["kind"] != kind:
                if message["kind"] == "over":
                    raise PeerIsOver("the other side has ended the row")
            elif message["row"] > self.row:
                raise RuntimeError(f"the other side is in row {message['row']}")
            self.sock.recv(size, socket.MSG_WAITALL)
            if message["row"] == self.row and message["kind"] == kind:
                return message["value"]
