# SPDX-License-Identifier: GPL-2.0-only
"""What and how is written: many buffers, none, flags that hold back."""

import ctypes
import os
import socket
import time

from native import Mmsghdr, Msghdr, buffer, iovecs, libc
from row import row
from side import drain, pattern, readable, receive

CORK = socket.IPPROTO_TCP, socket.TCP_CORK
NODELAY = socket.IPPROTO_TCP, socket.TCP_NODELAY


@row("MSG_MORE: all bytes arrive, the last ones without being asked for")
class More:
    def client(t, s):
        for n in range(50):
            s.send(bytes([n]) * 10, socket.MSG_MORE)
        s.send(b"end")
        t.sync()
        s.send(b"alone", socket.MSG_MORE)
        t.sync()
        s.send(b"before the end", socket.MSG_MORE)
        s.shutdown(socket.SHUT_WR)
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 503))
        t.sync()
        t.note("without more", readable(s, 3), receive(s, 5))
        t.sync()
        t.note("at the end", *drain(s))
        t.sync()


@row("TCP_CORK: all bytes arrive, at the latest when it is pulled")
class Cork:
    def client(t, s):
        s.setsockopt(*CORK, 1)
        t.note("corked", s.getsockopt(*CORK))
        for n in range(20):
            s.send(bytes([n]) * 100)
        s.setsockopt(*CORK, 0)
        t.note("uncorked", s.getsockopt(*CORK))
        t.sync()
        s.setsockopt(*CORK, 1)
        s.send(b"by the timer")
        t.sync()
        s.sendall(pattern(300000))
        t.note("still corked", s.getsockopt(*CORK))
        s.setsockopt(*CORK, 0)
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 2000))
        t.sync()
        t.note("corked", readable(s, 3), receive(s, 12))
        t.sync()
        t.note("much", receive(s, 300000))
        t.sync()


@row("TCP_NODELAY on and off: write, write, read never waits for a delayed ACK's time")
class NoDelay:
    def client(t, s):
        for on in (1, 0):
            s.setsockopt(*NODELAY, on)
            t.note("TCP_NODELAY", s.getsockopt(*NODELAY) != 0)
            begin = time.monotonic()
            for _ in range(10):
                s.send(b"first")
                s.send(b"second")
                receive(s, 2)
            if on:
                t.note_wait("ten times", time.monotonic() - begin, 0, 5)
        t.sync()

    def server(t, s):
        for _ in range(20):
            t.note("recv", receive(s, 11))
            s.send(b"ok")
        t.sync()


@row("writev and readv with 1024 buffers, some of them empty")
class Vectors:
    def client(t, s):
        data = pattern(1024 * 70)
        parts = [data[i * 70:(i + 1) * 70] for i in range(1024)]
        t.note("writev", os.writev(s.fileno(), parts))
        t.sync()
        parts = [b"", b"one", b"", b"", b"two", b""]
        t.note("with empty ones", os.writev(s.fileno(), parts))
        t.note("only empty ones", os.writev(s.fileno(), [b"", b""]))
        t.note_call("too many", os.writev, s.fileno(), [b"x"] * 1025)
        t.sync()

    def server(t, s):
        buffers = [bytearray(n % 100) for n in range(1024)]
        t.note("wait", len(receive(s, 20000)))
        time.sleep(0.2)
        got = os.readv(s.fileno(), buffers)
        data = b"".join(buffers)[:got]
        t.note("all", data + receive(s, 1024 * 70 - 20000 - got))
        t.sync()
        t.note("recv", receive(s, 6))
        t.sync()


@row("sendmsg with many buffers over pages of all sizes")
class SendMsg:
    def client(t, s):
        data = pattern(400000)
        sizes = (1, 4096, 4095, 17, 8192, 60000, 3)
        parts, at = [], 0
        while at < len(data):
            n = sizes[len(parts) % len(sizes)]
            parts.append(data[at:at + n])
            at += n
        while parts:
            sent = s.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if parts:
                parts[0] = parts[0][sent:]
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 400000))
        t.sync()


def messages(buffers):
    """An array for sendmmsg and recvmmsg, one buffer a message; and what it points to."""
    vectors = [iovecs([b]) for b in buffers]
    array = (Mmsghdr * len(buffers))(*[
        Mmsghdr(Msghdr(iov=ctypes.addressof(v), iovlen=1)) for v in vectors])
    return array, (vectors, buffers)


@row("sendmmsg and recvmmsg")
class ManyMessages:
    def client(t, s):
        data = pattern(5000)
        array, _keep = messages([buffer(data[i * 500:(i + 1) * 500]) for i in range(10)])
        t.note("sendmmsg", libc("sendmmsg", s.fileno(), array, 10, 0), [m.len for m in array])
        t.sync()
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(0.3)
        buffers = [ctypes.create_string_buffer(700) for _ in range(10)]
        array, _keep = messages(buffers)
        got = libc("recvmmsg", s.fileno(), array, 10, socket.MSG_DONTWAIT, None)
        t.note("recvmmsg", got, [m.len for m in array[:got]])
        t.note("data", b"".join(b.raw[:m.len] for b, m in zip(buffers, array)))
        got = libc("recvmmsg", s.fileno(), array, 10, socket.MSG_DONTWAIT, None)
        t.note("empty", got)
        t.sync()


@row("zero-length writes and reads: nothing, and no end of the stream")
class Zero:
    def client(t, s):
        t.note("send", s.send(b""), os.write(s.fileno(), b""), s.sendmsg([]))
        t.note_call("recv of none", s.recv, 0, socket.MSG_DONTWAIT)
        t.sync()
        t.sync()
        s.send(b"something")
        t.sync()

    def server(t, s):
        t.sync()
        t.note("readable", readable(s, 0.2))
        t.sync()
        t.note("readable", readable(s, 5))
        t.note("recv of none", s.recv(0))
        t.note("recv", receive(s, 9))
        t.sync()


@row("memory that isn't there: EFAULT, and the stream goes on")
class Fault:
    def client(t, s):
        t.note("send", libc("send", s.fileno(), None, 1000, 0))
        good = buffer(b"g" * 1000)
        vectors = iovecs([good, good])
        vectors[1].base = 8
        t.note("second buffer", libc("writev", s.fileno(), vectors, 2))
        s.send(b"end")
        t.sync()
        t.sync()
        t.note("recv", libc("recv", s.fileno(), None, 100, 0))
        t.note("again", receive(s, 7))

    def server(t, s):
        t.sync()
        time.sleep(0.2)
        t.note("recv", s.recv(5000))
        s.send(b"nowhere")
        t.sync()
        time.sleep(0.5)
