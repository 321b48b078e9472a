# SPDX-License-Identifier: GPL-2.0-only
"""kTLS on a connection that goes by the ring: it becomes TCP's, and nothing is lost."""

import socket
import struct

from native import buffer, run, setsockopt
from row import row
from side import pattern, readable, receive

SOL_TLS, TLS_TX, TLS_RX = 282, 1, 2
TCP_ULP = 31
GIVEN_BACK = "the socket is given back to TCP for TLS"


def crypto(version, key):
    """struct tls12_crypto_info_aes_gcm_128 with fixed keys."""
    return buffer(struct.pack("HH8s16s4s8s", version, 51, bytes([key]) * 8, bytes([key + 1]) * 16,
                              bytes([key + 2]) * 4, bytes(8)))


def set_ulp(s):
    run("modprobe", "tls")
    s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")


def set_keys(t, s, version, tx, rx):
    for name, option, key in (("TX", TLS_TX, tx), ("RX", TLS_RX, rx)):
        result = setsockopt(s, SOL_TLS, option, crypto(version, key))
        t.require(f"TLS has its {name} key: {result}", result == 0)


def start_tls(t, s, version, tx, rx):
    set_ulp(s)
    set_keys(t, s, version, tx, rx)
    t.sync()


@row("kTLS 1.3 in the middle of a connection: bytes both ways, then the end", mixed=GIVEN_BACK,
     why="flow_given_back")
class Tls13:
    def client(t, s):
        s.sendall(b"plain" * 100)
        t.sync()
        start_tls(t, s, 0x304, 10, 20)
        s.sendall(pattern(100000))
        t.note("recv", receive(s, 100000))
        s.close()
        t.sync()

    def server(t, s):
        t.note("plain", receive(s, 500))
        t.sync()
        start_tls(t, s, 0x304, 20, 10)
        t.note("recv", receive(s, 100000))
        s.sendall(pattern(100000, 2))
        t.note("end", s.recv(10))
        t.sync()


@row("kTLS 1.2: sendfile, a record in pieces, MSG_PEEK", mixed=GIVEN_BACK, why="flow_given_back")
class Tls12:
    def client(t, s):
        s.sendall(b"plain")
        t.sync()
        start_tls(t, s, 0x303, 1, 2)
        with open("/tmp/semantics-tls", "wb+") as f:
            f.write(pattern(50000))
            f.seek(0)
            t.note("sendfile", s.sendfile(f))
        t.sync()
        t.note("recv", receive(s, 5))

    def server(t, s):
        t.note("plain", receive(s, 5))
        t.sync()
        start_tls(t, s, 0x303, 2, 1)
        t.note("readable", readable(s, 5), s.recv(10, socket.MSG_PEEK))
        t.note("recv", receive(s, 50000, 777))
        t.sync()
        s.sendall(b"reply")


@row("TCP_ULP with unread bytes and bytes still to be sent", mixed=GIVEN_BACK,
     why="flow_given_back")
class UlpUnread:
    def client(t, s):
        s.sendall(pattern(60000))
        t.sync()
        start_tls(t, s, 0x303, 1, 2)
        s.sendall(b"encrypted")
        t.note("recv", receive(s, 2))
        t.sync()

    def server(t, s):
        t.sync()
        t.note("plain, unread", readable(s, 5))
        set_ulp(s)
        t.note("plain", receive(s, 60000))
        set_keys(t, s, 0x303, 2, 1)
        t.sync()
        t.note("recv", receive(s, 9))
        s.sendall(b"ok")
        t.sync()


@row("an unknown TCP_ULP: the error, and the connection goes on", mixed=GIVEN_BACK,
     why="flow_given_back")
class UlpUnknown:
    def client(t, s):
        s.sendall(b"before")
        t.sync()
        t.note_call("ULP", s.setsockopt, socket.IPPROTO_TCP, TCP_ULP, b"nothing")
        s.sendall(b"after")
        t.note("recv", receive(s, 2))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 6))
        t.sync()
        t.note("recv", receive(s, 5))
        s.sendall(b"ok")
        t.sync()
