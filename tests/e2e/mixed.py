#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""mixed.py listen PORT | mixed.py connect HOST PORT

Two streams in one connection at once: SIZE bytes by TCP from the end that connects, as
their control message demands; and for as long as that takes, the listener's by the ring.
Each end checks what it gets; the one that connects says "done", how many segments TCP
sent again, how long it took, and how much came.
"""

import socket
import struct
import sys
import threading
import time

CHUNK = 16 << 10
SIZE = 250 * CHUNK
STREAM = bytes(range(251)) * (CHUNK // 251 + 2)      # byte i of a stream is i % 251
SO_TIMESTAMPING = 37
TCP_INFO_TOTAL_RETRANS = 100
WITH_CONTROL = [(socket.SOL_SOCKET, SO_TIMESTAMPING, struct.pack("I", 0))]


def send(s, control, may_go_on):
    """Bytes of the stream while MAY_GO_ON(offset)."""
    offset = 0
    while may_go_on(offset):
        offset += s.sendmsg([STREAM[offset % 251:][:CHUNK]], control)
    s.shutdown(socket.SHUT_WR)


def receive(s):
    """The stream to its end: how many bytes."""
    offset = 0
    while data := s.recv(CHUNK):
        if data != STREAM[offset % 251:][:len(data)]:
            sys.exit(f"wrong bytes behind {offset}")
        offset += len(data)
    return offset


def listen(port):
    s = socket.create_server(("", port)).accept()[0]
    s.sendall(s.recv(1))
    is_done = threading.Event()
    sender = threading.Thread(target=send, args=(s, [], lambda offset: not is_done.is_set()),
                              daemon=True)
    sender.start()
    received = receive(s)
    is_done.set()
    sender.join()
    if received != SIZE:
        sys.exit(f"{received} bytes instead of {SIZE}")


def connect(host, port):
    s = socket.create_connection((host, port))
    s.sendall(b"?")
    s.recv(1)
    begin = time.monotonic()
    threading.Thread(target=send, args=(s, WITH_CONTROL, lambda offset: offset < SIZE),
                     daemon=True).start()
    received = receive(s)
    seconds = time.monotonic() - begin
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    retransmitted = struct.unpack_from("I", info, TCP_INFO_TOTAL_RETRANS)[0]
    print("done", retransmitted, f"{seconds:.1f}", received)


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    connect(sys.argv[2], int(sys.argv[3]))
