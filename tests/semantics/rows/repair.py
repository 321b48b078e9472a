# SPDX-License-Identifier: GPL-2.0-only
"""TCP_REPAIR, as CRIU reads a connection: sequence numbers, queues, options."""

import socket
import struct

from asking import ask, until
from row import row
from side import pattern, receive

TCP = socket.IPPROTO_TCP
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_WINDOW, TCP_TIMESTAMP = 19, 20, 21, 29, 24
RECV_QUEUE, SEND_QUEUE = 1, 2
OFF_NO_WP = -1
FIONREAD = 0x541b
SIOCOUTQ = 0x5411


def sequence(s, queue):
    s.setsockopt(TCP, TCP_REPAIR_QUEUE, queue)
    return s.getsockopt(TCP, TCP_QUEUE_SEQ) & 0xffffffff


def freeze(s):
    """Both queues' sequence numbers and the window, in repair mode."""
    s.setsockopt(TCP, TCP_REPAIR, 1)
    window = struct.unpack("5I", s.getsockopt(TCP, TCP_REPAIR_WINDOW, 20))
    return {"recv": sequence(s, RECV_QUEUE), "send": sequence(s, SEND_QUEUE),
            "snd_wnd": window[1], "rcv_wup": window[4]}


@row("TCP_REPAIR: both ends have the same sequence numbers, the queue is readable, it goes on")
class Repair:
    def client(t, s):
        s.sendall(pattern(5000))
        until(lambda: ask(s, SIOCOUTQ), 0)
        t.sync()
        now = freeze(s)
        other = t.sync(now)
        t.note("mine is yours", now["send"] == other["recv"], now["recv"] == other["send"])
        t.note("window", now["snd_wnd"] > 0, (now["recv"] - now["rcv_wup"]) & 0xffffffff < 1 << 20)
        t.note_call("leave", s.setsockopt, TCP, TCP_REPAIR, OFF_NO_WP)
        t.sync()
        s.sendall(b"goes on")
        t.note("recv", receive(s, 2))
        t.sync()

    def server(t, s):
        until(lambda: ask(s, FIONREAD), 5000)
        t.sync()
        now = freeze(s)
        other = t.sync(now)
        t.note("mine is yours", now["send"] == other["recv"], now["recv"] == other["send"])
        s.setsockopt(TCP, TCP_REPAIR_QUEUE, RECV_QUEUE)
        t.note("queue", s.recv(10000, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        t.note_call("leave", s.setsockopt, TCP, TCP_REPAIR, OFF_NO_WP)
        t.note("recv", receive(s, 5000))
        t.sync()
        t.note("recv", receive(s, 7))
        s.sendall(b"ok")
        t.sync()


@row("closing in TCP_REPAIR: nothing is sent, the peer doesn't notice")
class RepairClose:
    def client(t, s):
        s.sendall(b"x" * 100)
        until(lambda: ask(s, SIOCOUTQ), 0)
        t.sync()
        s.setsockopt(TCP, TCP_REPAIR, 1)
        s.close()
        t.sync()
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 100))
        t.sync()
        t.sync()
        s.settimeout(0.5)
        t.note_call("silence", s.recv, 1)
        t.sync()
