#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A TCP connection from one local address to another that is checked on demand.

connection.py up                bring lo up
connection.py ADDRESS ADDRESS   connect; for each line on stdin, pass bytes both ways
                                and print "ok", or what went wrong
"""
import fcntl
import os
import socket
import struct
import sys

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def passes(src, dst):
    data = os.urandom(20000)
    src.sendall(data)
    got = b""
    while len(got) < len(data):
        part = dst.recv(len(data) - len(got))
        if not part:
            return False
        got += part
    return got == data


def main():
    if sys.argv[1] == "up":
        up()
        return
    server = socket.create_server((sys.argv[2], 0))
    a = socket.create_connection(server.getsockname(), 5, (sys.argv[1], 0))
    b, _ = server.accept()
    b.settimeout(5)
    for _ in sys.stdin:
        try:
            fine = passes(a, b) and passes(b, a)
            print("ok" if fine else "bytes differ", flush=True)
        except OSError as e:
            print(e, flush=True)


main()
