#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""echo_client.py ADDRESS PORT FILE: send random bytes to an echo server, compare what
comes back, and write to FILE how often it was right; end when it isn't."""
import os
import socket
import sys
import time


def main():
    rounds = 0
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as s:
        s.settimeout(200)     # longer than a guest is away for its save and restore
        while True:
            data = os.urandom(5000)
            s.sendall(data)
            got = b""
            while len(got) < len(data):
                part = s.recv(len(data) - len(got))
                if not part:
                    return
                got += part
            if got != data:
                return
            rounds += 1
            with open(sys.argv[3] + ".new", "w", encoding="ascii") as f:
                f.write(f"{rounds}\n")
            os.rename(sys.argv[3] + ".new", sys.argv[3])
            time.sleep(0.1)


main()
