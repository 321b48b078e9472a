#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The half of tests/kernel/test_selftests that runs inside a guest.

  guest.py without|with           vmc away, or loaded and attached with every peer
  guest.py run SPEC               one selftest, in a network namespace of its own; SPEC is
                                  JSON: seconds, hooked, folder, command; so is the result
"""

import ipaddress
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = "/root/kselftests"
sys.path.insert(0, "/root/loopback")
import bed

NS = "kselftest"
CGROUP = "/sys/fs/cgroup"
HOOKS = "/sys/fs/bpf/two_addresses"
PEERS_MAP = "/sys/fs/bpf/vmc/peers"
FIRST, SECOND = 0x10000, 0x10001        # the ends of the loopback transport

# Which end an address is at: those of two_addresses.bpf.c, of net/msg_zerocopy.sh and of
# net/mptcp. A connection is by the ring when its two addresses are at different ends.
PEERS = {
    "127.0.0.1": SECOND, "127.0.0.2": FIRST, "::1": SECOND, "fd09::7f02": FIRST,
    "192.168.1.1": FIRST, "192.168.1.2": SECOND, "fd::1": FIRST, "fd::2": SECOND,
    "10.0.1.1": FIRST, "10.0.1.2": SECOND, "10.0.2.1": SECOND, "10.0.2.2": SECOND,
    "10.0.3.2": SECOND, "10.0.3.1": SECOND,
    "dead:beef:1::1": FIRST, "dead:beef:1::2": SECOND, "dead:beef:2::1": SECOND,
    "dead:beef:2::2": SECOND, "dead:beef:3::2": SECOND, "dead:beef:3::1": SECOND,
}


def hex_bytes(data):
    return [f"0x{byte:02x}" for byte in data]


def add_peer(address, peer):
    """By hand: the loader refuses addresses that never belong to another host."""
    ip = ipaddress.ip_address(address)
    key = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    bed.run("bpftool", "map", "update", "pinned", PEERS_MAP, "key", *hex_bytes(key),
            "value", *hex_bytes(peer.to_bytes(4, "little")))


def without():
    if not bed.unload():
        sys.exit("vmc cannot be unloaded")


def with_vmc():
    without()
    bed.run("insmod", bed.MODULE, "loopback=1")
    bed.attach()
    for address, peer in PEERS.items():
        add_peer(address, peer)


def quietly(*argv):
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def hook(verb):
    if not os.path.exists(HOOKS):
        bed.run("bpftool", "prog", "loadall", f"{ROOT}/two_addresses.bpf.o", HOOKS)
    for version in "46":
        quietly("bpftool", "cgroup", verb, CGROUP, f"cgroup_inet{version}_connect",
                "pinned", f"{HOOKS}/connect_v{version}", *(["multi"] if verb == "attach" else []))


def fresh_namespace():
    quietly("ip", "netns", "del", NS)
    bed.run("ip", "netns", "add", NS)
    bed.run("ip", "-n", NS, "link", "set", "lo", "up")
    bed.run("ip", "-n", NS, "addr", "add", "fd09::7f02", "dev", "lo", "nodad")


def session_members(sid):
    """Processes of a session."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == sid:
                yield int(pid)
        except ProcessLookupError:
            pass


def end_session(sid):
    for _ in range(20):
        members = list(session_members(sid))
        if not members:
            return
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.1)


def execute(spec):
    """(status or None at a time-out, output): mounts of the test go with it, and processes."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{NS}", "unshare", "--mount", "sh", "-c",
             spec["command"]], cwd=f"{ROOT}/{spec['folder']}", stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(spec["seconds"])
        except subprocess.TimeoutExpired:
            status = None
        end_session(process.pid)
        process.wait()
        out.seek(0)
        return status, out.read().decode(errors="replace")


def counters():
    return bed.counters() if bed.is_loaded() else {}


def run(spec):
    fresh_namespace()
    if spec["hooked"]:
        hook("attach")
    before = counters()
    begin = time.monotonic()
    status, output = execute(spec)
    seconds = time.monotonic() - begin
    after = counters()
    if spec["hooked"]:
        hook("detach")
    quietly("ip", "netns", "del", NS)
    print(json.dumps({"status": status, "output": output, "seconds": seconds,
                      "counters": {name: n - before[name] for name, n in after.items()}}))


{"without": without, "with": with_vmc, "run": lambda: run(json.loads(sys.argv[2]))}[sys.argv[1]]()
