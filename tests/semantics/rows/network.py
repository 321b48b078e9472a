# SPDX-License-Identifier: GPL-2.0-only
"""Connections that are special by how they are made: other protocols, devices, namespaces."""

import contextlib
import os
import socket
import struct

from native import Nft, Sysctl, buffer, run, setsockopt
from row import row
from side import pattern, receive

TCP = socket.IPPROTO_TCP
MPTCP = 262
SOL_MPTCP, MPTCP_INFO, MPTCP_INFO_FLAG_FALLBACK = 284, 1, 1
TCP_FASTOPEN, TCP_MD5SIG, TCP_INFO = 23, 14, 11
MSG_FASTOPEN = 0x20000000
TCPI_OPT_SYN_DATA = 32
CLONE_NEWNET = 0x40000000


def talk(t, s, messages=8):
    """Enough messages each way for the ring, and many bytes."""
    for n in range(messages):
        if t.role == "client":
            s.sendall(bytes([n]) * 100)
            if receive(s, 100) != bytes([n]) * 100:
                t.note("other bytes")
        else:
            s.sendall(receive(s, 100))
    if t.role == "client":
        s.sendall(pattern(200000))
        t.note("recv", receive(s, 200000))
    else:
        t.note("recv", receive(s, 200000))
        s.sendall(pattern(200000, 2))
    t.sync()


@row("TCP fast open: data in the SYN", connect=False, tcp="fast open is TCP's own start",
     why="refused_fastopen")
class FastOpen:
    def client(t):
        run("ip", "tcp_metrics", "flush")
        with Sysctl("net.ipv4.tcp_fastopen", 3):
            address = t.peer()
            for n in range(2):      # the first one asks for the cookie
                s = t.socket()
                t.note("sendto", s.sendto(b"in the SYN", MSG_FASTOPEN, address))
                t.note("recv", receive(s, 2))
                options = s.getsockopt(TCP, TCP_INFO, 8)[5]
                t.require(f"SYN {n} carries data or asks for a cookie",
                          bool(options & TCPI_OPT_SYN_DATA) == (n == 1))
                talk(t, s)
                s.close()

    def server(t):
        with Sysctl("net.ipv4.tcp_fastopen", 3):
            listener = t.listen(lambda s: s.setsockopt(TCP, TCP_FASTOPEN, 5))
            for _ in range(2):
                s, _ = listener.accept()
                t.note("recv", receive(s, 10))
                s.sendall(b"ok")
                talk(t, s)


@row("MPTCP on both sides", connect=False, tcp="its subflows are MPTCP's", why="refused_mptcp")
class Mptcp:
    def both(t):
        s = t.connect(proto=MPTCP)
        talk(t, s)
        flags, = struct.unpack_from("I", s.getsockopt(SOL_MPTCP, MPTCP_INFO, 64), 8)
        t.require("the connection is MPTCP's", flags & MPTCP_INFO_FLAG_FALLBACK == 0)

    client = server = both


@row("MPTCP connects to plain TCP", connect=False, tcp="its subflow is MPTCP's",
     why="refused_mptcp")
class MptcpFallback:
    def client(t):
        s = t.connect(proto=MPTCP)
        talk(t, s)

    def server(t):
        s = t.connect()
        talk(t, s)


def md5_key(t):
    """struct tcp_md5sig for the peer."""
    family, peer = t.config["family"], t.config["peer"]
    raw = socket.inet_pton(family, peer)
    address = (struct.pack("HH", family, 0) + raw if family == socket.AF_INET else
               struct.pack("HHI", family, 0, 0) + raw)
    return buffer(address.ljust(128, b"\0") + struct.pack("BBHi", 0, 0, 6, 0) +
                  b"secret".ljust(80, b"\0"))


@row("TCP_MD5SIG", connect=False, tcp="its signatures are TCP's", why="refused_md5")
class Md5:
    def both(t):
        s = t.connect(lambda s: t.note("key", setsockopt(s, TCP, TCP_MD5SIG, md5_key(t))))
        talk(t, s)

    client = server = both


@row("SO_BINDTODEVICE on both sides", connect=False)
class BindToDevice:
    def both(t):
        def bind(s):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, t.config["nic"].encode())
        s = t.pair(bind)
        talk(t, s)

    client = server = both


@row("SO_BINDTODEVICE to another device: no way to the peer", connect=False,
     tcp="there is no connection")
class BindToOther:
    def client(t):
        address = t.peer()
        s = t.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        s.settimeout(1)
        error = t.call(s.connect, address)
        t.note("connect", error in ("ENETUNREACH", "EHOSTUNREACH", "TimeoutError", "ETIMEDOUT",
                                    "EINVAL"))
        t.sync()

    def server(t):
        t.listen()
        t.sync()


@row("SO_REUSEPORT: two listeners share the connections", connect=False,
     mixed="the first messages of each go by TCP", why="send_unbound")
class ReusePort:
    def client(t):
        address = (t.config["peer"], t.sync())
        socks = [socket.create_connection(address) for _ in range(12)]
        for n in range(6):
            for s in socks:
                s.sendall(bytes([n]) * 500)
            for s in socks:
                receive(s, 1)
        t.note("all", len(socks))
        t.sync()

    def server(t):
        def listener(port):
            s = t.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind((t.config["local"], port))
            s.listen(20)
            s.settimeout(0.3)
            return s
        first = listener(0)
        listeners = [first, listener(first.getsockname()[1])]
        t.sync(first.getsockname()[1])
        socks = []
        for _ in range(60):
            for s in listeners:
                with contextlib.suppress(TimeoutError):
                    socks.append(s.accept()[0])
            if len(socks) >= 12:
                break
        for n in range(6):
            for s in socks:
                t.end_hang(s)
                if receive(s, 500) != bytes([n]) * 500:
                    t.note("other bytes")
                s.sendall(b"y")
        t.note("accepted", len(socks))
        t.sync()


@contextlib.contextmanager
def namespace_behind(t):
    """A network namespace of this guest whose packets go out under the guest's address."""
    name = f"sem{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", "semv0", "type", "veth", "peer", "name", "semv1", "netns", name)
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "semv0")
        run("ip", "link", "set", "semv0", "up")
        for line in ("link set lo up", "addr add 10.77.0.2/24 dev semv1", "link set semv1 up",
                     "route add default via 10.77.0.1"):
            run("ip", "-n", name, *line.split())
        with Sysctl("net.ipv4.ip_forward", 1), Nft(
                "chain p { type nat hook postrouting priority srcnat;"
                f" ip saddr 10.77.0.0/24 oifname {t.config['nic']} masquerade; }}"):
            yield name
    finally:
        run("ip", "netns", "del", name)


@row("a network namespace behind address translation", connect=False,
     tcp="the two ends don't see the same addresses", why="send_unbound")
class Namespace:
    def client(t):
        if t.config["family"] != socket.AF_INET:
            t.note("only IPv4")
            t.sync()
            return
        with namespace_behind(t) as name:
            address = t.peer()
            home = os.open("/proc/self/ns/net", os.O_RDONLY)
            with open(f"/run/netns/{name}", "rb") as ns:
                os.setns(ns.fileno(), CLONE_NEWNET)
            s = t.socket()
            os.setns(home, CLONE_NEWNET)
            s.connect(address)
            talk(t, s)
            s.close()

    def server(t):
        if t.config["family"] != socket.AF_INET:
            t.note("only IPv4")
            t.sync()
            return
        listener = t.listen()
        s, _ = listener.accept()
        talk(t, s)


@row("an IPv6 socket with IPv4 addresses, and IPV6_ADDRFORM", connect=False,
     mixed="the socket is given back to TCP when it becomes an IPv4 one", why="flow_given_back")
class Mapped:
    def client(t):
        port = t.sync()
        s = socket.socket(socket.AF_INET6)
        if t.config["family"] == socket.AF_INET:
            s.connect(("::ffff:" + t.config["peer"], port))
        else:
            s.connect((t.config["peer"], port))
        t.warm(s)
        s.sendall(b"x" * 1000)
        t.note("recv", receive(s, 2))
        if t.config["family"] == socket.AF_INET:
            t.note_call("become IPv4", s.setsockopt, socket.IPPROTO_IPV6, 1, socket.AF_INET)
            t.note("family", s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN))
        s.sendall(b"y" * 1000)
        t.note("recv", receive(s, 2))
        t.sync()

    def server(t):
        listener = t.listen()
        s, _ = listener.accept()
        t.warm(s)
        for letter in (b"x", b"y"):
            t.note("recv", receive(s, 1000) == letter * 1000)
            s.sendall(b"ok")
        t.sync()
