# SPDX-License-Identifier: GPL-2.0-only
"""What vmc leaves behind in a guest after detach and unload: compare a snapshot of before
with what is there now. leaks_guest.py says what is looked at inside."""

import json
import time
from collections import Counter

from groups import TOP

GUEST_PROGRAM = "/tmp/leaks_guest.py"
# What other parts of the guest use more of meanwhile: blkfront keeps grants, the kernel memory.
TOLERANCE = {"grants": 200, "memory (kB)": 12 << 10}
SECONDS = 30        # for what is given back late: sockets in their last states, deferred grants


def domid(lab, guest):
    """As a string; '' for a guest that is gone."""
    return lab.exec("dom0", "xl", "domid", guest, check=False).strip()


def snapshot(lab, guest):
    """As of now, without vmc: its module is not loaded, nor is it attached."""
    lab.put(guest, TOP / "tests/lib/leaks_guest.py", GUEST_PROGRAM)
    seen = json.loads(lab.exec(guest, "python3", GUEST_PROGRAM))
    ports = lab.exec("dom0", "/usr/lib/xen-4.20/bin/lsevtchn", domid(lab, guest))
    seen["event channels"] = len(ports.splitlines())
    seen["zombies"] = [line.split()[1] for line in lab.exec("dom0", "xl", "list").splitlines()
                       if "(null)" in line]
    return seen


def differences(before, after):
    """What there is more of, each as one line."""
    found = []
    for what, now in after.items():
        was = before[what]
        if isinstance(now, list):
            found += [f"{what}: {item}" for item in (Counter(now) - Counter(was)).elements()]
        elif now - was > TOLERANCE.get(what, 0):
            found.append(f"{what}: {now - was} more")
    return found


def left_behind(lab, guest, before, seconds=SECONDS):
    """What is still there after some time, [] if nothing; how long that took; and what was
    there until then."""
    begin = time.monotonic()
    late = []
    while (found := differences(before, snapshot(lab, guest))) and \
            time.monotonic() - begin < seconds:
        late = found
        time.sleep(2)
    return found, time.monotonic() - begin, late
