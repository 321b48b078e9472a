#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""An answer whose FIN is right behind it.

  last_answer.py listen PORT             answers each message; the last one, and closes
  last_answer.py ask ADDRESS PORT FILE   asks a hundred times, then once for the last answer;
                                         FILE says "asks", and in the end how it went
"""
import socket
import sys
import time

SIZE = 4000
LAST = b"z"


def receive(sock, size):
    """As many bytes; less at the end."""
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


def listen(port):
    with socket.create_server(("", port)) as server:
        sock, _ = server.accept()
    with sock:
        while message := receive(sock, SIZE):
            sock.sendall(message)
            if message.startswith(LAST):
                break


def say(text):
    with open(sys.argv[4], "w", encoding="ascii") as f:
        f.write(f"{text}\n")


def ask(address, port):
    with socket.create_connection((address, port), 10) as sock:
        sock.settimeout(120)
        for _ in range(100):
            sock.sendall(b"a" * SIZE)
            receive(sock, SIZE)
        say("asks")
        time.sleep(3)       # in which the other guest is paused
        sock.sendall(LAST * SIZE)
        whole = receive(sock, SIZE) == LAST * SIZE
        say("all" if whole and not sock.recv(1) else "not all")


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]))
