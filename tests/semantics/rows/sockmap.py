# SPDX-License-Identifier: GPL-2.0-only
"""Sockets that belong to somebody else's sockmap: left alone, or shared with it."""

import contextlib
import ctypes
import os
import select
import socket
import struct

from native import buffer, syscall
from row import row
from side import pattern

BPF = 321
MAP_CREATE, MAP_UPDATE, PROG_LOAD, PROG_ATTACH, PROG_DETACH = 0, 2, 5, 8, 9
SOCKMAP, SOCK_OPS, SK_MSG = 15, 13, 16
CGROUP_SOCK_OPS, SK_MSG_VERDICT, ALLOW_MULTI = 3, 7, 2
CGROUP = "/sys/fs/cgroup"


def bpf(command, attributes):
    attr = buffer(attributes.ljust(128, b"\0"))
    return syscall(BPF, command, attr, 128)


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("BBhi", code, src << 4 | dst, off, imm)


def load(kind, attach, instructions):
    program, licence = buffer(b"".join(instructions)), buffer(b"GPL\0")
    log = ctypes.create_string_buffer(65536)
    fd = bpf(PROG_LOAD, struct.pack("IIQQIIQII16sII", kind, len(program.raw) // 8,
                                    ctypes.addressof(program), ctypes.addressof(licence), 1,
                                    65536, ctypes.addressof(log), 0, 0, b"semantics", 0, attach))
    if not isinstance(fd, int):
        raise OSError(f"BPF_PROG_LOAD: {fd}: {log.value.decode()[-500:]}")
    return fd


def make_map():
    fd = bpf(MAP_CREATE, struct.pack("IIII", SOCKMAP, 4, 4, 8))
    if not isinstance(fd, int):
        raise OSError(f"BPF_MAP_CREATE: {fd}")
    return fd


def load_sockops(map_fd):
    """Puts every connection into the map as it is established, under op - 4."""
    return load(SOCK_OPS, CGROUP_SOCK_OPS, [
        insn(0xbf, 6, 1),                   # r6 = context
        insn(0x61, 2, 1),                   # r2 = op
        insn(0x15, 2, 0, 3, 4),             # ACTIVE_ESTABLISHED
        insn(0x15, 2, 0, 2, 5),             # PASSIVE_ESTABLISHED
        insn(0xb7, 0, 0, 0, 1), insn(0x95),
        insn(0x07, 2, 0, 0, -4),
        insn(0x63, 10, 2, -4),              # the key
        insn(0xbf, 1, 6),
        insn(0x18, 2, 1, 0, map_fd), insn(0),
        insn(0xbf, 3, 10), insn(0x07, 3, 0, 0, -4),
        insn(0xb7, 4),
        insn(0x85, 0, 0, 0, 53),            # bpf_sock_map_update()
        insn(0xb7, 0, 0, 0, 1), insn(0x95)])


def attach_verdict(map_fd):
    """An sk_msg program that lets everything pass."""
    program = load(SK_MSG, SK_MSG_VERDICT, [insn(0xb7, 0, 0, 0, 1), insn(0x95)])
    return bpf(PROG_ATTACH, struct.pack("IIII", map_fd, program, SK_MSG_VERDICT, 0))


@contextlib.contextmanager
def in_other_cgroup(program):
    """This process in a cgroup of its own with PROGRAM, which runs before those above."""
    path = f"{CGROUP}/semantics{os.getpid()}"
    os.mkdir(path)
    try:
        group = os.open(path, os.O_RDONLY)
        result = bpf(PROG_ATTACH, struct.pack("IIII", group, program, CGROUP_SOCK_OPS,
                                              ALLOW_MULTI))
        if result != 0:
            raise OSError(f"BPF_PROG_ATTACH: {result}")
        with open(f"{path}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        yield
        bpf(PROG_DETACH, struct.pack("IIII", group, program, CGROUP_SOCK_OPS, 0))
        os.close(group)
    finally:
        with open(f"{CGROUP}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        os.rmdir(path)


def take(s, size):
    """SIZE bytes. A blocking recv on a sockmap's socket may return EAGAIN, as Linux is."""
    data = b""
    while len(data) < size:
        try:
            got = s.recv(size - len(data))
        except BlockingIOError:
            select.select([s], [], [], 5)
            continue
        if not got:
            break
        data += got
    return data


def exchange(t, s):
    for n in range(10):
        if t.role == "client":
            s.sendall(bytes([n]) * 2000)
            if take(s, 2000) != bytes([n]) * 2000:
                t.note("other bytes")
        else:
            s.sendall(take(s, 2000))
    if t.role == "client":
        s.sendall(pattern(300000))
        s.shutdown(socket.SHUT_WR)
        t.note("recv", take(s, 100))
    else:
        t.note("recv", take(s, 300000), take(s, 1))
        s.close()
    t.sync()


@row("another program's sockmap owns the socket: it is left alone", connect=False,
     tcp="another sockmap owns the socket", why="refused_owned")
class OwnedByOther:
    def client(t):
        socks = make_map()
        with in_other_cgroup(load_sockops(socks)):
            s = t.connect()
            exchange(t, s)
            s.close()

    def server(t):
        s = t.connect()
        exchange(t, s)


@row("another sockmap with an sk_msg program owns the socket: it is left alone", connect=False,
     tcp="another sockmap owns the socket", why="refused_owned")
class OwnedWithProgram:
    def client(t):
        socks = make_map()
        t.note("attach", attach_verdict(socks))
        with in_other_cgroup(load_sockops(socks)):
            s = t.connect()
            exchange(t, s)
            s.close()

    def server(t):
        s = t.connect()
        exchange(t, s)


def put(map_fd, s):
    key, value = buffer(struct.pack("I", 0)), buffer(struct.pack("I", s.fileno()))
    return bpf(MAP_UPDATE, struct.pack("IIQQQ", map_fd, 0, ctypes.addressof(key),
                                       ctypes.addressof(value), 0))


@row("a connection is put into another sockmap without programs")
class PutIntoOther:
    def client(t, s):
        socks = make_map()
        t.note("update", put(socks, s))
        exchange(t, s)

    def server(t, s):
        exchange(t, s)


@row("a connection is put into another sockmap with an sk_msg program",
     differs=("update 0", "update EBUSY", "a socket has one sk_msg program at a time"))
class PutIntoOtherProgram:
    def client(t, s):
        socks = make_map()
        t.note("attach", attach_verdict(socks))
        t.note("update", put(socks, s))
        exchange(t, s)

    def server(t, s):
        exchange(t, s)
