# SPDX-License-Identifier: GPL-2.0-only
"""poll and epoll: which events, when, how often."""

import fcntl
import os
import select
import signal
import socket
import struct
import time

from row import row
from side import receive

NAMES = {"IN": 1, "PRI": 2, "OUT": 4, "ERR": 8, "HUP": 16, "RDNORM": 64, "WRNORM": 256,
         "RDHUP": 0x2000}
ALL = (select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP | 64 | 256)
LINGER_0 = struct.pack("ii", 1, 0)


def mask(bits):
    return "|".join(name for name, bit in NAMES.items() if bits & bit) or "none"


def polled(s, wait=0):
    """The events of a socket; waits for the first ones up to WAIT seconds."""
    poll = select.poll()
    poll.register(s, ALL)
    found = poll.poll(wait * 1000)
    return mask(found[0][1]) if found else "none"


def until(s, events, wait=15):
    """Poll until just EVENTS are there, or else what is."""
    end = time.monotonic() + wait
    while (now := polled(s)) != events and time.monotonic() < end:
        time.sleep(0.02)
    return now


@row("poll: idle, data, full window, end of the peer's half, both halves")
class Poll:
    def client(t, s):
        t.note("idle", polled(s))
        t.sync()
        t.note("data", until(s, "IN|OUT|RDNORM|WRNORM"))
        t.note("recv", s.recv(10))
        t.note("read", polled(s))
        sent = t.fill(s)
        t.note("full", polled(s))
        t.sync(sent)
        t.note("space again", until(s, "OUT|WRNORM"))
        t.sync()
        t.note("half-closed", until(s, "IN|OUT|RDNORM|WRNORM|RDHUP"))
        t.note("recv", s.recv(10))
        s.shutdown(socket.SHUT_WR)
        t.note("both halves", until(s, "IN|OUT|HUP|RDNORM|WRNORM|RDHUP"))
        t.sync()

    def server(t, s):
        t.sync()
        s.send(b"data")
        receive(s, t.sync())
        t.sync()
        s.shutdown(socket.SHUT_WR)
        t.sync()
        t.note("at the peer", until(s, "IN|OUT|HUP|RDNORM|WRNORM|RDHUP"))


@row("poll after a reset: ERR and HUP, SO_ERROR once")
class PollReset:
    def client(t, s):
        s.send(b"bytes")
        t.sync()
        t.sync()
        t.note("reset", until(s, "IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP"))
        t.note("SO_ERROR", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        t.note("SO_ERROR again", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        t.note("afterwards", polled(s))
        t.note_call("recv", s.recv, 10)
        t.note_call("send", s.send, b"x")

    def server(t, s):
        t.sync()
        t.note("recv", receive(s, 5))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        s.close()
        t.sync()


@row("epoll level-triggered: again and again while there is data")
class Level:
    def client(t, s):
        ep = select.epoll()
        ep.register(s, select.EPOLLIN)
        t.note("idle", ep.poll(0))
        t.sync()
        for _ in range(3):
            t.note("event", [mask(m) for _, m in ep.poll(5)])
        t.note("a part", s.recv(2))
        t.note("event", [mask(m) for _, m in ep.poll(5)])
        t.note("the rest", s.recv(10))
        t.note("idle", ep.poll(0.1))

    def server(t, s):
        t.sync()
        s.send(b"abcd")


@row("epoll edge-triggered: once for each arrival, not for what was left")
class Edge:
    def client(t, s):
        ep = select.epoll()
        ep.register(s, select.EPOLLIN | select.EPOLLET)
        for _ in range(3):
            t.sync()
            t.note("event", [mask(m) for _, m in ep.poll(5)])
            t.note("no more", ep.poll(0.15))
        t.note("all", receive(s, 12))
        t.note("no more", ep.poll(0.15))

    def server(t, s):
        for _ in range(3):
            t.sync()
            s.send(b"abcd")


@row("epoll EPOLLONESHOT: silent until it is armed again")
class OneShot:
    def client(t, s):
        ep = select.epoll()
        ep.register(s, select.EPOLLIN | select.EPOLLONESHOT)
        t.sync()
        t.note("event", [mask(m) for _, m in ep.poll(5)])
        t.sync()
        t.sync()
        t.note("silent", ep.poll(0.2))
        ep.modify(s, select.EPOLLIN | select.EPOLLONESHOT)
        t.note("armed", [mask(m) for _, m in ep.poll(5)])
        t.note("all", receive(s, 8))

    def server(t, s):
        t.sync()
        s.send(b"abcd")
        t.sync()
        s.send(b"efgh")
        t.sync()


@row("EPOLLOUT edge-triggered after a full window: once, when the reader reads")
class EdgeOut:
    def client(t, s):
        ep = select.epoll()
        ep.register(s, select.EPOLLOUT | select.EPOLLET)
        t.note("first", [mask(m) for _, m in ep.poll(1)])
        sent = t.fill(s)
        while ep.poll(0):
            sent += t.fill(s)
        t.note("full", ep.poll(0.3))
        t.sync(sent)
        t.note("space", [mask(m) for _, m in ep.poll(10)])
        t.note_call("send", s.send, b"x" * 1000)
        t.sync()

    def server(t, s):
        t.note("all", len(receive(s, (sent := t.sync()))) == sent)
        t.note("and more", receive(s, 1000))
        t.sync()


@row("EPOLLOUT level-triggered on a full window: a writer and a reader through 4 MiB")
class LevelOut:
    def client(t, s):
        s.setblocking(False)
        ep = select.epoll()
        ep.register(s, select.EPOLLOUT)
        left = memoryview(bytes(range(256)) * (4 << 12))
        waits = 0
        while left:
            try:
                left = left[s.send(left):]
            except BlockingIOError:
                waits += 1
                if not ep.poll(5):
                    t.note("no EPOLLOUT within 5 s")
                    break
        t.note("waited", waits > 0)
        t.sync()

    def server(t, s):
        time.sleep(0.2)
        t.note("all", receive(s, 4 << 20, 1 << 18))
        t.sync()


@row("EPOLLRDHUP and EPOLLHUP: each when it is due")
class HangUp:
    def client(t, s):
        ep = select.epoll()
        ep.register(s, select.EPOLLRDHUP | select.EPOLLET)
        t.note("idle", ep.poll(0))
        t.sync()
        t.note("FIN", [mask(m) for _, m in ep.poll(5)])
        t.note("unread bytes", receive(s, 100))
        s.shutdown(socket.SHUT_WR)
        t.note("HUP", [mask(m) for _, m in ep.poll(5)])
        t.sync()

    def server(t, s):
        t.sync()
        s.send(b"last words")
        s.shutdown(socket.SHUT_WR)
        t.sync()


@row("O_ASYNC: SIGIO when data comes")
class Sigio:
    def client(t, s):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(s, fcntl.F_SETFL, fcntl.fcntl(s, fcntl.F_GETFL) | os.O_ASYNC)
        t.note("before", signal.sigtimedwait([signal.SIGIO], 0.1))
        t.sync()
        info = signal.sigtimedwait([signal.SIGIO], 5)
        t.note("signal", info and info.si_signo == signal.SIGIO)
        t.note("recv", receive(s, 4))

    def server(t, s):
        t.sync()
        s.send(b"data")
