# SPDX-License-Identifier: GPL-2.0-only
"""One measurement: an unmodified benchmark from guest a to an address, as a number."""

import json
import time
from dataclasses import dataclass

from labctl import LabError


@dataclass(frozen=True)
class Test:
    """A benchmark: NAME and UNIT for people, and the netperf test, or '' for iperf3."""

    name: str
    unit: str
    netperf: str = ""


TESTS = (
    Test("TCP_STREAM", "Mbit/s", "TCP_STREAM"),
    Test("TCP_RR", "trans./s", "TCP_RR"),
    Test("TCP_CRR", "trans./s", "TCP_CRR"),
    Test("iperf3", "Mbit/s"),
)
COUNTERS = ("tx_bytes", "rx_bytes", "tx_tcp_bytes", "flows_bound", "flows_fallen_back")


def start_servers(lab):
    """netserver and iperf3 in both guests: b is measured over the network, a over loopback."""
    for host in ("a", "b"):
        lab.exec(host, "sh", "-c", "pgrep -x netserver >/dev/null || netserver -4 -L 0.0.0.0;"
                 "pgrep -x iperf3 >/dev/null || iperf3 -s -D")
    deadline = time.monotonic() + 20
    ready = "ss -Hltn | grep -q :12865 && ss -Hltn | grep -q :5201"
    while time.monotonic() < deadline:
        try:
            for host in ("a", "b"):
                lab.exec(host, "sh", "-c", ready)
            return
        except LabError:
            time.sleep(0.3)
    raise LabError("netserver or iperf3 does not listen in the guests")


def run(lab, test, address, seconds):
    """The figure of TEST from guest a to ADDRESS, in test.unit."""
    if test.netperf:
        out = lab.exec("a", "netperf", "-4", "-P", "0", "-H", address, "-t", test.netperf,
                       "-l", str(seconds), "--", "-o", "THROUGHPUT", timeout=seconds + 60)
        return float(out.strip().splitlines()[-1])
    out = lab.exec("a", "iperf3", "-4", "-J", "-c", address, "-t", str(seconds),
                   timeout=seconds + 60)
    return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e6


def counters(lab, host):
    """The module's counters that the proof needs; zeros where it isn't loaded."""
    found = dict.fromkeys(COUNTERS, 0)
    for line in lab.exec(host, "ethtool", "-S", "vmc0", check=False).splitlines():
        name, _, value = line.strip().partition(": ")
        if name in found:
            found[name] = int(value)
    return found


def difference(after, before):
    return {name: after[name] - before[name] for name in after}
