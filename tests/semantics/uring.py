# SPDX-License-Identifier: GPL-2.0-only
"""io_uring by its system calls: one ring, one process."""

import ctypes
import mmap
import os
import struct
import time

from native import LIBC, syscall

SETUP, ENTER = 425, 426
OFF_SQ, OFF_SQES = 0, 0x10000000
GETEVENTS = 1
POLL_ADD, SENDMSG, RECVMSG, ASYNC_CANCEL, READ, WRITE, SEND, RECV, SHUTDOWN, SEND_ZC = (
    6, 9, 10, 14, 22, 23, 26, 27, 34, 47)
CQE_F_MORE, CQE_F_NOTIF = 2, 8
SQE_IO_LINK = 4
ENTRIES = 16


class Uring:
    """Submit with submit(), take completions with wait(); both in order."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = syscall(SETUP, ENTRIES, params)
        if not isinstance(self.fd, int):
            raise OSError(f"io_uring_setup: {self.fd}")
        raw = params.raw
        self.sq = struct.unpack_from("6I", raw, 40)     # head tail mask entries flags dropped
        self.sq_array = struct.unpack_from("I", raw, 64)[0]
        self.cq = struct.unpack_from("6I", raw, 80)     # head tail mask entries overflow cqes
        cq_entries = struct.unpack_from("I", raw, 4)[0]
        size = max(self.sq_array + ENTRIES * 4, self.cq[5] + cq_entries * 16)
        self.ring = mmap.mmap(self.fd, size, offset=OFF_SQ)
        # Behind 4 GiB as offset goes only with libc's mmap.
        self.sqes = LIBC.mmap(None, ENTRIES * 64, mmap.PROT_READ | mmap.PROT_WRITE,
                              mmap.MAP_SHARED, self.fd, OFF_SQES)
        self.keep = []

    def _get(self, at):
        return struct.unpack_from("I", self.ring, at)[0]

    def submit(self, opcode, fd, data=None, length=0, flags=0, user=0, sqe_flags=0,
               address=0):
        """One request; DATA is a ctypes buffer."""
        if data is not None:
            address = ctypes.addressof(data)
        self.keep.append(data)
        tail = self._get(self.sq[1])
        index = tail & self._get(self.sq[2])
        sqe = struct.pack("BBHiQQIIQ24x", opcode, sqe_flags, 0, fd, 0, address, length, flags,
                          user)
        ctypes.memmove(self.sqes + index * 64, sqe, 64)
        struct.pack_into("I", self.ring, self.sq_array + index * 4, index)
        struct.pack_into("I", self.ring, self.sq[1], tail + 1)
        return syscall(ENTER, self.fd, 1, 0, 0, None, 0)

    def poll(self):
        """The next completion, (user, result, flags), or None."""
        head = self._get(self.cq[0])
        if head == self._get(self.cq[1]):
            return None
        at = self.cq[5] + (head & self._get(self.cq[2])) * 16
        cqe = struct.unpack_from("QiI", self.ring, at)
        struct.pack_into("I", self.ring, self.cq[0], head + 1)
        return cqe

    def wait(self, seconds=15):
        end = time.monotonic() + seconds
        while True:
            # Runs what the kernel wants to do in this task.
            syscall(ENTER, self.fd, 0, 0, GETEVENTS, None, 0)
            cqe = self.poll()
            if cqe or time.monotonic() > end:
                return cqe
            time.sleep(0.01)

    def close(self):
        os.close(self.fd)
