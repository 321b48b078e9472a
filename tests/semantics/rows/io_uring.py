# SPDX-License-Identifier: GPL-2.0-only
"""io_uring: requests that wait, complete, are cancelled, are linked."""

import ctypes
import select
import socket
import time

import uring
from native import Msghdr, buffer, error_name, iovecs
from row import row
from side import drain, pattern, receive
from uring import Uring

SIZE = 3 << 20


def shown(cqe):
    if not cqe:
        return "nothing"
    user, result, _ = cqe
    return f"request {user}: {result if result >= 0 else error_name(-result)}"


@row("io_uring recv: waits for data, then completes; at the end 0")
class Recv:
    def client(t, s):
        ring = Uring()
        data = ctypes.create_string_buffer(100)
        ring.submit(uring.RECV, s.fileno(), data, 100, user=1)
        t.note("before", shown(ring.wait(0.3)))
        t.sync()
        t.note("data", shown(ring.wait()), data.value)
        ring.submit(uring.RECV, s.fileno(), data, 100, socket.MSG_WAITALL, user=2)
        t.sync()
        t.note("all", shown(ring.wait()), data.raw == b"y" * 100)
        ring.submit(uring.READ, s.fileno(), data, 100, user=3)
        t.sync()
        t.note("end", shown(ring.wait()))

    def server(t, s):
        t.sync()
        s.send(b"hello")
        t.sync()
        s.send(b"y" * 60)
        time.sleep(0.2)
        s.send(b"y" * 40)
        t.sync()
        s.shutdown(socket.SHUT_WR)


@row("io_uring send: much more than the window with MSG_WAITALL, and write")
class Send:
    def client(t, s):
        ring = Uring()
        data = buffer(pattern(SIZE))
        ring.submit(uring.SEND, s.fileno(), data, SIZE, socket.MSG_WAITALL, user=1)
        t.note("full window", shown(ring.wait(0.4)))
        t.sync()
        t.note("sent", shown(ring.wait(12 * t.config["patience"])))
        ring.submit(uring.WRITE, s.fileno(), data, 1000, user=2)
        t.note("write", shown(ring.wait()))
        t.sync()

    def server(t, s):
        t.sync()
        t.note("recv", receive(s, SIZE))
        t.note("recv", receive(s, 1000))
        t.sync()


@row("io_uring sendmsg and recvmsg, linked")
class Messages:
    def client(t, s):
        ring = Uring()
        parts = [buffer(b"one"), buffer(b"two" * 1000)]
        vectors = iovecs(parts)
        out = Msghdr(iov=ctypes.addressof(vectors), iovlen=2)
        back = ctypes.create_string_buffer(10)
        back_vector = iovecs([back])
        into = Msghdr(iov=ctypes.addressof(back_vector), iovlen=1)
        ring.submit(uring.SENDMSG, s.fileno(), out, 1, user=1, sqe_flags=uring.SQE_IO_LINK)
        ring.submit(uring.RECVMSG, s.fileno(), into, 1, user=2)
        t.note(shown(ring.wait()))
        t.note(shown(ring.wait()), back.value)
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 3003))
        s.send(b"answer")
        t.sync()


@row("io_uring: a waiting recv is cancelled, a poll completes, a shutdown ends a recv")
class Cancel:
    def client(t, s):
        ring = Uring()
        data = ctypes.create_string_buffer(100)
        ring.submit(uring.RECV, s.fileno(), data, 100, user=1)
        t.note("before", shown(ring.wait(0.1)))
        ring.submit(uring.ASYNC_CANCEL, -1, user=9, address=1)
        t.note(sorted([shown(ring.wait()), shown(ring.wait())]))
        ring.submit(uring.RECV, s.fileno(), data, 100, user=5)
        ring.submit(uring.POLL_ADD, s.fileno(), flags=select.POLLIN, user=2)
        t.sync()
        t.note(sorted([shown(ring.wait()), shown(ring.wait())]))
        t.note("data", data.value)
        ring.submit(uring.RECV, s.fileno(), data, 100, user=3)
        t.note("before", shown(ring.wait(0.1)))
        ring.submit(uring.SHUTDOWN, s.fileno(), length=socket.SHUT_RDWR, user=4)
        t.note(sorted([shown(ring.wait()), shown(ring.wait())]))
        t.sync()

    def server(t, s):
        t.sync()
        s.send(b"data")
        t.note("end", *drain(s))
        t.sync()


@row("io_uring SEND_ZC: the bytes, the result, and the notification")
class SendZc:
    def client(t, s):
        ring = Uring()
        data = buffer(pattern(100000))
        ring.submit(uring.SEND_ZC, s.fileno(), data, 100000, socket.MSG_WAITALL, user=1)
        user, result, flags = ring.wait(8) or (0, 0, 0)
        t.note("result", user, result, "more" if flags & uring.CQE_F_MORE else "no more")
        user, result, flags = ring.wait(8) or (0, 0, 0)
        t.note("then", user, "notification" if flags & uring.CQE_F_NOTIF else "something else")
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 100000))
        t.sync()
