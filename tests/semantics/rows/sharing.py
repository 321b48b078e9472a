# SPDX-License-Identifier: GPL-2.0-only
"""One connection, several descriptors, processes, threads."""

import os
import socket
import threading
import time

from row import row
from side import drain, readable, receive


@row("dup: the connection lasts as long as its last descriptor")
class Dup:
    def client(t, s):
        other = s.dup()
        s.close()
        other.sendall(b"by the copy")
        t.sync()
        t.note("recv", receive(other, 6))
        other.close()
        t.sync()

    def server(t, s):
        t.note("recv", receive(s, 11), readable(s, 0.2))
        s.send(b"answer")
        t.sync()
        t.note("end", s.recv(1))
        t.sync()


@row("fork: parent and child write to one connection, the child's end is not the connection's")
class Fork:
    def client(t, s):
        pid = os.fork()
        if not pid:
            for _ in range(50):
                s.sendall(b"c" * 1000)
            os._exit(0)
        for _ in range(50):
            s.sendall(b"p" * 1000)
        os.waitpid(pid, 0)
        s.sendall(b"last")
        t.sync()
        t.note("recv", receive(s, 2))

    def server(t, s):
        data = receive(s, 100004)
        t.note("of each", data.count(b"c"), data.count(b"p"), data[-4:])
        blocks = [data[i * 1000:(i + 1) * 1000] for i in range(100)]
        t.note("messages in one piece", all(len(set(b)) == 1 for b in blocks))
        t.note("no end", readable(s, 0.2))
        t.sync()
        s.send(b"ok")


@row("fork: two processes read from one connection, every byte once")
class ForkRead:
    def client(t, s):
        for i in range(200):
            s.sendall(bytes([i]) * 500)
        s.shutdown(socket.SHUT_WR)
        t.sync()

    def server(t, s):
        counts = [0] * 200
        reader, writer = os.pipe()
        pid = os.fork()
        data, end = drain(s, 500)
        if not pid:
            os.close(reader)
            while data:
                data = data[os.write(writer, data):]
            os._exit(0)
        os.close(writer)
        while more := os.read(reader, 1 << 16):
            data += more
        os.waitpid(pid, 0)
        for value in data:
            counts[value] += 1
        t.note("every byte", len(data), set(counts), end)
        t.sync()


@row("SCM_RIGHTS: another process goes on with the connection")
class Rights:
    def client(t, s):
        t.sync()
        s.sendall(b"to whoever has it")
        t.note("recv", receive(s, 16))
        t.sync()

    def server(t, s):
        here, there = socket.socketpair()
        pid = os.fork()
        if not pid:
            s.close()
            here.close()
            _, fds, _, _ = socket.recv_fds(there, 1, 1)
            received = socket.socket(fileno=fds[0])
            there.recv(1)
            t.note("recv", receive(received, 17))
            received.sendall(b"from another one")
            os._exit(0)
        socket.send_fds(here, [b"x"], [s.fileno()])
        s.close()
        here.send(b"x")
        t.sync()
        os.waitpid(pid, 0)
        t.sync()


@row("threads write and read one connection at once, both ways")
class Threads:
    def both(t, s):
        def write(value):
            for _ in range(40):
                s.sendall(bytes([value]) * 2000)
        writers = [threading.Thread(target=write, args=(v,)) for v in (1, 2, 3)]
        for thread in writers:
            thread.start()
        data = receive(s, 240000)
        for thread in writers:
            thread.join()
        t.note("of each", [data.count(bytes([v])) for v in (1, 2, 3)])
        t.sync()

    client = server = both


@row("close in one thread while another one is blocked in recv")
class CloseUnder:
    def client(t, s):
        got = []
        thread = threading.Thread(target=lambda: got.append(t.call(s.recv, 10)))
        thread.start()
        time.sleep(0.3)
        os.close(os.dup(s.fileno()))
        fd = s.detach()
        os.close(fd)
        t.sync()
        thread.join(5)
        t.note("recv", got)

    def server(t, s):
        t.sync()
        s.send(b"still")
        t.note("end", *drain(s))
