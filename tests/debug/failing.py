#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In a guest with the debug kernel: allocations that the module makes, or has made for it, fail.

  failing.py arm PERCENT     of those with the module in their call chain
  failing.py arm-in FUNCTION the next one with this function of the module there
  failing.py has-failed      exit 0: that one has
  failing.py disarm
  failing.py sites           the functions in which they failed
"""

import os
import re
import subprocess
import sys
from collections import Counter

FAULTS = {"failslab": {"cache-filter": "N", "ignore-gfp-wait": "N"},
          "fail_page_alloc": {"ignore-gfp-wait": "N", "ignore-gfp-highmem": "N", "min-order": "0"}}
DEBUGFS = "/sys/kernel/debug"
FRAME = re.compile(r" (\w+)(?:\.\w+)*\+0x\w+/0x\w+ \[vmc\]")
TRACE = "/tmp/failed.log"   # what the kernel says of each


def write(fault, name, value):
    with open(f"{DEBUGFS}/{fault}/{name}", "w", encoding="ascii") as f:
        f.write(str(value))


def module_text():
    """First and last address of the module's code."""
    with open("/proc/modules", encoding="ascii") as f:
        fields = next(line.split() for line in f if line.startswith("vmc "))
    start = int(fields[5], 16)
    return start, start + int(fields[1])


def symbols(*grep):
    """(address, name) of lines of /proc/kallsyms; grep, as Python takes seconds for all of them."""
    lines = subprocess.run(["grep", *grep, "/proc/kallsyms"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    return sorted((int(line.split()[0], 16), line.split()[2].split(".")[0]) for line in lines)


def function_text(function, found):
    """First address of a function, and that of the next one."""
    return next((here, after) for (here, name), (after, _) in zip(found, found[1:])
                if name == function)


def follow():
    """The kernel tells of some that fail: into TRACE, not on the console, where KASAN still reports."""
    subprocess.run(["dmesg", "-n", "4"], check=True)
    if not os.path.exists(TRACE):
        with open(TRACE, "w", encoding="ascii") as out:
            subprocess.Popen(["dmesg", "--follow-new"], stdout=out)


def sites():
    """The module's functions that were told so, and how often that was seen."""
    found, is_open = Counter(), False
    with open(TRACE, encoding="ascii", errors="replace") as f:
        for line in f:
            if "forcing a failure" in line:
                is_open = True
            elif is_open and " ? " not in line and (match := FRAME.search(line)):
                found[match[1]] += 1
                is_open = False
    return found


def arm(percent, text=None, times=-1):
    """PERCENT of the allocations with TEXT in their call chain fail, or with the module."""
    follow()
    start, end = text or module_text()
    # TCP itself forgets a FIN for which it finds no memory: the peer would wait for ever.
    fin_start, fin_end = function_text("tcp_send_fin", symbols("-A1", " tcp_send_fin$"))
    for fault, options in FAULTS.items():
        for name, value in options.items():
            write(fault, name, value)
        write(fault, "verbose", 2)
        write(fault, "verbose_ratelimit_interval_ms", 100)
        write(fault, "verbose_ratelimit_burst", 3)
        write(fault, "stacktrace-depth", 32)
        write(fault, "require-start", f"{start:#x}")
        write(fault, "require-end", f"{end:#x}")
        write(fault, "reject-start", f"{fin_start:#x}")
        write(fault, "reject-end", f"{fin_end:#x}")
        write(fault, "interval", 1)
        write(fault, "times", times)
        write(fault, "probability", percent)


def disarm():
    for fault in FAULTS:
        write(fault, "probability", 0)
    subprocess.run(["dmesg", "-n", "7"], check=True)


def has_failed():
    for fault in FAULTS:
        with open(f"{DEBUGFS}/{fault}/times", encoding="ascii") as f:
            if int(f.read()) == 0:
                return True
    return False


def main():
    verb = sys.argv[1]
    if verb == "arm":
        arm(int(sys.argv[2]))
    elif verb == "arm-in":
        arm(100, function_text(sys.argv[2], symbols(r"\[vmc\]$")), 1)
    elif verb == "has-failed":
        sys.exit(not has_failed())
    elif verb == "disarm":
        disarm()
    else:
        for name, times in sites().most_common():
            print(name, times)


if __name__ == "__main__":
    main()
