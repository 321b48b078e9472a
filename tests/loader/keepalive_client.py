#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""keepalive_client.py ADDRESS PORT FILE: a little to an echo server, again and again, with
keepalive of a few seconds; FILE says "connected" when a hundred messages have come back, and
in the end by which error it ended."""
import errno
import socket
import sys
import time

SIZE = 10


def say(text):
    with open(sys.argv[3], "w", encoding="ascii") as f:
        f.write(f"{text}\n")


def write_on(sock):
    """Without waiting for what comes back."""
    sock.setblocking(False)
    while True:
        sock.send(b"x" * SIZE)
        try:
            sock.recv(1 << 16)
        except BlockingIOError:
            pass
        time.sleep(0.1)


def main():
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
    for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 3)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for _ in range(100):
        sock.sendall(b"x" * SIZE)
        sock.recv(SIZE, socket.MSG_WAITALL)
    say("connected")
    try:
        write_on(sock)
    except OSError as error:
        say(errno.errorcode[error.errno])


main()
