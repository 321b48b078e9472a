# SPDX-License-Identifier: GPL-2.0-only
"""System calls and structures that Python doesn't have."""

import ctypes
import errno
import os
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                      ctypes.c_long]
LIBC.syscall.restype = ctypes.c_long


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


def error_name(number):
    return errno.errorcode.get(number, str(number))


def libc(name, *args):
    """A call's result, or its error's name."""
    function = getattr(LIBC, name)
    if name not in ("mmap", "syscall"):
        function.restype = ctypes.c_ssize_t
    result = function(*args)
    return error_name(ctypes.get_errno()) if result == -1 else result


def syscall(number, *args):
    return libc("syscall", ctypes.c_long(number), *[
        ctypes.c_long(a) if isinstance(a, int) else a for a in args])


def iovecs(buffers):
    """An array of iovecs over ctypes buffers."""
    return (Iovec * len(buffers))(*[Iovec(ctypes.addressof(b), ctypes.sizeof(b)) for b in buffers])


def buffer(data):
    """Its bytes, without a zero behind them."""
    return ctypes.create_string_buffer(data, len(data))


def setsockopt(sock, level, name, value):
    return libc("setsockopt", sock.fileno(), level, name, value, ctypes.sizeof(value))


def run(*argv):
    """A command that has to succeed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}: {done.stdout}")
    return done.stdout


class Sysctl:
    """Another value of a sysctl for as long as this lasts."""

    def __init__(self, name, value):
        self.path = "/proc/sys/" + name.replace(".", "/")
        self.value = str(value)

    def __enter__(self):
        with open(self.path) as f:
            self.old = f.read().strip()
        self._write(self.value)
        return self

    def __exit__(self, *_):
        self._write(self.old)

    def _write(self, value):
        with open(self.path, "w") as f:
            f.write(value)


class Nft:
    """An nftables table for as long as this lasts. Rules: the text inside of it."""

    def __init__(self, rules):
        self.rules = rules
        self.name = f"semantics{os.getpid()}"

    def __enter__(self):
        subprocess.run(["nft", "-f", "-"], text=True, check=True,
                       input=f"table inet {self.name} {{\n{self.rules}\n}}\n")
        return self

    def counters(self):
        return run("nft", "list", "table", "inet", self.name)

    def __exit__(self, *_):
        run("nft", "delete", "table", "inet", self.name)
