#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A little at a time, both ways, over several connections at once, and who waited for it:

  paced.py listen PORT ADDRESS...       one connection to each ADDRESS is accepted
  paced.py connect PORT ADDRESS...      one to each is made
  SIGTERM                               no more is sent; ends when all has come

Each end sends SIZE bytes every PERIOD over each connection, and says how long it has
got nothing where that was longer than REPORT:

  gap ADDRESS MS since SECONDS          of the epoch
  resent ADDRESS SEGMENTS at SECONDS    by TCP
  total ADDRESS SENT RECEIVED           in the end; or why it failed
"""

import selectors
import signal
import socket
import struct
import sys
import time

PERIOD = 0.02       # seconds
REPORT = 0.05       # seconds
SIZE = 4096
TOTAL_RETRANS = 100     # offset in struct tcp_info
CYCLE = 251
PATTERN = bytes(i * 7 % CYCLE for i in range(CYCLE)) * (2 * SIZE // CYCLE + 2)


class Conn:
    """What is known of one connection."""

    def __init__(self, sock, name):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.name = sock, name
        self.due = self.sent = self.received = 0
        self.heard = time.time()
        self.resent = 0
        self.is_open = True

    def send(self):
        while self.sent < self.due:
            start = self.sent % CYCLE
            try:
                size = min(SIZE, self.due - self.sent)
                self.sent += self.sock.send(PATTERN[start:start + size])
            except BlockingIOError:
                return

    def look(self):
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        resent, = struct.unpack_from("I", info, TOTAL_RETRANS)
        if resent != self.resent:
            print(f"resent {self.name} {resent - self.resent} at {time.time():.3f}")
            self.resent = resent

    def receive(self):
        try:
            data = self.sock.recv(2 * SIZE)
        except BlockingIOError:
            return
        now = time.time()
        if now - self.heard > REPORT:
            print(f"gap {self.name} {round((now - self.heard) * 1000)} since {self.heard:.3f}")
        self.heard = now
        if not data:
            self.is_open = False
            return
        start = self.received % CYCLE
        if data != PATTERN[start:start + len(data)]:
            raise ValueError(f"wrong bytes behind {self.received}")
        self.received += len(data)


def establish(role, port, addresses):
    if role == "connect":
        return [Conn(socket.create_connection((address, port), 30), address)
                for address in addresses]
    listeners = [socket.create_server((address, port)) for address in addresses]
    print("listening")
    return [Conn(listener.accept()[0], address)
            for listener, address in zip(listeners, addresses)]


class Pace:
    """All connections, until both ends have ended."""

    def __init__(self, conns):
        self.conns = conns
        self.is_ending = False
        self.selector = selectors.DefaultSelector()
        for conn in conns:
            self.selector.register(conn.sock, selectors.EVENT_READ, conn)

    def end(self, *_):
        self.is_ending = True

    def _tick(self):
        for conn in self.conns:
            if not self.is_ending:
                conn.due += SIZE
            conn.send()
            conn.look()

    def _half_close(self, conns):
        """Where all is sent. Return: those that still have something to send."""
        for conn in [c for c in conns if c.sent == c.due]:
            conn.sock.shutdown(socket.SHUT_WR)
        return [c for c in conns if c.sent != c.due]

    def run(self):
        following, closing = time.monotonic() + PERIOD, self.conns
        while any(conn.is_open for conn in self.conns) or closing:
            for key, _ in self.selector.select(max(0, following - time.monotonic())):
                key.data.receive()
                if not key.data.is_open:
                    self.selector.unregister(key.fileobj)
                    self.is_ending = True
            if time.monotonic() >= following:
                following = max(following + PERIOD, time.monotonic())
                self._tick()
                if self.is_ending and closing:
                    closing = self._half_close(closing)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    role, port, *addresses = sys.argv[1:]
    pace = Pace(establish(role, int(port), addresses))
    signal.signal(signal.SIGTERM, pace.end)
    pace.run()
    for conn in pace.conns:
        print(f"total {conn.name} {conn.sent} {conn.received}")


main()
