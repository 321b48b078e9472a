# SPDX-License-Identifier: GPL-2.0-only
"""Stateful firewalls in both guests, which see only what goes by TCP."""

import socket
import time

from native import Nft, Sysctl
from row import row
from side import drain, pattern, receive

ESTABLISHED_TIMEOUT = "net.netfilter.nf_conntrack_tcp_timeout_established"


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


def note_end(t, s):
    s.settimeout(4)
    data, end = drain(s)
    t.note("received", data, end)


@row("nf_conntrack: a few bytes, then the end", connect=False, timeout=30)
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


@row("nf_conntrack: 8 MiB, then the end", connect=False, timeout=40)
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
            s.settimeout(4)
            data, end = drain(s, 1 << 18)
            t.note("received", len(data), end)
            s.sendall(b"answer")
            s.close()
            t.sync(wait=20)
        connect(t, rules, talk)


@row("nf_conntrack: idle for longer than its time-out, then bytes both ways and the end",
     connect=False, timeout=40)
class Idle:
    def client(t):
        def talk(s):
            with Sysctl(ESTABLISHED_TIMEOUT, 1):
                s.sendall(b"before")
                t.note("recv", receive(s, 6))
                t.sync()
                time.sleep(3)
                t.sync()
                s.settimeout(4)
                s.sendall(b"after it")
                t.note("recv", receive(s, 6))
                s.shutdown(socket.SHUT_WR)
                note_end(t, s)
                t.sync()
        connect(t, loose, talk)

    def server(t):
        def talk(s):
            with Sysctl(ESTABLISHED_TIMEOUT, 1):
                t.note("recv", receive(s, 6))
                s.sendall(b"answer")
                t.sync()
                time.sleep(3)
                t.sync()
                t.note("recv", receive(s, 8))
                s.sendall(b"answer")
                note_end(t, s)
                s.close()
                t.sync()
        connect(t, loose, talk)
