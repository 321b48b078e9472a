# SPDX-License-Identifier: GPL-2.0-only
"""Stateful firewalls in both guests, which see only what goes by TCP."""

import socket
import time

from native import Nft, Sysctl
from row import row
from side import drain, pattern, receive

ESTABLISHED_TIMEOUT = "net.netfilter.nf_conntrack_tcp_timeout_established"
TIMEOUT = 11    # seconds; more than those after which a flow shows itself (kmod/path.c)


def rules(port):
    """Only what conntrack knows, and new connections."""
    chain = "ct state invalid counter drop; ct state established,related accept; {} drop;"
    return (f"chain i {{ type filter hook input priority 0; tcp dport {port} jump f;"
            f" tcp sport {port} jump f; }}\n"
            f"chain f {{ {chain.format('tcp flags & (fin|syn|rst|ack) == syn accept;')} }}")


def loose(port):
    """Drops what is invalid, and nothing else: conntrack may pick up in the middle."""
    return (f"chain i {{ type filter hook input priority 0;"
            f" tcp dport {port} ct state invalid counter drop;"
            f" tcp sport {port} ct state invalid counter drop; }}")


def connect(t, make_rules, function):
    """A pair whose both ends are behind the rules, from before it is made."""
    if t.role == "server":
        listener = t.socket()
        listener.bind((t.config["local"], 0))
        listener.listen()
        port = listener.getsockname()[1]
        with Nft(make_rules(port)):
            t.sync(port)
            t.sync()
            s, _ = listener.accept()
            t.warm(s)
            t.sync()
            function(s)
    else:
        port = t.sync()
        with Nft(make_rules(port)):
            t.sync()
            s = t.socket()
            s.connect((t.config["peer"], port))
            t.warm(s)
            t.sync()
            function(s)


def is_tracked(s):
    ports = {f"sport={s.getsockname()[1]}", f"sport={s.getpeername()[1]}"}
    with open("/proc/net/nf_conntrack") as f:
        return any(ports <= set(line.split()) for line in f)


def idle(t, s):
    """Until conntrack has forgotten the connection, on both sides."""
    t.require("conntrack knows the connection", is_tracked(s))
    t.sync()
    time.sleep(TIMEOUT + 2)
    t.require("conntrack has forgotten it", not is_tracked(s))
    t.sync(wait=30)


def note_end(t, s):
    t.end_hang(s)
    data, end = drain(s)
    t.note("received", data, end)


@row("nf_conntrack: a few bytes, then the end", connect=False)
class Few:
    def client(t):
        def talk(s):
            s.sendall(b"x" * 1000)
            s.shutdown(socket.SHUT_WR)
            note_end(t, s)
            t.sync()
        connect(t, rules, talk)

    def server(t):
        def talk(s):
            note_end(t, s)
            s.sendall(b"answer")
            s.close()
            t.sync()
        connect(t, rules, talk)


@row("nf_conntrack: 8 MiB, then the end", connect=False)
class Many:
    def client(t):
        data = pattern(1 << 20)

        def talk(s):
            for _ in range(8):
                s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            note_end(t, s)
            t.sync()
        connect(t, rules, talk)

    def server(t):
        def talk(s):
            t.end_hang(s)
            data, end = drain(s, 1 << 18)
            t.note("received", len(data), end)
            s.sendall(b"answer")
            s.close()
            t.sync(wait=20)
        connect(t, rules, talk)


@row("nf_conntrack: idle for longer than its time-out, then bytes both ways and the end",
     connect=False)
class Idle:
    def client(t):
        def talk(s):
            s.sendall(b"before")
            t.note("recv", receive(s, 6))
            idle(t, s)
            t.end_hang(s)
            s.sendall(b"after it")
            t.note("recv", receive(s, 6))
            s.shutdown(socket.SHUT_WR)
            note_end(t, s)
            t.sync()
        with Sysctl(ESTABLISHED_TIMEOUT, TIMEOUT):
            connect(t, loose, talk)

    def server(t):
        def talk(s):
            t.note("recv", receive(s, 6))
            s.sendall(b"answer")
            idle(t, s)
            t.note("recv", receive(s, 8))
            s.sendall(b"answer")
            note_end(t, s)
            s.close()
            t.sync()
        with Sysctl(ESTABLISHED_TIMEOUT, TIMEOUT):
            connect(t, loose, talk)
