# SPDX-License-Identifier: GPL-2.0-only
"""Many connections: one after the other, and at once."""

import select
import socket

from row import row
from side import receive


@row("short connections, one after the other", connect=False, is_storm=True,
     tcp="a question and its answer gain nothing by the ring", why="send_unbound")
class Short:
    def client(t):
        address = t.peer()
        good = 0
        for n in range(t.config["storm"]):
            with socket.socket(t.config["family"]) as s:
                s.connect(address)
                question = n.to_bytes(8, "big")
                s.sendall(question)
                good += receive(s, 100) == question * 2
        t.note("good answers", good)
        t.sync()

    def server(t):
        listener = t.listen()
        good = 0
        for n in range(t.config["storm"]):
            s, _ = listener.accept()
            with s:
                question = receive(s, 8)
                good += question == n.to_bytes(8, "big")
                s.sendall(question * 2)
        t.note("good questions", good)
        t.sync()


@row("connections as many as a quarter of a storm, all at once, and much by each", connect=False,
     is_storm=True, mixed="the first messages of each go by TCP", why="send_unbound")
class AtOnce:
    def client(t):
        nr = t.config["storm"] // 4
        address = t.peer()
        socks = [t.socket() for _ in range(nr)]
        for s in socks:
            s.setblocking(False)
            s.connect_ex(address)
        poll = select.poll()
        for s in socks:
            poll.register(s, select.POLLOUT)
        connected = set()
        while len(connected) < nr:
            for fd, _ in poll.poll(5000):
                connected.add(fd)
                poll.unregister(fd)
        for s in socks:
            t.end_hang(s)
        good = 0
        for n in range(6):
            for i, s in enumerate(socks):
                s.sendall(bytes([n, i % 256]) * 2000)
            for i, s in enumerate(socks):
                good += receive(s, 2) == bytes([n, i % 256])
        t.note("good answers", good)
        for s in socks:
            s.close()
        t.sync()

    def server(t):
        nr = t.config["storm"] // 4
        listener = t.listen()
        socks = [listener.accept()[0] for _ in range(nr)]
        good = 0
        for _ in range(6):
            for s in socks:
                data = receive(s, 4000)
                good += data == data[:2] * 2000
                s.sendall(data[:2])
        t.note("good questions", good)
        t.note("ends", sum(s.recv(1) == b"" for s in socks))
        t.sync()


@row("connect to a port where nobody listens, accept without a connection", connect=False,
     tcp="there is no connection")
class Refused:
    def client(t):
        address = t.peer()
        s = t.socket()
        t.end_hang(s)
        t.note_call("connect", s.connect, (address[0], 9))
        t.sync()

    def server(t):
        listener = t.listen()
        listener.setblocking(False)
        t.note_call("accept", listener.accept)
        t.sync()


@row("accept: a connection that was reset or ended before it is taken", connect=False,
     tcp="it ends before it has sent much", why="send_unbound")
class EndedBeforeAccept:
    def client(t):
        address = t.peer()
        s = t.socket()
        s.connect(address)
        s.sendall(b"hello")
        s.close()
        t.sync()
        t.sync()

    def server(t):
        listener = t.listen()
        t.sync()
        s, _ = listener.accept()
        t.note("recv", receive(s, 5), s.recv(1))
        t.sync()
