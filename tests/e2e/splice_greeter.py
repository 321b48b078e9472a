#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A proxy whose one thread is asleep in splice() while another sends a greeting, by which
the connection comes to use the ring; and the programs at both ends of it.

  splice_greeter.py sink PORT                   says the SHA-256 of what comes
  splice_greeter.py proxy PORT ADDRESS PORT2    what a client of PORT sends goes to PORT2
  splice_greeter.py client ADDRESS PORT BYTES   waits for the greeting, sends, says the SHA-256
"""
import hashlib
import os
import random
import socket
import sys
import threading
import time

GREETING = bytes(256 << 10)
CHUNK = 1 << 16


def serve(port):
    with socket.create_server(("", port)) as listener:
        return listener.accept()[0]


def receive(sock, size=sys.maxsize):
    while size and (data := sock.recv(min(size, CHUNK))):
        size -= len(data)
        yield data


def sink(port):
    digest = hashlib.sha256()
    for data in receive(serve(port)):
        digest.update(data)
    print(digest.hexdigest())


def forward(source, drain):
    r, w = os.pipe()
    while n := os.splice(source.fileno(), w, CHUNK):
        while n:
            n -= os.splice(r, drain.fileno(), n)
    drain.shutdown(socket.SHUT_WR)


def proxy(port, address, port2):
    source = serve(port)
    thread = threading.Thread(target=forward, args=(source, socket.create_connection((address, port2))))
    thread.start()
    time.sleep(1)       # until it is asleep
    source.sendall(GREETING)
    thread.join()


def client(address, port, size):
    data = random.Random(3).randbytes(size)
    with socket.create_connection((address, port)) as sock:
        for _ in receive(sock, len(GREETING)):
            pass
        time.sleep(1)   # for the proxy's end to be bound, too
        sock.sendall(data)
    print(hashlib.sha256(data).hexdigest())


role, *argv = sys.argv[1:]
{"sink": sink, "proxy": proxy, "client": client}[role](
    *[int(word) if word.isdigit() else word for word in argv])
