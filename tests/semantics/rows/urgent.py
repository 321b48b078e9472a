# SPDX-License-Identifier: GPL-2.0-only
"""Urgent data: the mark, in line or not, and the bytes around it."""

import fcntl
import os
import select
import signal
import socket
import time

from asking import ask, until
from row import row
from side import receive

SIOCATMARK = 0x8905
BY_TCP = "urgent bytes are TCP's"


def urgent(s, wait):
    return bool(select.select([], [], [s], wait)[2])


@row("MSG_OOB: beside the stream, with its mark", mixed=BY_TCP, why="send_flags")
class Oob:
    def client(t, s):
        s.sendall(b"abc")
        s.send(b"X", socket.MSG_OOB)
        s.sendall(b"def")
        t.sync()
        s.sendall(b"ghi" * 1000)
        t.sync()

    def server(t, s):
        t.note("urgent", urgent(s, 5))
        t.sync()
        time.sleep(0.2)
        t.note("before the mark", s.recv(100))
        t.note("at the mark", until(lambda: ask(s, SIOCATMARK), 1))
        t.note_call("urgent byte", s.recv, 10, socket.MSG_OOB)
        t.note_call("only once", s.recv, 10, socket.MSG_OOB)
        t.note("behind it", receive(s, 3))
        t.note("at the mark", ask(s, SIOCATMARK))
        t.note("more", receive(s, 3000))
        t.sync()


@row("SO_OOBINLINE: in the stream, with its mark", mixed=BY_TCP, why="send_flags")
class Inline:
    def client(t, s):
        t.sync()
        s.sendall(b"abc")
        s.send(b"XY", socket.MSG_OOB)
        s.sendall(b"def")
        t.sync()
        t.sync()

    def server(t, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        t.sync()
        t.note("urgent", urgent(s, 5))
        t.sync()
        time.sleep(0.2)
        t.note("before the mark", s.recv(100))
        t.note("at the mark", ask(s, SIOCATMARK))
        t.note("behind", s.recv(2))
        t.note_call("urgent byte", s.recv, 10, socket.MSG_OOB)
        t.note("behind", receive(s, 2))
        t.sync()


@row("SIGURG, and a second urgent byte before the first one is read", mixed=BY_TCP,
     why="send_flags")
class Sigurg:
    def client(t, s):
        t.sync()
        s.sendall(b"ab")
        s.send(b"1", socket.MSG_OOB)
        t.sync()
        s.sendall(b"cd")
        s.send(b"2", socket.MSG_OOB)
        s.sendall(b"ef")
        t.sync()
        t.sync()

    def server(t, s):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        t.sync()
        info = signal.sigtimedwait([signal.SIGURG], 5)
        t.note("signal", info and info.si_signo == signal.SIGURG)
        t.sync()
        t.sync()
        time.sleep(0.3)
        t.note_call("urgent byte", s.recv, 1, socket.MSG_OOB)
        data = b""
        while len(data) < 7:
            data += s.recv(100)
        t.note("all", data)
        t.sync()


@row("MSG_OOB without urgent data")
class NoOob:
    def client(t, s):
        t.note_call("recv", s.recv, 1, socket.MSG_OOB)
        t.note("at the mark", ask(s, SIOCATMARK))
        s.send(b"plain")
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 5))
        t.sync()
