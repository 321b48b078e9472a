# SPDX-License-Identifier: GPL-2.0-only
"""MSG_ZEROCOPY and its completions; TCP_ZEROCOPY_RECEIVE."""

import ctypes
import mmap
import select
import socket
import struct
import time

from native import LIBC, error_name, libc
from row import row
from side import pattern, receive

SO_ZEROCOPY = 60
MSG_ZEROCOPY = 0x4000000
SO_EE_ORIGIN_ZEROCOPY = 5
TCP_ZEROCOPY_RECEIVE = 35


def completions(s, upto, wait=8):
    """The numbers of the messages that are told complete, in order; UPTO is the last one."""
    done = []
    poll = select.poll()
    poll.register(s, 0)     # POLLERR
    end = time.monotonic() + wait
    while upto not in done and time.monotonic() < end:
        poll.poll(200)
        try:
            _, cmsgs, _, _ = s.recvmsg(1, 200, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        for _, _, value in cmsgs:
            number, origin, _, _, low, high = struct.unpack_from("IBBBxII", value)
            if number == 0 and origin == SO_EE_ORIGIN_ZEROCOPY:
                done += range(low, high + 1)
    return sorted(done)


@row("MSG_ZEROCOPY: every byte, and a completion for each message",
     mixed="completions are TCP's to give", why="send_zerocopy")
class Zerocopy:
    def client(t, s):
        t.note_call("set", s.setsockopt, socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        s.sendall(b"plain")
        data = memoryview(pattern(120000))      # must stay as it is until it is complete
        for i in range(4):
            t.note("send", s.send(data[i * 30000:(i + 1) * 30000], MSG_ZEROCOPY))
        s.sendall(b"again")
        t.note("complete", completions(s, 3))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 5), receive(s, 120000), receive(s, 5))
        t.sync()


@row("MSG_ZEROCOPY without SO_ZEROCOPY is an ordinary send")
class ZerocopyUnset:
    def client(t, s):
        t.note_call("send", s.send, b"x" * 10000, MSG_ZEROCOPY)
        t.note("complete", completions(s, 0, 0.3))
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 10000))
        t.sync()


class Receive(ctypes.Structure):
    """struct tcp_zerocopy_receive"""

    _fields_ = [("address", ctypes.c_uint64), ("length", ctypes.c_uint32),
                ("recv_skip_hint", ctypes.c_uint32), ("inq", ctypes.c_uint32),
                ("err", ctypes.c_int32), ("copybuf_address", ctypes.c_uint64),
                ("copybuf_len", ctypes.c_int32), ("flags", ctypes.c_uint32),
                ("msg_control", ctypes.c_uint64), ("msg_controllen", ctypes.c_uint64),
                ("msg_flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


def zerocopy_receive(s, address, length):
    z = Receive(address=address, length=length)
    size = ctypes.c_uint(ctypes.sizeof(z))
    result = libc("getsockopt", s.fileno(), socket.IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE,
                  ctypes.byref(z), ctypes.byref(size))
    return result, z


@row("TCP_ZEROCOPY_RECEIVE: what is mapped and what has to be copied are all the bytes")
class ZerocopyReceive:
    def client(t, s):
        t.sync()
        s.sendall(pattern(400000))
        t.sync()

    def server(t, s):
        length = 1 << 16
        address = LIBC.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, s.fileno(), 0)
        t.note("mmap", address not in (None, ctypes.c_void_p(-1).value)
               or error_name(ctypes.get_errno()))
        t.sync()
        data = b""
        results = set()
        end = time.monotonic() + 10 * t.config["patience"]
        while len(data) < 400000 and time.monotonic() < end:
            select.select([s], [], [], 5)
            result, z = zerocopy_receive(s, address, length)
            results.add(result)
            if result != 0:
                data += s.recv(length)
                continue
            if z.err:
                results.add(error_name(-z.err))
            data += ctypes.string_at(address, z.length)
            if z.recv_skip_hint:
                data += s.recv(z.recv_skip_hint)
        t.note("results", sorted(str(r) for r in results))
        t.note("data", data)
        t.sync()
