# SPDX-License-Identifier: GPL-2.0-only
"""The loopback test bed: two network namespaces of this guest, joined by veth and by
the module's loopback transport; sockets in both, made by one process.

    ns vmc0: 10.9.0.1, fd09::1  ──veth / ring──  ns vmc1: 10.9.0.2, fd09::2
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import traceback

FAMILIES = {"IPv4": (socket.AF_INET, "10.9.0.2"), "IPv6": (socket.AF_INET6, "fd09::2")}
PEERS = ["10.9.0.1=0x10000", "fd09::1=0x10000", "10.9.0.2=0x10001", "fd09::2=0x10001"]
MODULE = os.environ.get("VMC_MODULE", "/root/vmc.ko")
SO_MAX_PACING_RATE = 47
WARM_UP = 8         # messages each way, after which a flow is bound
# For slower kernels: of time-outs, and of sizes and numbers that only have to last.
SCALE = int(os.environ.get("TIME_SCALE", "1"))
HANG_SCALE = max(3, SCALE)      # for those that only end what hangs (as lib/groups.py has it)
DIVISOR = int(os.environ.get("SIZE_DIVISOR", "1"))

_home = os.open("/proc/self/ns/net", os.O_RDONLY)


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}: {done.stdout}")
    return done.stdout


def _quietly(*argv):
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_loaded():
    return os.path.exists("/sys/module/vmc")


def _clean():
    _quietly("vmc-loader", "detach")
    for ns in ("vmc0", "vmc1"):
        _quietly("ip", "netns", "del", ns)
    for _ in range(50 * HANG_SCALE):     # sockets that linger hold the module
        if not is_loaded():
            return
        _quietly("rmmod", "vmc")
        time.sleep(0.1)


def attach(*options):
    run("vmc-loader", "--quiet", "attach", "--static", *options,
        *[a for p in PEERS for a in ("--peer", p)])


def detach():
    run("vmc-loader", "--quiet", "detach")


def setup(*parameters):
    """The bed, fresh; taken down again when the test ends."""
    _clean()
    atexit.register(_clean)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    run("insmod", MODULE, "loopback=1", *parameters)
    for n in (0, 1):
        run("ip", "netns", "add", f"vmc{n}")
        run("ip", "-n", f"vmc{n}", "link", "set", "lo", "up")
    run("ip", "link", "add", "v0", "netns", "vmc0", "type", "veth", "peer", "name", "v1",
        "netns", "vmc1")
    for n in (0, 1):
        run("ip", "-n", f"vmc{n}", "addr", "add", f"10.9.0.{n + 1}/24", "dev", f"v{n}")
        run("ip", "-n", f"vmc{n}", "addr", "add", f"fd09::{n + 1}/64", "dev", f"v{n}", "nodad")
        run("ip", "-n", f"vmc{n}", "link", "set", f"v{n}", "up")
    attach()


def unload():
    """Detach and unload for good: False if something still holds the module."""
    _quietly("vmc-loader", "detach")
    for _ in range(100 * HANG_SCALE):
        if not is_loaded():
            return True
        _quietly("rmmod", "vmc")
        time.sleep(0.05)
    return False


def counters():
    lines = run("ethtool", "-S", "vmc0").splitlines()[1:]
    return {name.strip(): int(value) for name, value in (line.split(":") for line in lines)}


def in_ns(n, make):
    """What MAKE returns, called in namespace N."""
    with open(f"/run/netns/vmc{n}", "rb") as ns:
        os.setns(ns.fileno(), os.CLONE_NEWNET)
    try:
        return make()
    finally:
        os.setns(_home, os.CLONE_NEWNET)


def network(n, *how):
    """What netem does to segments that leave namespace N, for as long as "with" lasts."""
    tc = ("ip", "netns", "exec", f"vmc{n}", "tc", "qdisc")
    where = ("dev", f"v{n}", "root", "netem")

    @contextlib.contextmanager
    def context():
        run(*tc, "add", *where, *how)
        try:
            yield
        finally:
            run(*tc, "del", *where)
    return context()


def use_tcp(sock):
    """What it sends from now on goes by TCP, for TCP paces it."""
    sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 100 << 20)


def connect(family="IPv4"):
    """A fresh connection: (client in vmc0, server in vmc1)."""
    kind, address = FAMILIES[family]
    listener = in_ns(1, lambda: socket.socket(kind, socket.SOCK_STREAM))
    listener.bind((address, 0))
    listener.listen()
    client = in_ns(0, lambda: socket.socket(kind, socket.SOCK_STREAM))
    client.settimeout(30 * HANG_SCALE)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    server.settimeout(30 * HANG_SCALE)
    listener.close()
    return client, server


def receive(sock, size, chunk=1 << 16):
    data = bytearray()
    while len(data) < size:
        got = sock.recv(min(chunk, size - len(data)))
        if not got:
            break
        data += got
    return bytes(data)


def pair(family="IPv4"):
    """A connection whose flow is bound, and drained of TCP, both ways."""
    bound = counters()["flows_bound"]
    client, server = connect(family)
    for _ in range(WARM_UP):
        for a, b in ((client, server), (server, client)):
            a.sendall(b"warm")
            assert receive(b, 4) == b"warm"
    for _ in range(100 * HANG_SCALE):
        if counters()["flows_bound"] >= bound + 2:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the flow was not bound in time")
    for a, b in ((client, server), (server, client)):
        a.sendall(b"ring")
        assert receive(b, 4) == b"ring"
    return client, server


class Ktap:
    """KTAP: tests are functions, named by their first doc line."""

    def __init__(self):
        self.passed = self.failed = 0
        print("KTAP version 1", flush=True)

    def run(self, test, *args, label=""):
        name = test.__doc__.splitlines()[0] + (f", {label}" if label else "")
        nr = self.passed + self.failed + 1
        signal.alarm(60 * HANG_SCALE)
        try:
            test(*args)
        except BaseException:   # pylint: disable=broad-except
            self.failed += 1
            print(f"not ok {nr} - {name}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
        else:
            self.passed += 1
            print(f"ok {nr} - {name}")
        signal.alarm(0)
        sys.stdout.flush()

    def end(self):
        print(f"1..{self.passed + self.failed}")
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped", flush=True)
        sys.exit(1 if self.failed else 0)


def _timed_out(*_):
    raise TimeoutError(f"the test took more than {60 * HANG_SCALE} s")


signal.signal(signal.SIGALRM, _timed_out)


def check(condition, text=""):
    if not condition:
        raise AssertionError(text)


def same(want, got):
    check(want == got, f"wanted {want!r:.200}, got {got!r:.200}")
