#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""idle.py listen|connect ADDRESS PORT BYTES: a connection that says a word each way, is idle until
the client gets SIGUSR1, and then carries BYTES each way at once. Says "idle", then "ok"."""

import random
import signal
import socket
import sys
import threading

BLOCK = 1 << 16     # BYTES is some of these


def establish(role, address):
    if role == "connect":
        sock = socket.create_connection(address, 30)
        sock.settimeout(None)   # it would be for the whole of sendall()
        return sock
    with socket.create_server(address) as listener:
        return listener.accept()[0]


def receive(sock, size):
    data = bytearray()
    while len(data) < size and (got := sock.recv(1 << 16)):
        data += got
    return bytes(data)


def main():
    role, address, port, size = sys.argv[1:]
    size = int(size)
    seed = {"connect": 1, "listen": 2}
    own, other = [random.Random(seed[r]).randbytes(BLOCK) * (size // BLOCK)
                  for r in (role, *(seed.keys() - {role}))]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    sock = establish(role, (address, int(port)))
    sock.sendall(b"word")
    if receive(sock, 4) != b"word":
        sys.exit("no word")
    print("idle", flush=True)
    if role == "connect":
        signal.sigwait([signal.SIGUSR1])
    else:
        sock.recv(1, socket.MSG_PEEK)
    sender = threading.Thread(target=sock.sendall, args=(own,))
    sender.start()
    data = receive(sock, size)
    sender.join()
    print("ok" if data == other else f"{len(data)} bytes, not the right ones", flush=True)


main()
