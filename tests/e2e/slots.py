#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""slots.py ADDRESS PORT: two connections to an echo server, and a ring whose slots are all taken

Asks and answers on both until the ring carries them, and says "ready". At each line on stdin:
  fill    writes single bytes on the first connection until it blocks, then one on the
          second, which has nothing in the ring; says how many, and the second's milliseconds
  read    reads back all that both have written
  ask N   asks N times on the second connection
  end     ends
"""
import select
import socket
import sys
import time

SIZE = 1000


def ask(sock, times):
    for _ in range(times):
        sock.sendall(b"x" * SIZE)
        if len(sock.recv(SIZE, socket.MSG_WAITALL)) < SIZE:
            sys.exit("the server has closed")


def fill(first, second):
    count = 0
    first.setblocking(False)
    try:
        while True:
            first.send(b"x")
            count += 1
    except BlockingIOError:
        first.settimeout(60)
    begin = time.monotonic()
    second.sendall(b"x")
    print(count, round((time.monotonic() - begin) * 1000), flush=True)
    return count


def main():
    socks = [socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) for _ in range(2)]
    for sock in socks:
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask(sock, 50)
    count = 0
    print("ready", flush=True)
    for line in sys.stdin:
        what, *times = line.split()
        if what == "end":
            break
        if what == "fill":
            count = fill(*socks)
        elif what == "read":
            if len(socks[0].recv(count, socket.MSG_WAITALL)) + len(socks[1].recv(1)) < count + 1:
                sys.exit("the server has closed")
            print("all", flush=True)
        else:
            ask(socks[1], int(times[0]))
            print("answered", flush=True)


main()
