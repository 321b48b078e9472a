#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a guest: what could be left behind by vmc, as JSON. Counters of the kernel that nothing
shows are read from /proc/kcore."""

import glob
import json
import os
import struct
import subprocess


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def lines(path):
    with open(path) as file:
        return file.read().splitlines()


class Kcore:
    """Kernel variables by name."""

    def __init__(self):
        self.file = open("/proc/kcore", "rb")
        header = self.file.read(64)
        offset, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        self.segments = []
        for i in range(count):
            self.file.seek(offset + i * size)
            kind, _, at, start, _, length, _, _ = struct.unpack("<IIQQQQQQ", self.file.read(56))
            if kind == 1:
                self.segments.append((start, length, at))

    def u32(self, address):
        for start, length, at in self.segments:
            if start <= address < start + length:
                self.file.seek(at + address - start)
                return struct.unpack("<I", self.file.read(4))[0]
        return None


GRANTS_PER_FRAME = 512      # of version 1
PAGES_PER_SECTION = 1 << 15  # by which the kernel gets pages to map foreign ones at


def kernel_counters():
    kcore = Kcore()
    found = {}
    # Not by reading all of it here, which takes seconds in an emulated guest.
    for line in run("grep", "-E", r" (gnttab_free_count|nr_grant_frames|deferred_count|list_count)$",
                    "/proc/kallsyms").splitlines():
        address, _, name = line.split()
        found[name] = kcore.u32(int(address, 16))
    return {"grants": found["nr_grant_frames"] * GRANTS_PER_FRAME - found["gnttab_free_count"],
            "revoked, still mapped": found["deferred_count"],
            "mapped pages": -found["list_count"] % PAGES_PER_SECTION}


def bpf(kind):
    return sorted(item.get("name", item.get("type", "?"))
                  for item in json.loads(run("bpftool", "-j", kind, "show") or "[]"))


def sockets():
    states = (line.split() for line in run("ss", "-Htan").splitlines())
    return sorted(f"{s[0]} {s[3]} {s[4]}" for s in states if s[0] not in ("LISTEN", "TIME-WAIT"))


def interrupts():
    return sorted(line.split(None, 2)[-1].strip() for line in lines("/proc/interrupts")
                  if "xen-dyn" in line and "vmc" in line)


def xenstore():
    """The empty directory of the peers is dom0's, and stays with the domain."""
    paths = [line.split(" = ")[0] for top in ("device/vmc", "backend/vmc", "data/vmc", "vmc")
             for line in run("xenstore-ls", "-f", top).splitlines()]
    return sorted(path for path in paths if path != "vmc/peer")


def shrink_slabs():
    """KASAN keeps what was freed, up to a 32nd of the memory, until a slab is shrunk."""
    for path in glob.glob("/sys/kernel/slab/*/shrink"):
        with open(path, "w") as file:
            file.write("1")


STACK_POOL_KB = 16          # DEPOT_POOL_SIZE, include/linux/stackdepot.h


def stack_depot():
    """kB of the stack traces that a debug kernel keeps: each new one for good."""
    try:
        stats = lines("/sys/kernel/debug/stackdepot/stats")
    except FileNotFoundError:
        return 0
    return STACK_POOL_KB * next(int(line.split()[1]) for line in stats if line.startswith("pools:"))


def memory():
    """kB that are available, when caches have given back what they can, or are traces."""
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    shrink_slabs()
    available = next(line for line in lines("/proc/meminfo") if line.startswith("MemAvailable"))
    return int(available.split()[1]) + stack_depot()


print(json.dumps({
    "module": [line for line in lines("/proc/modules") if line.startswith("vmc ")],
    "netdevs": sorted(os.listdir("/sys/class/net")),
    "drivers": [bus for bus in ("xen", "xen-backend") if os.path.exists(f"/sys/bus/{bus}/drivers/vmc")],
    "bpf programs": bpf("prog"),
    "bpf maps": bpf("map"),
    "bpf links": bpf("link"),
    "pins": sorted(os.listdir("/sys/fs/bpf")),
    "sockets": sockets(),
    "interrupts": interrupts(),
    "xenstore": xenstore(),
    "memory (kB)": -memory(),
    **kernel_counters(),
}))
