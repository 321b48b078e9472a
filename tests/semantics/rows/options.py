# SPDX-License-Identifier: GPL-2.0-only
"""Socket options on a connection that goes by the ring."""

import ctypes
import socket
import struct
import termios
import threading
import time

from asking import ask, until
from native import Nft, buffer, setsockopt
from row import row
from side import drain, is_filled, pattern, readable, receive

SOCK = socket.SOL_SOCKET
TCP = socket.IPPROTO_TCP
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MAX_PACING_RATE = 26, 27, 47


def set_buffers(size):
    def prepare(s):
        s.setsockopt(SOCK, socket.SO_SNDBUF, size)
        s.setsockopt(SOCK, socket.SO_RCVBUF, size)
    return prepare


@row("SO_SNDBUF and SO_RCVBUF set before: shown, and a transfer", connect=False)
class BuffersBefore:
    def client(t):
        s = t.pair(set_buffers(20000))
        t.note("shown", s.getsockopt(SOCK, socket.SO_SNDBUF), s.getsockopt(SOCK, socket.SO_RCVBUF))
        s.sendall(pattern(500000))
        t.sync()

    def server(t):
        s = t.pair(set_buffers(20000))
        t.note("shown", s.getsockopt(SOCK, socket.SO_SNDBUF), s.getsockopt(SOCK, socket.SO_RCVBUF))
        t.note("recv", receive(s, 500000))
        t.sync()


@row("SO_SNDBUF and SO_RCVBUF of 20,000: they bound what is written ahead of the reader",
     connect=False, mixed="the ring holds little, TCP's queue the rest", why="send_stalled")
class BuffersBound:
    def client(t):
        s = t.pair(set_buffers(20000))
        sent = t.fill(s, 4000)
        t.note("written ahead", "up to 256 KiB" if sent <= 256 << 10 else "more than 256 KiB")
        t.diagnose(f"{sent} bytes written ahead")
        t.sync(sent)
        t.sync()

    def server(t):
        s = t.pair(set_buffers(20000))
        sent = t.sync()
        t.note("all", is_filled(receive(s, sent)))
        t.sync()


@row("SO_SNDBUF and SO_RCVBUF changed during a transfer")
class BuffersDuring:
    def client(t, s):
        def change():
            for size in (5000, 1 << 20, 30000, 200000):
                time.sleep(0.1)
                set_buffers(size)(s)
        thread = threading.Thread(target=change)
        thread.start()
        s.sendall(pattern(1 << 20))
        thread.join()
        t.note("shown", s.getsockopt(SOCK, socket.SO_SNDBUF))
        t.sync()

    def server(t, s):
        for size in (300000, 10000, 100000):
            set_buffers(size)(s)
            time.sleep(0.1)
            t.note("recv", receive(s, 300000))
        t.note("rest", receive(s, (1 << 20) - 900000))
        t.sync()


@row("options are kept and shown: nodelay, keepalive, TOS, congestion control, MSS and others")
class Shown:
    def client(t, s):
        for level, name, value in (
                (TCP, socket.TCP_NODELAY, 1), (TCP, socket.TCP_KEEPIDLE, 77),
                (TCP, socket.TCP_KEEPINTVL, 7), (TCP, socket.TCP_KEEPCNT, 3),
                (TCP, socket.TCP_USER_TIMEOUT, 12345), (TCP, socket.TCP_LINGER2, 9),
                (TCP, socket.TCP_QUICKACK, 1), (TCP, socket.TCP_NOTSENT_LOWAT, 4096),
                (TCP, socket.TCP_SYNCNT, 4), (TCP, socket.TCP_WINDOW_CLAMP, 60000),
                (socket.IPPROTO_IP, socket.IP_TOS, 0x10), (SOCK, socket.SO_PRIORITY, 3),
                (SOCK, socket.SO_KEEPALIVE, 1), (SOCK, socket.SO_RCVLOWAT, 1),
                (SOCK, socket.SO_MARK, 5)):
            error = t.call(s.setsockopt, level, name, value)
            t.note(level, name, error, t.call(s.getsockopt, level, name))
        t.note_call("reno", s.setsockopt, TCP, socket.TCP_CONGESTION, b"reno")
        t.note(s.getsockopt(TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0"))
        t.note_call("unknown", s.setsockopt, TCP, 999, 1)
        t.note("type", s.getsockopt(SOCK, socket.SO_TYPE), s.getsockopt(SOCK, socket.SO_PROTOCOL),
               s.getsockopt(SOCK, socket.SO_ERROR), s.getsockopt(SOCK, socket.SO_ACCEPTCONN))
        s.sendall(pattern(100000))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 100000))
        t.sync()


@row("SO_ATTACH_FILTER that passes all: no byte is lost")
class FilterPass:
    def client(t, s):
        t.sync()
        s.sendall(pattern(100000))
        t.sync()

    def server(t, s):
        t.note("attach", attach_filter(s, 0xffffffff))
        t.sync()
        t.note("recv", receive(s, 100000))
        t.sync()


def attach_filter(s, accept):
    """A filter that returns ACCEPT for every packet."""
    program = buffer(struct.pack("HBBI", 6, 0, 0, accept))
    return setsockopt(s, SOCK, SO_ATTACH_FILTER, buffer(struct.pack("HxxxxxxQ", 1,
                                                                   ctypes.addressof(program))))


@row("SO_ATTACH_FILTER that drops all: nothing comes while it is there, all comes after it")
class FilterDrop:
    def client(t, s):
        t.sync()
        s.sendall(b"wait for it")
        t.sync()
        t.sync()

    def server(t, s):
        t.note("attach", attach_filter(s, 0))
        t.sync()
        t.note("readable", readable(s, 0.6))
        t.note_call("detach", s.setsockopt, SOCK, SO_DETACH_FILTER, 0)
        t.note("recv", receive(s, 11))
        t.sync()
        t.sync()


def set_keepalive(s):
    s.setsockopt(SOCK, socket.SO_KEEPALIVE, 1)
    s.setsockopt(TCP, socket.TCP_KEEPIDLE, 1)
    s.setsockopt(TCP, socket.TCP_KEEPINTVL, 1)
    s.setsockopt(TCP, socket.TCP_KEEPCNT, 2)


@row("keepalive: an idle connection lives on")
class KeepAlive:
    def client(t, s):
        set_keepalive(s)
        s.send(b"before")
        t.sync()
        t.note("nothing happens", readable(s, 4.5))
        s.send(b"after")
        t.note("recv", receive(s, 2))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 6))
        t.sync()
        t.note("recv", receive(s, 5))
        s.send(b"ok")
        t.sync()


@row("keepalive: the network is cut, ETIMEDOUT")
class KeepAliveCut:
    def client(t, s):
        set_keepalive(s)
        s.send(b"before")
        # TCP probes no peer that owes it an acknowledgement: it retransmits, for minutes
        t.note("not acknowledged", until(lambda: ask(s, termios.TIOCOUTQ), 0, wait=20))
        t.sync()
        t.sync(wait=30)
        t.note("error", readable(s, 30))
        t.note_call("recv", s.recv, 1, socket.MSG_DONTWAIT)
        t.sync()

    def server(t, s):
        receive(s, 6)
        port = s.getsockname()[1]
        t.sync()
        with Nft(f"chain i {{ type filter hook input priority 0; tcp dport {port} drop; }}"):
            t.sync()
            t.sync(wait=40)


@row("TCP_USER_TIMEOUT: a reader that doesn't read for longer ends the connection")
class UserTimeout:
    def client(t, s):
        t.fill(s)       # which may take longer
        s.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 1000)
        t.note("error", readable(s, 10))
        t.note_call("recv", s.recv, 1, socket.MSG_DONTWAIT)
        t.sync()

    def server(t, s):
        t.sync(wait=25)


@row("TCP_USER_TIMEOUT: a reader that reads in time is not ended")
class UserTimeoutFine:
    def client(t, s):
        s.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 3000)
        data = pattern(3 << 20)
        t.sync()
        t.note_call("send", s.sendall, data)
        s.shutdown(socket.SHUT_WR)
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(1)
        t.note("received", *drain(s))
        t.sync()


@row("SO_RCVLOWAT, SO_RCVTIMEO, O_NONBLOCK and others are inherited from the listener",
     connect=False)
class Inherited:
    def client(t):
        s = t.pair(lambda s: s.setsockopt(TCP, socket.TCP_NODELAY, 1))
        t.note("TCP_NODELAY", s.getsockopt(TCP, socket.TCP_NODELAY))
        s.sendall(b"x" * 100)
        t.sync()

    def server(t):
        def prepare(s):
            s.setsockopt(SOCK, socket.SO_KEEPALIVE, 1)
            s.setsockopt(TCP, socket.TCP_NODELAY, 1)
            s.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 4321)
        s = t.pair(prepare)
        t.note("inherited", s.getsockopt(SOCK, socket.SO_KEEPALIVE),
               s.getsockopt(TCP, socket.TCP_NODELAY), s.getsockopt(TCP, socket.TCP_USER_TIMEOUT))
        t.note("recv", receive(s, 100))
        t.sync()


@row("SO_MAX_PACING_RATE: no faster than that", mixed="TCP paces", why="send_paced")
class Paced:
    def client(t, s):
        s.sendall(pattern(100000))
        t.note_call("set", s.setsockopt, SOCK, SO_MAX_PACING_RATE, 200000)
        t.sync()
        s.sendall(pattern(200000, 2))
        t.sync()

    def server(t, s):
        t.note("before", receive(s, 100000))
        t.sync()
        data, took = t.timed(receive, s, 200000)
        t.note("recv", data)
        t.note_wait("rate", took, 0.5, 10)
        t.sync()
