#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A reader that doesn't read, in a guest, and the writer that it makes wait, in the other.

  stuck.py listen PORT             accepts, but does not read
  stuck.py write ADDRESS PORT QUIET
                                   writes until nothing has gone for QUIET seconds; says
                                   what it found as JSON

The reader takes a few MiB before it stops, for the connection to be in full swing.
When there is a file /tmp/stuck.go it goes on and compares, and the writer writes some
more. The contents are a table over and over, of an odd length.
"""

import json
import os
import random
import select
import socket
import struct
import sys
import time

GO = "/tmp/stuck.go"
FIRST = 4 << 20     # bytes that are read
REST = 16 << 20     # bytes written after the block, to see that it is over
CHUNK = 1 << 18
TABLE = random.Random(1).randbytes(3 * CHUNK + 5)


def content(offset, size):
    offset %= len(TABLE)
    return (TABLE[offset:] + TABLE)[:size]


def wait_for_go():
    while not os.path.exists(GO):
        time.sleep(0.1)


def listen(port):
    server = socket.create_server(("", port))
    sock, _ = server.accept()
    server.close()
    done = 0
    while data := sock.recv(CHUNK):
        if data != content(done, len(data)):
            sys.exit(f"wrong bytes behind {done}")
        if done < FIRST <= done + len(data):
            wait_for_go()
        done += len(data)
    print(done)


def send_all(sock, done, end):
    while done < end:
        done += sock.send(content(done, min(CHUNK, end - done)))
    return done


def fill(sock, done, quiet):
    """Write until nothing has gone for QUIET seconds."""
    sock.setblocking(False)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < quiet:
        try:
            done += sock.send(content(done, CHUNK))
            quiet_since = time.monotonic()
        except BlockingIOError:
            select.select([], [sock], [], 0.5)
    return done


def time_out(sock, done):
    """Seconds until a blocking write with SO_SNDTIMEO of one second gives up, and the bytes
    written by then: one that wrote some before its second was over says so instead."""
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 1, 0))
    while True:
        begin = time.monotonic()
        try:
            done += sock.send(content(done, CHUNK))
        except BlockingIOError:
            return time.monotonic() - begin, done


def write(address, port, quiet):
    sock = socket.create_connection((address, port), 10)
    done = fill(sock, 0, quiet)
    is_writable = bool(select.select([], [sock], [], 0)[1])
    seconds, done = time_out(sock, done)
    print(json.dumps({"unread": done - FIRST, "writable": is_writable, "time_out": seconds}), flush=True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 0))
    sock.setblocking(True)
    done = send_all(sock, done, done + REST)
    sock.close()
    print(json.dumps({"all": done}), flush=True)


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
