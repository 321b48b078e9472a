# SPDX-License-Identifier: GPL-2.0-only
"""The client of labd: one command on one host through one virtio-serial port (agent/frame.h)."""

import fcntl
import os
import select
import socket
import struct
import time

from .common import EXIT_TIMEOUT, LabError

NR_PORTS = 24
WINDOW = 256 * 1024
DATA = 16384
GRACE = 2.0         # for the end of a command that was killed
END = b"\x7e"


def _frame(session, kind, data=b""):
    body = struct.pack("<IB", session, ord(kind)) + data
    body = body.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
    return END + body + END


def _unframe(part):
    return part.replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")


class Port:
    """A port of the lab, ours alone as long as we hold its lock."""

    def __init__(self, run, deadline):
        self.dir = os.open(run, os.O_PATH | os.O_DIRECTORY)
        self.lock = None
        while not self._take_any(run):
            if time.monotonic() > deadline:
                raise LabError(f"all {NR_PORTS} ports are busy with other commands", EXIT_TIMEOUT)
            time.sleep(0.05)

    def _take_any(self, run):
        for index in range(NR_PORTS):
            fd = os.open(os.path.join(run, f"exec.{index}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            self.lock = fd
            self.index = index
            return True
        return False

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        # Through /proc: a socket's path has 107 characters at most, a checkout's may have more.
        try:
            sock.connect(f"/proc/self/fd/{self.dir}/exec.{self.index}")
        except (FileNotFoundError, ConnectionRefusedError) as e:
            raise LabError("the lab is not running: lab up") from e
        sock.setblocking(False)
        return sock

    def close(self):
        os.close(self.lock)
        os.close(self.dir)


class Result(Exception):
    """The command's end: its exit status."""

    def __init__(self, status):
        super().__init__()
        self.status = status


class Command:
    """One command on its way: pumps frames until it ends. Descriptors are the caller's."""

    def __init__(self, sock, stdin, sink):
        self.sock = sock
        self.stdin = stdin          # -1: none, or at its end
        self.sink = sink            # (1 or 2, bytes)
        self.session = struct.unpack("<I", os.urandom(4))[0] | 1
        self.window = WINDOW
        self.pending = b""
        self.received = b""

    def start(self, host, argv):
        words = b"".join(os.fsencode(w) + b"\0" for w in (host, *argv))
        if len(words) > DATA:
            raise LabError("the command line is longer than 16 KiB: put a script first (lab put)")
        self.pending = END + _frame(self.session, "O", words)
        if self.stdin < 0:
            self.pending += _frame(self.session, "E")

    def kill(self):
        self.pending += _frame(self.session, "K")

    def _read_stdin(self):
        data = os.read(self.stdin, min(DATA, self.window))
        self.window -= len(data)
        if data:
            self.pending += _frame(self.session, "I", data)
        else:
            self.stdin = -1
            self.pending += _frame(self.session, "E")

    def _receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise LabError("the lab went down")
        *parts, self.received = (self.received + data).split(END)
        for part in parts:
            if len(part) >= 5:
                self._handle(_unframe(part))

    def _handle(self, body):
        session, kind = struct.unpack_from("<IB", body)
        data = body[5:]
        if session != self.session:
            return
        if kind in b"12":
            self.sink(kind - ord("0"), data)
        elif kind == ord("W"):
            self.window += struct.unpack("<I", data)[0]
        elif kind == ord("X"):
            raise Result(struct.unpack("<I", data)[0])
        elif kind == ord("F"):
            raise LabError(data.decode())

    def pump(self, deadline):
        """Until the deadline; raises Result or LabError when the command ends before it."""
        poll = select.poll()
        while (left := deadline - time.monotonic()) > 0:
            poll.register(self.sock, select.POLLIN | (select.POLLOUT if self.pending else 0))
            feeding = self.stdin >= 0 and self.window > 0 and len(self.pending) < WINDOW
            if feeding:
                poll.register(self.stdin, select.POLLIN)
            elif self.stdin >= 0:
                _unregister(poll, self.stdin)
            events = dict(poll.poll(left * 1000))
            if feeding and events.get(self.stdin):
                stdin = self.stdin
                self._read_stdin()
                if self.stdin < 0:
                    poll.unregister(stdin)
            if events.get(self.sock.fileno(), 0) & select.POLLOUT:
                self.pending = self.pending[self.sock.send(self.pending):]
            if events.get(self.sock.fileno(), 0) & ~select.POLLOUT:
                self._receive()


def _unregister(poll, fd):
    try:
        poll.unregister(fd)
    except KeyError:
        pass


def to_descriptors(which, data):
    """The sink of `lab exec`: our own stdout and stderr."""
    view = memoryview(data)
    while view:
        view = view[os.write(which, view):]


def execute(run, host, argv, timeout, stdin=-1, sink=to_descriptors):
    """Runs argv on host; its exit status, or 124 when it was killed at the time-out."""
    deadline = time.monotonic() + timeout
    port = Port(run, deadline)
    try:
        with port.connect() as sock:
            command = Command(sock, stdin, sink)
            try:
                command.start(host, argv)
                command.pump(deadline)
                command.kill()
                command.stdin = -1
                command.pump(time.monotonic() + GRACE)
            except Result as result:
                return result.status if time.monotonic() < deadline else EXIT_TIMEOUT
            return EXIT_TIMEOUT
    finally:
        port.close()


def capture(run, host, argv, timeout=10):
    """Runs argv on host; (exit status, stdout)."""
    out = []
    status = execute(run, host, argv, timeout, sink=lambda which, data:
                     out.append(data) if which == 1 else None)
    return status, b"".join(out)
