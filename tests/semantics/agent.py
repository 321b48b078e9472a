#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""One role of the matrix in one guest (or network namespace), one run through all rows.

Each row in a process of its own, which is killed at its time-out. Writes one JSON line a row.
"""

import argparse
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback

import counters     # before anything enters a namespace
import selection
from control import Control, PeerIsOver
from side import Side

OVER = 10           # seconds that the other side may take longer
BY = ("tx_bytes", "rx_bytes", "tx_tcp_bytes", "flows_opened", "flows_bound", "flows_fallen_back")
REASONS = ("refused_", "flow_", "send_")


def run_row(row, side):
    """In the row's own process."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    function = getattr(row, side.role)
    if row.connect:
        sock = side.pair(ring=not row.tcp)
        side.sync()
        function(side, sock)
    else:
        function(side)
    # Nobody's exit is to be the end of a connection that the other one still looks at.
    try:
        side.sync()
    except PeerIsOver:
        pass


def child(row, side):
    os.setsid()
    error = None
    try:
        run_row(row, side)
    except BaseException as e:      # pylint: disable=broad-except
        error = f"{type(e).__name__}: {e}"
        if not isinstance(e, (OSError, PeerIsOver)):
            side.diagnose(traceback.format_exc())
        else:
            side.diagnose("".join(traceback.format_tb(e.__traceback__)[2:4]).strip())
    side.end(error)
    os._exit(0)


class Collector:
    """What a row's process reports through its pipe."""

    def __init__(self):
        self.text = b""

    def read(self, fd):
        try:
            while data := os.read(fd, 1 << 16):
                self.text += data
        except BlockingIOError:
            pass

    def result(self):
        result = {"notes": [], "diagnostics": [], "error": "it died", "warm_up": {}}
        for line in self.text.splitlines():
            try:
                item = json.loads(line)
            except ValueError:
                continue
            if "note" in item:
                result["notes"].append(item["note"])
            elif "diagnostic" in item:
                result["diagnostics"].append(item["diagnostic"])
            elif "end" in item:
                result.update(error=item["error"], warm_up=item["warm_up"])
        return result


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def supervise(limit, pid, fd):
    """Wait for the row's process, LIMIT seconds; its result."""
    collector = Collector()
    os.set_blocking(fd, False)
    pidfd = os.pidfd_open(pid)
    end = time.monotonic() + limit
    timed_out = True
    while (left := end - time.monotonic()) > 0:
        ready = select.select([fd, pidfd], [], [], left)[0]
        if fd in ready:
            collector.read(fd)
        if pidfd in ready:
            timed_out = False
            break
        if fd in ready:
            time.sleep(0.005)
    kill_group(pid)
    if timed_out:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)
    collector.read(fd)
    os.close(fd)
    result = collector.result()
    if timed_out:
        result["error"] = f"not done after {limit} s"
    return result


def one_row(number, row, side):
    control = side.control
    control.row = number
    before = counters.read()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        side.out = writer
        child(row, side)
    os.close(writer)
    begin = time.monotonic()
    limit = (row.timeout + (side.config["storm"] // 5 if row.is_storm else 0)) * side.config["patience"]
    result = supervise(limit, pid, reader)
    control.send("over")
    while True:
        try:
            control.receive("over", limit + OVER)
            break
        except RuntimeError:
            break
    delta = counters.difference(counters.read(), before)
    names = {*BY, *(name for name in delta if name.startswith(REASONS))}
    by = {name: delta.get(name, 0) - result["warm_up"].get(name, 0) for name in names}
    result.update(row=row.name, by=by, seconds=round(time.monotonic() - begin, 2))
    del result["warm_up"]
    return result


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=("client", "server"))
    parser.add_argument("--local", required=True, help="address of this side")
    parser.add_argument("--peer", required=True, help="address of the other one")
    parser.add_argument("--control", required=True, help="its link-local address")
    parser.add_argument("--nic", default="eth0")
    parser.add_argument("--netns", help="be in this network namespace")
    parser.add_argument("--vmc", action="store_true", help="vmc is attached")
    parser.add_argument("--shared", action="store_true", help="both sides are in one kernel")
    parser.add_argument("--storm", type=int, default=100, help="connections of the storms")
    parser.add_argument("--patience", type=int, default=3, help="times as long as usual until a wait is too long")
    parser.add_argument("--only", action="append", default=[], help="rows with this text")
    return parser.parse_args()


def main():
    args = arguments()
    sockets = args.storm + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (sockets, sockets))
    if args.netns:
        with open(f"/run/netns/{args.netns}", "rb") as ns:
            os.setns(ns.fileno(), os.CLONE_NEWNET)
    scope = socket.if_nametoindex(args.nic)
    control = (Control.listen(scope, 30) if args.role == "server" else
               Control.connect(args.control, scope, 30))
    family = socket.AF_INET6 if ":" in args.peer else socket.AF_INET
    config = {"family": family, "local": args.local, "peer": args.peer, "nic": args.nic,
              "has_vmc": args.vmc, "factor": 2 if args.shared else 1, "storm": args.storm,
              "shared": args.shared, "patience": args.patience}
    for number, row in enumerate(selection.choose(args.only)):
        side = Side(args.role, config, control, None)
        print(json.dumps(one_row(number, row, side)), flush=True)
    return 0


sys.exit(main())
