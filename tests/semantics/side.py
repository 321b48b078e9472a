# SPDX-License-Identifier: GPL-2.0-only
"""What a row's function has at hand: connections, barriers, and its observations."""

import hashlib
import json
import os
import random
import select
import socket
import struct
import time

import counters
from native import error_name

WARM_UP = 4             # messages each way, at least
WARM_UP_LIMIT = 60      # then the flow is not going to be bound
WAIT = 15               # seconds for the other side


class NotOnRing(Exception):
    """The connection stays on TCP though vmc is attached."""


def shown(value):
    """A value as it is compared and printed: long bytes as length and hash."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
        if len(value) > 32:
            return f"{len(value)} bytes {hashlib.sha256(value).hexdigest()[:12]}"
        return repr(value)
    return value if isinstance(value, (int, str, bool, type(None))) else repr(value)


def pattern(size, seed=1):
    """The same bytes on both sides."""
    return random.Random(seed).randbytes(size)


class Side:
    """One role in one row."""

    def __init__(self, role, config, control, out):
        self.role = role
        self.config = config        # family, local, peer, has_vmc, factor, storm, nic
        self.control = control
        self.out = out
        self.warm_up = {}           # counters of the warm-ups, which prove nothing
        self.kept = []              # sockets that must not be collected
        self.synced = 0             # when the last barrier was entered

    # observations

    def _emit(self, **what):
        os.write(self.out, (json.dumps(what) + "\n").encode())

    def note(self, *values):
        self._emit(note=" ".join(str(shown(v)) for v in values))

    def diagnose(self, text):
        """Not compared; printed when the row fails."""
        self._emit(diagnostic=str(text))

    def end(self, error):
        self._emit(end=True, error=error, warm_up=self.warm_up)

    def call(self, function, *args, **kwargs):
        """Its result, or the name of its error."""
        try:
            return function(*args, **kwargs)
        except OSError as error:
            return error_name(error.errno) if error.errno else type(error).__name__

    def note_call(self, what, function, *args, **kwargs):
        result = self.call(function, *args, **kwargs)
        self.note(what, result)
        return result

    def require(self, what, is_so):
        """What a row is about has to be there, in both runs."""
        if not is_so:
            raise RuntimeError(f"it is not so that {what}")

    def timed(self, function, *args, since=None, **kwargs):
        """Its result and the seconds until then: since its start, or a moment before it, when
        what it waits for has been started earlier (a slow machine must not shorten the wait)."""
        begin = since or time.monotonic()
        result = self.call(function, *args, **kwargs)
        return result, time.monotonic() - begin

    def note_wait(self, what, took, least, most):
        """Was a wait as long as it should be? The time itself isn't compared."""
        most *= self.config["patience"]
        verdict = "too short" if took < least else "too long" if took > most else "in time"
        self.note(what, verdict)
        if verdict != "in time":
            self.diagnose(f"{what}: {took:.3f} s, not {least} to {most} s")

    # the other side

    def sync(self, value=None, wait=WAIT):
        """A barrier; returns the other side's value. What the other side does after it, it
        does after self.synced."""
        self.synced = time.monotonic()
        self.control.send("sync", value)
        return self.control.receive("sync", wait * self.config["patience"])

    def end_hang(self, sock):
        """Its calls end with an error when they take so long that it must be a fault."""
        sock.settimeout(WAIT * self.config["patience"])

    # connections

    def socket(self, proto=0):
        sock = socket.socket(self.config["family"], socket.SOCK_STREAM, proto)
        self.kept.append(sock)
        return sock

    def listen(self, prepare=None, proto=0):
        """The server's listener; its port goes to the client."""
        listener = self.socket(proto)
        if prepare:
            prepare(listener)
        listener.bind((self.config["local"], 0))
        listener.listen(256)
        self.sync(listener.getsockname()[1])
        return listener

    def peer(self):
        """The client's half: the address that the server listens at."""
        return (self.config["peer"], self.sync())

    def connect(self, prepare=None, proto=0):
        """A connection that nothing was sent on yet."""
        if self.role == "server":
            with self.listen(prepare, proto) as listener:
                self.end_hang(listener)
                sock, _ = listener.accept()
                listener.settimeout(None)
                sock.settimeout(None)
                self.kept.append(sock)
        else:
            address = self.peer()
            sock = self.socket(proto)
            if prepare:
                prepare(sock)
            sock.connect(address)
        return sock

    def pair(self, prepare=None, proto=0, ring=True):
        """A connection that was warmed up; with vmc, both directions go by the ring."""
        sock = self.connect(prepare, proto)
        self.warm(sock, ring)
        return sock

    def _client_round(self, sock, word):
        sock.sendall(word)
        if receive(sock, 4) != word:
            raise ConnectionError("the warm-up has come to other bytes")

    def _is_by_ring(self, sock):
        before = counters.read()
        self._client_round(sock, b"more")
        delta = counters.difference(counters.read(), before)
        return min(delta["tx_bytes"], delta["rx_bytes"]) >= 4 * self.config["factor"]

    def _warm_client(self, sock, ring):
        for _ in range(WARM_UP):
            self._client_round(sock, b"more")
        if ring and self.config["has_vmc"]:
            for _ in range(WARM_UP_LIMIT):
                if self._is_by_ring(sock):
                    break
                time.sleep(0.02)
            else:
                raise NotOnRing(f"not on the ring after {WARM_UP + WARM_UP_LIMIT} messages")
        self._client_round(sock, b"last")

    def warm(self, sock, ring=True):
        before = counters.read()
        if self.role == "client":
            self._warm_client(sock, ring)
        else:
            word = b""
            while word != b"last":
                word = receive(sock, 4)
                if not word:
                    raise ConnectionError("the connection has ended in its warm-up")
                sock.sendall(word)
        for name, value in counters.difference(counters.read(), before).items():
            self.warm_up[name] = self.warm_up.get(name, 0) + value

    def fill(self, sock, chunk=65536):
        """Write without waiting until there is no space for half a second (with the usual
        patience, 3); how much went. Byte n of it is n mod 251."""
        sent = 0
        block = bytes(range(251)) * (chunk // 251 + 2)
        idle = 0
        while idle < 10:
            try:
                start = sent % 251
                sent += sock.send(block[start:start + chunk], socket.MSG_DONTWAIT)
                idle = 0
            except BlockingIOError:
                idle += 1
                time.sleep(self.config["patience"] / 60)
        return sent


def receive(sock, size, chunk=1 << 16):
    """SIZE bytes, less at the end of the stream."""
    data = bytearray()
    while len(data) < size:
        got = sock.recv(min(chunk, size - len(data)))
        if not got:
            break
        data += got
    return bytes(data)


def drain(sock, chunk=1 << 16):
    """All to the end of the stream, and how it ended."""
    data = bytearray()
    try:
        while got := sock.recv(chunk):
            data += got
    except OSError as error:
        return bytes(data), error_name(error.errno)
    return bytes(data), "end"


def readable(sock, wait):
    return bool(select.select([sock], [], [], wait)[0])


def is_filled(data):
    block = bytes(range(251)) * (len(data) // 251 + 1)
    return bytes(data) == block[:len(data)]


def timeval(seconds):
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
