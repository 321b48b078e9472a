# SPDX-License-Identifier: GPL-2.0-only
"""The consoles' logs, which grow on this machine, and the faults that kernels and Xen report in them."""

import json
import os
import re
import sys
import time

from . import state
from .common import LabError, read_file, write_file

FAULT = re.compile("|".join((
    r"\bWARNING: ", r"\bBUG: ", r"kernel BUG at", r"\bOops\b", r"Kernel panic", r"general protection",
    r"unable to handle", r"Unable to handle", r"kernel NULL pointer", r"stack segment: ", r"double fault",
    r"invalid opcode", r"divide error", r"segfault at", r"trap .* ip:.* error:",
    r"\bINFO: task .* blocked for more", r"detected stalls?", r"self-detected stall",
    r"rcu: INFO: ", r"kthread starved", r"soft lockup", r"hard LOCKUP", r"possible recursive locking",
    r"possible circular locking", r"inconsistent lock state", r"suspicious RCU usage",
    r"possible irq lock inversion", r"held lock freed", r"bad unlock balance", r"DEBUG_LOCKS_WARN_ON",
    r"sleeping function called", r"scheduling while atomic", r"\bKASAN: ", r"\bKCSAN: ", r"\bKMSAN: ",
    r"\bUBSAN: ", r"\bKFENCE: ", r"kmemleak: [1-9]", r"ODEBUG: ", r"refcount_t: ",
    r"list_(add|del) corruption", r"Bad page (state|map)", r"page allocation failure", r"Out of memory: ",
    r"nobody cared", r"unregister_netdevice: waiting", r"still in use",
    r"\(XEN\).*(Panic on CPU|Xen BUG at|Xen WARN at|Assertion .* failed|FATAL|domain_crash called"
    r"|crashed on cpu|Bad grant reference|Bad flags)",
)))

# Faults of the emulation in dom0, where no kernel code of vmc runs. A #DB for a single step that
# nobody asked for: seen once on an idle dom0 just resumed, and not in 300 further commands on 60
# resumed labs. In a guest it would count.
DOM0_NOISE = re.compile(r"WARNING: .* at arch/x86/kernel/traps\.c:\d+ exc_debug_kernel\b")


def logs(name):
    """{console: path}; xen is Xen's and dom0's."""
    run = state.run_dir(name)
    got = state.need(name)
    return {c: os.path.join(run, f"console-{c}.log") for c in ("xen", *got["guests"])}


def show(name, host, follow):
    console = "xen" if host == "dom0" else host
    paths = logs(name)
    if console not in paths:
        raise LabError(f"the lab '{name}' has no host {host}")
    with open(paths[console], "rb") as f:
        while True:
            sys.stdout.buffer.write(f.read())
            sys.stdout.buffer.flush()
            if not follow or not state.load(name):
                return 0
            time.sleep(0.2)


def _marks(name):
    return os.path.join(state.run_dir(name), "marks.json")


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def mark(name):
    write_file(_marks(name), json.dumps({c: _size(path) for c, path in logs(name).items()}))
    return 0


def faults(name):
    """[(console, line)] since the mark."""
    marks = json.loads(read_file(_marks(name), "{}"))
    found = []
    for console, path in logs(name).items():
        if not os.path.exists(path):
            continue
        with open(path, "rb") as f:
            f.seek(marks.get(console, 0))
            text = f.read().decode(errors="replace")
        found += [(console, line) for line in text.splitlines()
                  if FAULT.search(line) and not (console == "xen" and DOM0_NOISE.search(line))]
    return found


def check(name):
    found = faults(name)
    for console, line in found:
        print(f"{console}: {line}")
    return 1 if found else 0
