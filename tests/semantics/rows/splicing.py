# SPDX-License-Identifier: GPL-2.0-only
"""splice, tee, vmsplice, sendfile."""

import fcntl
import os
import socket
import tempfile

from native import buffer, iovecs, libc
from row import row
from side import pattern, readable, receive

SPLICE_F_NONBLOCK = 2
SPLICE_F_MORE = 4
SIZE = 200000


def pipe():
    r, w = os.pipe()
    fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1 << 20)
    return r, w


def move(source, target, size):
    """Splice SIZE bytes; how many went."""
    moved = 0
    while moved < size:
        n = os.splice(source, target, size - moved)
        if not n:
            break
        moved += n
    return moved


def read_all(fd, size):
    data = b""
    while len(data) < size:
        data += os.read(fd, size - len(data))
    return data


@row("splice from the socket: the bytes stay while the sender goes on")
class SpliceOut:
    def client(t, s):
        s.sendall(pattern(SIZE))
        t.sync()
        for n in range(40):
            s.sendall(bytes([n]) * 60000)
        t.sync()

    def server(t, s):
        r, w = pipe()
        t.note("moved", move(s.fileno(), w, SIZE))
        t.sync()
        for n in range(40):
            receive(s, 60000)
        t.note("kept", read_all(r, SIZE))
        t.sync()


@row("splice from the socket into a file")
class SpliceFile:
    def client(t, s):
        s.sendall(pattern(SIZE))
        t.sync()

    def server(t, s):
        r, w = pipe()
        with tempfile.TemporaryFile() as f:
            left = SIZE
            while left:
                n = move(s.fileno(), w, min(left, 50000))
                move(r, f.fileno(), n)
                left -= n
            f.seek(0)
            t.note("file", f.read())
        t.sync()


@row("splice on an empty socket, at the end, and non-blocking")
class SpliceEdges:
    def client(t, s):
        t.sync()
        s.send(b"last")
        s.shutdown(socket.SHUT_WR)
        t.sync()

    def server(t, s):
        r, w = pipe()
        s.setblocking(False)
        t.note_call("empty", os.splice, s.fileno(), w, 100, flags=SPLICE_F_NONBLOCK)
        s.setblocking(True)
        t.sync()
        t.note_call("waits", os.splice, s.fileno(), w, 100)
        t.note("pipe", os.read(r, 100))
        t.note_call("end", os.splice, s.fileno(), w, 100)
        t.sync()


@row("splice into the socket, with SPLICE_F_MORE")
class SpliceIn:
    def client(t, s):
        r, w = pipe()
        data = pattern(SIZE)
        os.write(w, data)
        left = SIZE
        while left:
            left -= os.splice(r, s.fileno(), min(left, 30000),
                              flags=SPLICE_F_MORE if left > 30000 else 0)
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, SIZE))
        t.sync()


@row("tee: the socket's bytes twice")
class Tee:
    def client(t, s):
        s.sendall(pattern(60000))
        t.sync()

    def server(t, s):
        r, w = pipe()
        r2, w2 = pipe()
        moved = 0
        while moved < 60000:
            moved += os.splice(s.fileno(), w, 60000 - moved)
        t.note("tee", libc("tee", r, w2, 60000, 0))
        t.note("first", read_all(r, 60000))
        t.note("second", read_all(r2, 60000))
        t.sync()


@row("vmsplice into a pipe and splice into the socket")
class Vmsplice:
    def client(t, s):
        r, w = pipe()
        data = buffer(pattern(50000))
        t.note("vmsplice", libc("vmsplice", w, iovecs([data]), 1, 0))
        t.note("moved", move(r, s.fileno(), 50000))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 50000))
        t.sync()


@row("sendfile, with offsets and past the end of the file")
class SendFile:
    def client(t, s):
        data = pattern(SIZE)
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            at = 0
            while at < SIZE:
                at += os.sendfile(s.fileno(), f.fileno(), at, SIZE)
            t.note("sent", at)
            t.note("past the end", os.sendfile(s.fileno(), f.fileno(), SIZE, 100))
            t.note("middle", os.sendfile(s.fileno(), f.fileno(), 777, 5000))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, SIZE))
        t.note("middle", receive(s, 5000))
        t.sync()


@row("a proxy that splices from one connection to another")
class Proxy:
    def client(t, s):
        back = t.pair()
        data = pattern(SIZE)
        t.sync()
        s.sendall(data)
        t.note("came back", receive(back, SIZE))
        t.note("no more", readable(back, 0))
        t.sync()

    def server(t, s):
        back = t.pair()
        t.sync()
        r, w = pipe()
        left = SIZE
        while left:
            n = os.splice(s.fileno(), w, min(left, 60000))
            left -= move(r, back.fileno(), n)
        t.sync()
