# SPDX-License-Identifier: GPL-2.0-only
"""recv's flags, and what reads or counts without taking."""

import socket
import struct
import termios
import time

from asking import ask, until
from row import row
from side import is_filled, pattern, readable, receive

SIOCOUTQ = termios.TIOCOUTQ
SIOCOUTQNSD = 0x894b
SO_PEEK_OFF = 42
TCP_INQ = 36
TCP_CM_INQ = 36


@row("MSG_PEEK shows and leaves; SO_PEEK_OFF goes on behind it")
class Peek:
    def client(t, s):
        t.sync()
        until(lambda: ask(s, termios.FIONREAD), 10)
        t.note("peek", s.recv(4, socket.MSG_PEEK), s.recv(100, socket.MSG_PEEK))
        t.note_call("set", s.setsockopt, socket.SOL_SOCKET, SO_PEEK_OFF, 2)
        t.note("peek off", s.recv(3, socket.MSG_PEEK), s.recv(3, socket.MSG_PEEK))
        t.note("recv", s.recv(6))
        t.note("peek off", s.recv(10, socket.MSG_PEEK))
        t.note("recv", s.recv(100))
        t.note_call("empty", s.recv, 10, socket.MSG_PEEK | socket.MSG_DONTWAIT)

    def server(t, s):
        t.sync()
        s.sendall(b"01234")
        s.sendall(b"56789")


@row("MSG_WAITALL waits for all, across messages")
class WaitAll:
    def client(t, s):
        t.sync()
        data, took = t.timed(s.recv, 90000, socket.MSG_WAITALL, since=t.synced)
        t.note("recv", data)
        t.note_wait("wait", took, 0.58, 10)

    def server(t, s):
        data = pattern(90000)
        t.sync()
        for i in range(3):
            s.sendall(data[i * 30000:(i + 1) * 30000])
            time.sleep(0.3)


@row("MSG_TRUNC throws bytes away unseen")
class Trunc:
    def client(t, s):
        t.sync()
        until(lambda: ask(s, termios.FIONREAD), 100)
        buffer = bytearray(60)
        t.note("recv_into", s.recv_into(buffer, 60, socket.MSG_TRUNC), bytes(buffer) == bytes(60))
        t.note("rest", s.recv(100))

    def server(t, s):
        t.sync()
        s.sendall(bytes(range(100)))


@row("FIONREAD: what is unread")
class Fionread:
    def client(t, s):
        t.note("empty", ask(s, termios.FIONREAD))
        t.sync()
        t.note("some", until(lambda: ask(s, termios.FIONREAD), 50000))
        s.recv(1, socket.MSG_PEEK)
        t.note("peeked", ask(s, termios.FIONREAD))
        receive(s, 20000)
        t.note("read some", ask(s, termios.FIONREAD))
        receive(s, 30000)
        t.note("read all", ask(s, termios.FIONREAD))
        t.sync()
        until(lambda: readable(s, 0), True)
        t.note("at the end", ask(s, termios.FIONREAD), s.recv(1))

    def server(t, s):
        t.sync()
        s.sendall(b"x" * 50000)
        t.sync()
        s.shutdown(socket.SHUT_WR)


@row("SIOCOUTQ and SIOCOUTQNSD: nothing when all is delivered")
class OutqIdle:
    def client(t, s):
        t.note("idle", ask(s, SIOCOUTQ), ask(s, SIOCOUTQNSD))
        s.sendall(b"x" * 20000)
        t.note("delivered", until(lambda: ask(s, SIOCOUTQ), 0), ask(s, SIOCOUTQNSD))
        t.sync()

    def server(t, s):
        t.sync()
        t.note("recv", receive(s, 20000))


@row("SIOCOUTQ and SIOCOUTQNSD: more than nothing on a full window")
class OutqFull:
    def client(t, s):
        sent = t.fill(s)
        t.note("full", ask(s, SIOCOUTQ) > 0, ask(s, SIOCOUTQNSD) > 0)
        t.sync(sent)
        t.note("read", until(lambda: ask(s, SIOCOUTQ), 0), ask(s, SIOCOUTQNSD))
        t.sync()

    def server(t, s):
        t.note("all", is_filled(receive(s, t.sync())))
        t.sync()


@row("SO_RCVLOWAT: not readable before there is enough, readable at the end")
class RcvLowat:
    def client(t, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1000)
        t.sync()
        until(lambda: ask(s, termios.FIONREAD), 999)
        t.note("999", readable(s, 0.3))
        t.sync()
        t.note("1000", readable(s, 5))
        t.note("recv", s.recv(2000))
        t.sync()
        t.note("readable at the end", readable(s, 5))
        data, took = t.timed(s.recv, 10)
        t.note("recv", data)
        t.note_wait("wait", took, 0, 8)

    def server(t, s):
        t.sync()
        s.sendall(b"x" * 999)
        t.sync()
        s.sendall(b"y")
        t.sync()
        s.sendall(b"end")
        s.shutdown(socket.SHUT_WR)


@row("SO_RCVLOWAT: a blocking recv waits for that many bytes, or the end")
class RcvLowatBlocking:
    def client(t, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
        t.sync()
        t.note("at once", s.recv(10))
        until(lambda: ask(s, termios.FIONREAD), 5)
        t.sync()
        data, took = t.timed(s.recv, 100, since=t.synced)
        t.note("in two", data)
        # Linux counts anew what comes while recv waits, having taken five: the end wakes it, not
        # the second five.
        t.note_wait("wait", took, 0.9, 10)

    def server(t, s):
        t.sync()
        s.sendall(b"0123456789")
        s.sendall(b"12345")
        t.sync()
        time.sleep(0.5)
        s.sendall(b"67890")
        time.sleep(0.5)
        s.shutdown(socket.SHUT_WR)


@row("TCP_INQ: recvmsg tells what is left")
class Inq:
    def client(t, s):
        t.note_call("set", s.setsockopt, socket.IPPROTO_TCP, TCP_INQ, 1)
        t.sync()
        until(lambda: ask(s, termios.FIONREAD), 1000)
        for size in (300, 700):
            data, cmsgs, flags, _ = s.recvmsg(size, 100)
            t.note("recvmsg", len(data), flags)
            for level, kind, value in cmsgs:
                t.note("cmsg", level, kind == TCP_CM_INQ, struct.unpack("i", value)[0])
        t.sync()
        until(lambda: readable(s, 0), True)
        data, cmsgs, _, _ = s.recvmsg(10, 100)
        t.note("at the end", data, [struct.unpack("i", value)[0] for _, _, value in cmsgs])

    def server(t, s):
        t.sync()
        s.sendall(b"x" * 1000)
        t.sync()
        s.shutdown(socket.SHUT_WR)


@row("reading with all sizes of buffers and messages")
class Sizes:
    def client(t, s):
        t.sync()
        for size in (1, 2, 3, 100, 1447, 4095, 4096, 4097, 10000, 65536):
            t.note(size, receive(s, size, size))

    def server(t, s):
        data = pattern(1 + 2 + 3 + 100 + 1447 + 4095 + 4096 + 4097 + 10000 + 65536)
        t.sync()
        sizes = [4096, 1, 8191, 12288, 5, 1448, 16384, 3]
        while data:
            n = sizes[0]
            sizes = sizes[1:] + sizes[:1]
            s.sendall(data[:n])
            data = data[n:]
