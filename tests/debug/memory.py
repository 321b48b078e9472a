#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a guest with the debug kernel: verified connections of the loopback bed, while the
allocations that the module makes, or has made for it, fail with some probability."""

import ctypes
import os
import subprocess
import threading
import time

import bed
import failing
from bed import check, same
from stream import Stream

def lock_memory():
    """All of this program's is there: a page fault inside send() or recv() would be the
    module's, find no page, and be EFAULT."""
    mcl_current, mcl_future = 1, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(mcl_current | mcl_future):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def exchange(family):
    """Both directions of three connections, busy for a second."""
    pairs = [bed.connect(family) for _ in range(3)]
    streams = []
    for n, (a, b) in enumerate(pairs):
        streams += [Stream(a, b, n), Stream(b, a, n + 10)]
    time.sleep(1)
    for stream in streams:
        stream.end()
    for pair in pairs:
        for sock in pair:
            sock.close()


def t_exchange(percent, family):
    """Verified streams, from connect to close"""
    exchange(family)        # the channel is up
    failing.arm(percent)
    try:
        for _ in range(3):
            exchange(family)
    finally:
        failing.disarm()


def t_held(percent):
    """On flows that are bound already, in every allocation of the way in"""
    pairs = [bed.pair() for _ in range(3)]
    before = bed.counters()
    failing.arm(percent)
    try:
        streams = []
        for n, (a, b) in enumerate(pairs):
            streams += [Stream(a, b, n), Stream(b, a, n + 10)]
        time.sleep(2)
        for stream in streams:
            stream.end()
    finally:
        failing.disarm()
    after = bed.counters()
    check(after["rx_no_memory"] > before["rx_no_memory"], "no allocation failed")
    check(after["tx_bytes"] > before["tx_bytes"], "nothing went by the ring")
    for pair in pairs:
        for sock in pair:
            sock.close()


def t_setup(percent):
    """Loading the module, making the channel: they fail as a whole, or work"""
    check(bed.unload(), "something holds the module")
    results = set()
    for _ in range(12):
        # its text is not there yet: whatever modprobe's chain allocates
        done = subprocess.run(["insmod", bed.MODULE, "loopback=1"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        same((0, ""), (done.returncode, done.stdout))
        bed.attach()
        failing.arm(percent)
        try:
            exchange("IPv4")
        finally:
            failing.disarm()
        results.add(bed.counters()["chans_connected"])
        check(bed.unload(), "something holds the module")
    print(f"# channels connected: {sorted(results)}")


def t_leave():
    """Nothing is left: the module can be unloaded"""
    check(bed.unload(), "something holds the module")


def main():
    lock_memory()
    threading.stack_size(1 << 18)
    bed.setup()
    tap = bed.Ktap()
    for percent in (2, 20):
        for family in bed.FAMILIES:
            tap.run(t_exchange, percent, family, label=f"{percent} %, {family}")
        tap.run(t_held, percent, label=f"{percent} %")
    tap.run(t_leave)
    bed.setup()
    tap.run(t_setup, 2, label="2 %")
    print("# failed in", ", ".join(f"{name} ({times})" for name, times in failing.sites().items()))
    tap.end()


main()
