# SPDX-License-Identifier: GPL-2.0-only
"""Who waits, for how long, and what ends the waiting."""

import ctypes
import os
import signal
import socket
import threading
import time

from native import libc
from row import row
from side import drain, is_filled, pattern, readable, receive, timeval

BIG = 4 << 20       # more than fits into any window here


@row("blocking recv waits for data")
class BlockingRecv:
    def client(t, s):
        t.sync()
        data, took = t.timed(s.recv, 100, since=t.synced)
        t.note("recv", data)
        t.note_wait("wait", took, 0.28, 8)

    def server(t, s):
        t.sync()
        time.sleep(0.3)
        s.sendall(b"at last")


@row("blocking send sleeps on a full window and wakes when the reader reads")
class BlockingSend:
    def client(t, s):
        data = pattern(BIG)
        t.sync()
        _, took = t.timed(s.sendall, data, since=t.synced)
        t.note_wait("wait", took, 0.55, 15)
        s.shutdown(socket.SHUT_WR)
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(0.6)
        data, end = drain(s)
        t.note("received", data, end)
        t.sync()


@row("O_NONBLOCK: EAGAIN on empty and full, partial writes, space again after reading")
class NonBlock:
    def client(t, s):
        s.setblocking(False)
        t.note_call("recv on empty", s.recv, 10)
        sent = t.fill(s)
        t.note("sent something", sent > 60000)
        t.note_call("send on full", s.send, b"x" * 100000)
        t.sync(sent)
        t.sync()
        end = time.monotonic() + 5
        more = t.call(s.send, b"y")
        while more == "EAGAIN" and time.monotonic() < end:
            time.sleep(0.05)
            more = t.call(s.send, b"y")
        t.note("send after reading", more)
        t.sync()

    def server(t, s):
        sent = t.sync()
        data = receive(s, sent)
        t.note("all bytes", len(data) == sent, is_filled(data))
        t.sync()
        t.note("recv", s.recv(10))
        t.sync()


@row("MSG_DONTWAIT on a blocking socket, each call for itself")
class DontWait:
    def client(t, s):
        t.note_call("recv on empty", s.recv, 10, socket.MSG_DONTWAIT)
        t.sync(t.fill(s))
        t.note_call("send on full", s.send, b"x", socket.MSG_DONTWAIT)
        t.sync()
        _, took = t.timed(s.sendall, b"z" * 1000)
        t.note_wait("blocking send", took, 0, 8)
        t.sync()

    def server(t, s):
        sent = t.sync()
        t.sync()
        t.note("all", is_filled(receive(s, sent)))
        t.note("rest", receive(s, 1000))
        t.note_call("recv on empty", s.recv, 10, socket.MSG_DONTWAIT)
        t.sync()


@row("SO_RCVTIMEO ends recv; MSG_WAITALL gives what there is")
class RcvTimeo:
    def client(t, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(0.4))
        result, took = t.timed(s.recv, 10)
        t.note("recv", result)
        t.note_wait("wait", took, 0.35, 8)
        t.sync()
        t.sync()
        result, took = t.timed(s.recv, 100, socket.MSG_WAITALL)
        t.note("recv WAITALL", result)
        t.note_wait("wait", took, 0.35, 8)
        t.sync()

    def server(t, s):
        t.sync()
        s.sendall(b"a part")
        t.sync()
        t.sync()


@row("SO_SNDTIMEO ends send; what went before is returned")
class SndTimeo:
    def client(t, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0.5))
        data = pattern(BIG)
        sent, took = t.timed(s.send, data)
        t.note("a part", isinstance(sent, int) and 0 < sent < BIG)
        t.note_wait("wait", took, 0.4, 10)
        t.fill(s)
        result, took = t.timed(s.send, b"x")
        t.note("send on full", result)
        t.note_wait("wait", took, 0.4, 8)
        t.sync()

    def server(t, s):
        t.sync()
        s.settimeout(0.5)
        data = drain(s)[0]
        t.note("in order", data[:60000] == pattern(BIG)[:60000])


def _with_alarm(restart, function):
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, not restart)
    begin = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    result = function()
    return result, time.monotonic() - begin


@row("a signal ends a blocking call with EINTR, or it is restarted (SA_RESTART)")
class Interrupted:
    def client(t, s):
        buffer = ctypes.create_string_buffer(100)
        result, took = _with_alarm(False, lambda: libc("recv", s.fileno(), buffer, 100, 0))
        t.note("recv", result)
        t.note_wait("wait", took, 0.28, 8)
        t.sync()
        result, took = _with_alarm(True, lambda: libc("recv", s.fileno(), buffer, 100, 0))
        t.note("recv, restarted", result, buffer.value)
        t.note_wait("wait", took, 0.5, 10)
        data = pattern(BIG)
        size = ctypes.c_size_t(BIG)
        result, _ = _with_alarm(False, lambda: libc("send", s.fileno(), data, size, 0))
        t.note("send, a part", isinstance(result, int) and 0 < result < BIG)
        t.fill(s)
        result, _ = _with_alarm(False, lambda: libc("send", s.fileno(), data, size, 0))
        t.note("send on full", result)
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(0.7)
        s.sendall(b"late")
        t.sync()


@row("shutdown by another thread wakes a blocked recv and a blocked send")
class ShutdownWakes:
    def client(t, s):
        begin = time.monotonic()
        threading.Timer(0.4, s.shutdown, (socket.SHUT_RD,)).start()
        result, took = t.timed(s.recv, 10, since=begin)
        t.note("recv", result)
        t.note_wait("wait", took, 0.38, 8)
        t.fill(s)
        data = b"x" * 1000000
        begin = time.monotonic()
        threading.Timer(0.6, s.shutdown, (socket.SHUT_WR,)).start()
        # All of it: TCP may have found some space since, and send() would say how much it took.
        result, took = t.timed(s.sendall, data, since=begin)
        t.note("send", result)
        t.note_wait("wait", took, 0.58, 8)
        t.sync()

    def server(t, s):
        t.sync()


@row("a killed writer, blocked in send: the peer gets all that it wrote, then the end")
class KilledWriter:
    def client(t, s):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            sent = t.fill(s)
            os.write(writer, b"full")
            s.sendall(bytes(range(sent % 251, 251)))
            while True:
                s.sendall(bytes(range(251)) * 261)
        s.close()
        os.read(reader, 4)
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        t.sync()
        t.sync()

    def server(t, s):
        t.sync()
        data, end = drain(s)
        t.note("received", len(data) > 60000, is_filled(data), end)
        t.note("readable at the end", readable(s, 0))
        t.sync()
