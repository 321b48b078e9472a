#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""splice_proxy.py PORT ADDRESS PORT2: what one client of PORT sends goes to PORT2 at
ADDRESS through a pipe, without a copy in user space."""
import os
import socket
import sys


def main():
    listener = socket.create_server(("", int(sys.argv[1])))
    source, _ = listener.accept()
    sink = socket.create_connection((sys.argv[2], int(sys.argv[3])))
    r, w = os.pipe()
    while (n := os.splice(source.fileno(), w, 1 << 16)):
        while n:
            n -= os.splice(r, sink.fileno(), n)
    sink.shutdown(socket.SHUT_WR)
    sink.recv(1)


main()
