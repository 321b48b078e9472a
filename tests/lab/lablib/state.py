# SPDX-License-Identifier: GPL-2.0-only
"""What `up` left in build/lab/run/NAME. Light: every `lab exec` reads it."""

import json
import os

from .common import RUN, LabError, read_file


def run_dir(name):
    return os.path.join(RUN, name)


def start_time(pid):
    """A process's identity beside its number; None when it's gone."""
    try:
        stat = read_file(f"/proc/{pid}/stat")
    except ProcessLookupError:
        return None
    if not stat:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def load(name):
    """The lab's description, None when it isn't up."""
    text = read_file(os.path.join(run_dir(name), "lab.json"))
    got = json.loads(text) if text else None
    return got if got and start_time(got["pid"]) == got["started"] else None


def need(name):
    got = load(name)
    if not got:
        raise LabError(f"the lab '{name}' is not up: lab up --name {name}")
    return got


def hosts(got):
    return ["dom0", *got["guests"]]


def started(got):
    """The hosts that run from the beginning."""
    return ["dom0"] if got.get("standby") else hosts(got)


def run_of(name, host):
    """The run directory of a lab that is up and has such a host."""
    got = need(name)
    if host not in hosts(got):
        raise LabError(f"the lab '{name}' has no host {host}: it has {', '.join(hosts(got))}")
    return run_dir(name)
