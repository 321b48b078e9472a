# SPDX-License-Identifier: GPL-2.0-only
"""How connections end: shutdown, close, linger, reset, exit, a kill."""

import os
import signal
import socket
import struct
import time

from native import libc
from row import row
from side import drain, is_filled, pattern, readable, receive

LINGER = socket.SOL_SOCKET, socket.SO_LINGER
SIZE = 1 << 20


def after_reset(t, s):
    """All that the calls say about a connection that was reset."""
    t.note_call("recv", s.recv, 10)
    t.note_call("recv again", s.recv, 10)
    t.note_call("send", s.send, b"x")
    t.note_call("getpeername", lambda: bool(s.getpeername()))


@row("shutdown of the writing half: all bytes, the end, and the other half goes on")
class ShutWr:
    def client(t, s):
        data = pattern(SIZE)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        t.note_call("send", s.send, b"x")
        t.note("recv", receive(s, 100000))
        t.note("end", s.recv(1))

    def server(t, s):
        data, end = drain(s)
        t.note("received", data, end)
        s.sendall(b"y" * 100000)
        s.close()


@row("shutdown of the reading half: what is there and what comes later, and the writer")
class ShutRd:
    def client(t, s):
        t.sync()
        t.note("readable", readable(s, 5))
        s.shutdown(socket.SHUT_RD)
        t.note("recv", s.recv(100))
        t.note("recv", s.recv(100))
        t.sync()
        t.sync()
        time.sleep(0.2)
        t.note("later bytes", s.recv(100), s.recv(100))
        t.note_call("send", s.send, b"still")
        t.sync()

    def server(t, s):
        t.sync()
        s.sendall(b"before")
        t.sync()
        t.note_call("send", s.send, b"after")
        time.sleep(0.1)
        t.note_call("send", s.send, b"after")
        t.sync()
        t.note("recv", receive(s, 5))
        t.sync()


@row("shutdown of both halves at once, with bytes under way to us")
class ShutRdWr:
    def client(t, s):
        s.sendall(b"x" * 50000)
        t.sync()
        s.shutdown(socket.SHUT_RDWR)
        t.note_call("send", s.send, b"x")
        t.note("recv", s.recv(10))
        t.note_call("again", s.shutdown, socket.SHUT_RDWR)
        t.sync()

    def server(t, s):
        t.sync()
        data, end = drain(s)
        t.note("received", data, end)
        t.sync()
        t.note_call("send", lambda: s.send(b"reply") > 0)


@row("both close at once, with unread bytes of neither")
class Simultaneous:
    def client(t, s):
        for _ in range(3):
            c = t.pair()
            c.sendall(b"a" * 50000)
            t.note("received", receive(c, 50000))
            t.sync()
            c.shutdown(socket.SHUT_WR)
            t.note("end", c.recv(1))
            c.close()
        t.sync()

    def server(t, s):
        for _ in range(3):
            c = t.pair()
            c.sendall(b"b" * 50000)
            t.note("received", receive(c, 50000))
            t.sync()
            c.shutdown(socket.SHUT_WR)
            t.note("end", c.recv(1))
            c.close()
        t.sync()


@row("close right after a big write: every byte, then the end")
class CloseBehindWrite:
    def client(t, s):
        sent = t.fill(s)
        s.close()
        t.sync(sent)
        t.sync()

    def server(t, s):
        sent = t.sync()
        time.sleep(0.2)
        data, end = drain(s)
        t.note("received", len(data) == sent, is_filled(data), end)
        t.sync()


@row("close with unread bytes: the peer is reset")
class CloseUnread:
    def client(t, s):
        s.sendall(b"x" * 30000)
        t.sync()
        t.sync()
        after_reset(t, s)

    def server(t, s):
        t.sync()
        t.note("readable", readable(s, 5), s.recv(10))
        s.close()
        t.sync()
        time.sleep(0.1)


@row("close with unread bytes while the peer's own bytes are unread: they are lost or not")
class CloseUnreadBoth:
    def client(t, s):
        s.sendall(b"x" * 3000)
        t.sync()
        t.sync()
        time.sleep(0.2)
        after_reset(t, s)

    def server(t, s):
        s.sendall(b"y" * 3000)
        t.sync()
        t.note("readable", readable(s, 5))
        s.close()
        t.sync()


@row("SO_LINGER 0: close resets")
class Linger0:
    def client(t, s):
        s.sendall(b"x" * 1000)
        t.sync()
        t.sync()
        time.sleep(0.1)
        after_reset(t, s)

    def server(t, s):
        t.note("recv", receive(s, 1000))
        t.sync()
        s.setsockopt(*LINGER, struct.pack("ii", 1, 0))
        s.close()
        t.sync()


@row("SO_LINGER 0 with a full window: the reader sees what the reset leaves")
class Linger0Full:
    def client(t, s):
        t.fill(s)
        s.setsockopt(*LINGER, struct.pack("ii", 1, 0))
        s.close()
        t.sync()
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(0.3)
        data, end = drain(s)
        t.note("received", is_filled(data), end)
        t.sync()


@row("SO_LINGER 60 with a reader that reads: close waits for the peer, not for the time")
class LingerRead:
    def client(t, s):
        data = pattern(SIZE)
        s.setsockopt(*LINGER, struct.pack("ii", 1, 60))
        t.sync()
        s.sendall(data)
        _, took = t.timed(s.close)
        t.note_wait("close", took, 0, 4)
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(0.3)
        t.note("received", *drain(s))
        t.sync()


@row("SO_LINGER 1 with a reader that doesn't read a full window: close waits its time")
class LingerUnread:
    def client(t, s):
        sent = t.fill(s)
        s.setsockopt(*LINGER, struct.pack("ii", 1, 1))
        _, took = t.timed(s.close)
        t.note_wait("close", took, 0.8, 4)
        t.sync(sent)
        t.sync()

    def server(t, s):
        sent = t.sync()
        data, end = drain(s)
        t.note("received", len(data) == sent, is_filled(data), end)
        t.sync()


@row("writing to a peer that has closed: once, then a reset, EPIPE and SIGPIPE",
     mixed="the one who has closed takes nothing by the ring")
class WriteAfterClose:
    def client(t, s):
        s.sendall(b"x")
        t.sync()
        t.note("end", s.recv(1))
        t.note_call("first", s.send, b"x" * 1000)
        time.sleep(0.5)
        t.note_call("second", s.send, b"x", socket.MSG_NOSIGNAL)
        t.note_call("third", s.send, b"x", socket.MSG_NOSIGNAL)
        hits = []
        signal.signal(signal.SIGPIPE, lambda *_: hits.append(1))
        t.note_call("with signal", s.send, b"x")
        t.note("SIGPIPE", len(hits))

    def server(t, s):
        receive(s, 1)
        s.close()
        t.sync()
        time.sleep(1)


@row("exit with bytes in flight: every byte, then the end")
class Exit:
    def client(t, s):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(writer, str(t.fill(s)).encode())
            os._exit(0)
        s.close()
        os.waitpid(pid, 0)
        t.sync(int(os.read(reader, 20)))
        t.sync()

    def server(t, s):
        sent = t.sync()
        data, end = drain(s)
        t.note("received", len(data) == sent, is_filled(data), end)
        t.sync()


@row("SIGKILL with bytes in flight: every byte, then the end")
class Kill:
    def client(t, s):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(writer, str(t.fill(s)).encode())
            signal.pause()
        s.close()
        sent = int(os.read(reader, 20))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        t.sync(sent)
        t.sync()

    def server(t, s):
        sent = t.sync()
        data, end = drain(s)
        t.note("received", len(data) == sent, is_filled(data), end)
        t.sync()


@row("SIGKILL of a reader with unread bytes: the writer is reset")
class KillReader:
    def client(t, s):
        s.sendall(b"x" * 30000)
        t.sync()
        t.sync()
        time.sleep(0.2)
        after_reset(t, s)

    def server(t, s):
        pid = os.fork()
        if not pid:
            signal.pause()
        t.note("readable", readable(s, 5))
        s.close()
        t.sync()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        t.sync()


@row("connect(AF_UNSPEC) resets, and the socket connects again",
     mixed="a socket that connects a second time stays on TCP", why="refused_given_back")
class Disconnect:
    def client(t, s):
        s.sendall(b"x" * 1000)
        t.sync()
        t.note("connect AF_UNSPEC", libc("connect", s.fileno(), bytes(16), 16))
        t.note_call("getpeername", s.getpeername)
        t.note_call("send", s.send, b"x")
        address = t.peer()
        t.note_call("connect", s.connect, address)
        t.warm(s, ring=False)
        s.sendall(b"again")
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 1000))
        t.sync()
        t.note("ended", drain(s)[1])
        with t.listen() as listener:
            again, _ = listener.accept()
        t.warm(again)
        t.note("recv", receive(again, 5))
        t.sync()
