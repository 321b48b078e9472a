# SPDX-License-Identifier: GPL-2.0-only
"""What TCP tells about a connection: TCP_INFO and ss."""

import collections
import socket
import struct
import time

from asking import until
from native import run
from row import row
from side import pattern, receive

#        name, format, offset in struct tcp_info
FIELDS = (("state", "B", 0), ("ca_state", "B", 1), ("retransmits", "B", 2), ("probes", "B", 3),
          ("backoff", "B", 4), ("rto", "I", 8), ("snd_mss", "I", 16), ("rcv_mss", "I", 20),
          ("unacked", "I", 24), ("sacked", "I", 28), ("lost", "I", 32), ("retrans", "I", 36),
          ("last_data_sent", "I", 44), ("last_data_recv", "I", 52), ("last_ack_recv", "I", 56),
          ("pmtu", "I", 60), ("rtt", "I", 68), ("snd_cwnd", "I", 80), ("advmss", "I", 84),
          ("rcv_space", "I", 96), ("total_retrans", "I", 100), ("bytes_acked", "Q", 120),
          ("bytes_received", "Q", 128), ("segs_out", "I", 136), ("segs_in", "I", 140),
          ("data_segs_in", "I", 152), ("data_segs_out", "I", 156), ("delivered", "I", 192),
          ("notsent_bytes", "I", 144), ("min_rtt", "I", 148),
          ("bytes_sent", "Q", 200), ("bytes_retrans", "Q", 208), ("snd_wnd", "I", 228),
          ("rcv_wnd", "I", 232))
ESTABLISHED = 1


def info(s):
    data = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return {name: struct.unpack_from(kind, data, at)[0] for name, kind, at in FIELDS}


def note_bytes(t, before, now):
    """What the connection has carried since; without what a slow host made TCP send twice."""
    sent, again, acked, received = (now[name] - before[name] for name in (
        "bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received"))
    t.note("bytes sent", sent - again, "acknowledged", acked, "received", received)


def note_segments(t, before, now):
    """Not fewer than the bytes need; netfront counts a received one of 64 KiB as one."""
    gain = {name: now[name] - before[name] for name in now}
    need = {"segs_out": gain["bytes_sent"] / now["snd_mss"],
            "data_segs_out": gain["bytes_sent"] / now["snd_mss"],
            "delivered": gain["bytes_acked"] / now["snd_mss"],
            "segs_in": gain["bytes_received"] / 65536, "data_segs_in": gain["bytes_received"] / 65536}
    few = [name for name, least in need.items() if gain[name] < least]
    t.note("too few:", ", ".join(few) or "none")


def note_sane(t, now):
    """Each value within what makes sense; the wrong ones by name."""
    bounds = {"state": (1, 1), "ca_state": (0, 1), "retransmits": (0, 0), "probes": (0, 0),
              "backoff": (0, 0), "rto": (1000, 120000000), "snd_mss": (500, 65535),
              "rcv_mss": (88, 65535), "unacked": (0, 0), "sacked": (0, 0), "lost": (0, 0),
              "retrans": (0, 0), "pmtu": (576, 65535), "rtt": (1, 5000000),
              "snd_cwnd": (1, 1 << 20), "advmss": (500, 65535), "rcv_space": (1000, 1 << 24),
              "notsent_bytes": (0, 0), "min_rtt": (1, 5000000), "snd_wnd": (1, 1 << 30),
              "rcv_wnd": (1, 1 << 30)}
    wrong = [f"{name}={now[name]}" for name, (low, high) in bounds.items()
             if not low <= now[name] <= high]
    t.note("strange values:", ", ".join(wrong) or "none")


def transfer(t, s, size, first):
    if first:
        s.sendall(pattern(size))
    else:
        receive(s, size)
    t.sync()


@row("TCP_INFO: bytes sent, acknowledged, received, and no strange value")
class Info:
    def client(t, s):
        until(lambda: info(s)["unacked"], 0)
        before = info(s)
        t.sync()
        transfer(t, s, 300000, True)
        transfer(t, s, 70000, False)
        until(lambda: info(s)["unacked"], 0)
        now = info(s)
        note_bytes(t, before, now)
        note_segments(t, before, now)
        note_sane(t, now)
        t.sync()

    def server(t, s):
        until(lambda: info(s)["unacked"], 0)
        before = info(s)
        t.sync()
        transfer(t, s, 300000, False)
        transfer(t, s, 70000, True)
        until(lambda: info(s)["unacked"], 0)
        now = info(s)
        note_bytes(t, before, now)
        note_segments(t, before, now)
        note_sane(t, now)
        t.sync()


@row("TCP_INFO: when data was last sent and received")
class InfoTimes:
    def client(t, s):
        t.sync()
        time.sleep(1.5)
        t.note("idle", info(s)["last_data_sent"] >= 1000)
        t.sync()
        s.sendall(b"x" * 100)
        t.note("sent", info(s)["last_data_sent"] < 1000)
        t.sync()

    def server(t, s):
        t.sync()
        time.sleep(1.5)
        t.note("idle", info(s)["last_data_recv"] >= 1000)
        t.sync()
        receive(s, 100)
        t.note("received", info(s)["last_data_recv"] < 1000)
        t.sync()


@row("TCP_INFO on a full window: the reader's window is used up, something is under way")
class InfoFull:
    def client(t, s):
        sent = t.fill(s)
        now = info(s)
        t.note("state", now["state"], "under way", now["unacked"] + now["notsent_bytes"] > 0)
        t.sync(sent)
        t.sync()

    def server(t, s):
        sent = t.sync()
        now = info(s)
        t.note("state", now["state"])
        t.note("all", len(receive(s, sent)) == sent)
        t.sync()


def ss(s):
    """state, Recv-Q, Send-Q, and the numbers of ss -ti by name; a zero isn't shown."""
    port, peer = s.getsockname()[1], s.getpeername()[1]
    text = run("ss", "-Htin", f"( sport = :{port} and dport = :{peer} )").split()
    numbers = collections.defaultdict(int)
    for word in text[5:]:
        name, colon, value = word.partition(":")
        if colon and value.isdigit():
            numbers[name] = int(value)
    return text[0], int(text[1]), int(text[2]), numbers


@row("ss -ti: state, queues and bytes")
class Ss:
    def client(t, s):
        until(lambda: info(s)["unacked"], 0)
        before = ss(s)[3]
        t.sync()
        s.sendall(b"x" * 3000)
        until(lambda: ss(s)[2], 0)
        state, recvq, sendq, now = ss(s)
        t.note("ss", state, recvq, sendq)
        note_bytes(t, before, now)
        t.note("shown", [name in now for name in ("mss", "rcvmss", "cwnd", "rcv_space")],
               [name in now for name in ("retrans", "lost", "unacked", "notsent")])
        t.sync()

    def server(t, s):
        until(lambda: info(s)["unacked"], 0)
        before = ss(s)[3]
        t.sync()
        until(lambda: ss(s)[1], 3000)
        state, recvq, sendq, now = ss(s)
        t.note("ss", state, recvq, sendq)
        note_bytes(t, before, now)
        t.note("recv", receive(s, 3000))
        t.note("Recv-Q", ss(s)[1])
        t.sync()
