#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a guest: a program that holds its socket's lock for as long as it likes, by a page of
its message that userfaultfd keeps from it.

  held.py listen PORT            reads to the end; says how many bytes
  held.py hold ADDRESS PORT      sends FIRST, then hangs in send(); goes on, and ends, when
                                 there is a file /tmp/held.go
"""

import ctypes
import fcntl
import mmap
import os
import socket
import struct
import sys
import threading
import time

GO = "/tmp/held.go"
FIRST = 8 << 20
PIECES = 64
PAGE = mmap.PAGESIZE

SYS_USERFAULTFD = 323
UFFD_API = 0xAA
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE = 0xC018AA3F, 0xC020AA00, 0xC020AA04
REGISTER_MISSING = 1


def listen(port):
    conn = socket.create_server(("", port)).accept()[0]
    total = 0
    while got := len(conn.recv(1 << 18)):
        total += got
    print(total, flush=True)


def kept_page():
    """(its memory, its address, what to call to let it come)"""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    fcntl.ioctl(fd, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
    area = mmap.mmap(-1, PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    fcntl.ioctl(fd, UFFDIO_REGISTER, struct.pack("QQQQ", address, PAGE, REGISTER_MISSING, 0))
    return area, address, lambda: fcntl.ioctl(fd, UFFDIO_ZEROPAGE,
                                              struct.pack("QQQQ", address, PAGE, 0, 0))


def hold(host, port):
    conn = socket.create_connection((host, port))
    for _ in range(PIECES):     # time for it to be adopted
        conn.sendall(bytes(FIRST // PIECES))
        time.sleep(0.1)
    area, address, let_come = kept_page()
    send = ctypes.CDLL(None).send
    thread = threading.Thread(target=send, args=(conn.fileno(), ctypes.c_void_p(address), PAGE, 0))
    thread.start()
    time.sleep(0.5)
    print("holds", flush=True)
    while not os.path.exists(GO):
        time.sleep(0.1)
    let_come()
    thread.join()
    area.close()
    conn.close()


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    hold(sys.argv[2], int(sys.argv[3]))
