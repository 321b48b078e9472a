# SPDX-License-Identifier: GPL-2.0-only
"""SO_TIMESTAMP of what comes, SO_TIMESTAMPING of what comes and goes."""

import socket
import struct
import time

from asking import ask, until
from row import row
from side import readable, receive

SOCK = socket.SOL_SOCKET
SIOCOUTQ = 0x5411
SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING = 29, 35, 37
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, TX_ACK, OPT_TSONLY = (
    1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 8, 1 << 9, 1 << 11)
SO_EE_ORIGIN_TIMESTAMPING = 4
NAMES = {0: "sent", 1: "scheduled", 2: "acknowledged"}


def note_received(t, s, what):
    readable(s, 5)
    data, cmsgs, _, _ = s.recvmsg(100, 500)
    t.note(what, data)
    for level, kind, value in cmsgs:
        seconds = struct.unpack_from("q", value)[0]
        t.note("cmsg", level, kind, "now" if abs(time.time() - seconds) < 100 else "another time")


@row("SO_TIMESTAMP and SO_TIMESTAMPNS: when a message came")
class Stamp:
    def client(t, s):
        for message in (b"first", b"second", b"none"):
            t.sync()
            s.sendall(message)
        t.sync()

    def server(t, s):
        for option, value in ((SO_TIMESTAMP, 1), (SO_TIMESTAMPNS, 1), (SO_TIMESTAMPNS, 0)):
            t.note_call("set", s.setsockopt, SOCK, option, value)
            t.sync()
            note_received(t, s, "recvmsg")
        t.sync()


@row("SO_TIMESTAMPING of what is received")
class StampingRx:
    def client(t, s):
        t.sync()
        s.sendall(b"message")
        t.sync()

    def server(t, s):
        t.note_call("set", s.setsockopt, SOCK, SO_TIMESTAMPING, RX_SOFTWARE | SOFTWARE)
        t.sync()
        note_received(t, s, "recvmsg")
        t.sync()


@row("SO_TIMESTAMPING of what is sent: scheduled, sent, acknowledged",
     mixed="only a segment can tell when it was sent", why="send_timestamp")
class StampingTx:
    def client(t, s):
        s.sendall(b"no stamps" * 100)
        until(lambda: ask(s, SIOCOUTQ), 0)      # the stamps count from what is acknowledged
        t.note_call("set", s.setsockopt, SOCK, SO_TIMESTAMPING,
                    TX_SCHED | TX_SOFTWARE | TX_ACK | SOFTWARE | OPT_ID | OPT_TSONLY)
        s.sendall(b"x" * 100)
        found = set()
        end = time.monotonic() + 2
        while time.monotonic() < end and len(found) < 3:
            try:
                _, cmsgs, _, _ = s.recvmsg(1, 500, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except BlockingIOError:
                time.sleep(0.05)
                continue
            for level, _, value in cmsgs:
                if level != SOCK and len(value) >= 16:
                    _, origin, _, _, info, data = struct.unpack_from("IBBBxII", value)
                    if origin == SO_EE_ORIGIN_TIMESTAMPING:
                        found.add((NAMES.get(info, info), data))
        t.note("stamps", sorted(found))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 900), receive(s, 100))
        t.sync()
