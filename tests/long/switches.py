# SPDX-License-Identifier: GPL-2.0-only
"""Every means by which the fast path is switched off, and on again.

Each is a pair of functions of a Vmc; what the second one does brings all back.
"""

import json
import random
import time

from groups import HANG_SCALE
from labctl import LabError

POLICY = "/etc/vmc/broker.conf"
# Seconds for a command: "attach" has taken two and a half minutes, in a guest busy with twelve
# threads, and on a machine with two such labs.
PATIENCE = 100 * HANG_SCALE
DENY = "[default]\nsame-bridge = no\n"


class Vmc:
    """vmc in dom0 and guests a and b of a lab, through its commands."""

    def __init__(self, lab):
        self.lab = lab
        self.unloads = {"unloaded": 0, "busy": 0}
        self.faults = []        # what a command should not have said

    def sh(self, host, line, *good):
        """Run LINE; its status must be 0 or one of GOOD."""
        said = self.lab.exec(host, "sh", "-c", f"({line}) 2>&1; echo status $?", timeout=PATIENCE)
        said, _, status = said.rpartition("status ")
        if int(status) not in (0, *good):
            self.faults.append(f"{host}: {line}: status {status.strip()}: {said.strip()}")
        return said.strip()

    def attach(self, *hosts):
        for host in hosts:
            self.sh(host, "vmc-loader --quiet attach --daemon", 4)

    def detach(self, *hosts):
        for host in hosts:
            self.sh(host, "vmc-loader --quiet detach", 5)

    def kill(self, signal, host):
        lock = "/run/vmc-broker.lock" if host == "dom0" else "/run/vmc-loader.lock"
        self.sh(host, f"pid=$(cat {lock}); kill -{signal} $pid; "
                      f"while kill -0 $pid 2>/dev/null; do sleep 0.05; done")

    def broker(self):
        self.sh("dom0", "vmc-loader --quiet broker --daemon", 4)

    def policy(self, text):
        self.sh("dom0", f"mkdir -p /etc/vmc; printf '{text}' >{POLICY}" if text else f"rm -f {POLICY}")
        self.sh("dom0", "kill -HUP $(cat /run/vmc-broker.lock)")

    def load(self, *hosts):
        for host in hosts:
            self.sh(host, "grep -q '^vmc ' /proc/modules || insmod /root/vmc.ko")

    def unload(self, host):
        """Either it goes, or it says that it is in use. No third thing."""
        said = self.sh(host, "rmmod vmc", 1)
        if not said:
            self.unloads["unloaded"] += 1
        elif "in use" in said or "temporarily unavailable" in said:
            self.unloads["busy"] += 1
        else:
            self.faults.append(f"{host}: rmmod: {said}")

    def has_module(self, host):
        return "vmc" in self.lab.exec(host, "sh", "-c", "grep '^vmc ' /proc/modules || true")

    def unload_unused(self, *hosts, seconds=30 * HANG_SCALE):
        """Without connections it goes."""
        self.detach(*hosts)
        for host in hosts:
            deadline = time.monotonic() + seconds
            while self.has_module(host):
                if time.monotonic() > deadline:
                    raise LabError(f"{host}: the module can't be unloaded, nothing should use it")
                self.unload(host)
                time.sleep(0.5)

    def counters(self, host):
        text = self.lab.exec(host, "sh", "-c", "ethtool -S vmc0 2>/dev/null || true")
        pairs = (line.split(":") for line in text.splitlines()[1:])
        return {name.strip(): int(value) for name, value in pairs}

    def has_peer(self, host):
        status = json.loads(self.lab.exec(host, "sh", "-c", "vmc-loader --json status || true"))
        return bool(status.get("peers"))

    def restore(self, seconds=30 * HANG_SCALE, hosts=("a", "b")):
        """All on, wherever one of the means has left us."""
        self.load(*hosts)
        self.lab.exec("dom0", "rm", "-f", POLICY)
        self.broker()
        self.sh("dom0", "kill -HUP $(cat /run/vmc-broker.lock)")
        self.attach(*hosts)
        deadline = time.monotonic() + seconds
        while not all(self.has_peer(host) for host in hosts):
            if time.monotonic() > deadline:
                raise LabError("the guests don't see each other again")
            time.sleep(0.3)

    def diagnose(self):
        """What one wants to see when something stands still."""
        said = []
        for host in ("a", "b", "dom0"):
            for line in ("ss -tinmo", "ethtool -S vmc0", "vmc-loader status", "dmesg | tail -n 20",
                         "for p in $(pgrep 'vmc-loader|duplex|rmmod|xenbus'); do "
                         "cat /proc/$p/comm /proc/$p/stack; done"):
                said.append(f"{host}: {line}")
                try:
                    said.append(self.lab.exec(host, "sh", "-c", f"({line}) 2>&1", timeout=60 * HANG_SCALE,
                                              check=False))
                except LabError as error:
                    said.append(str(error))
        return "\n".join(said)


def _module_off(host):
    def off(vmc):
        vmc.detach(host)
        vmc.unload(host)
    return off


def _module_on(host):
    def on(vmc):
        vmc.load(host)
        vmc.attach(host)
    return on


def _xl(verb):
    return lambda vmc: vmc.sh("dom0", f"xl {verb} b")


def _both_off(vmc):
    for host in random.sample(["a", "b"], 2):
        vmc.detach(host)


def means():
    """(name of off, off, name of on, on)"""
    found = [
        ("detach a and b", _both_off, "attach a and b", lambda vmc: vmc.attach("a", "b")),
        ("broker stopped", lambda vmc: vmc.kill("TERM", "dom0"), "broker started", Vmc.broker),
        ("broker killed", lambda vmc: vmc.kill("KILL", "dom0"), "broker started", Vmc.broker),
        ("policy withdrawn", lambda vmc: vmc.policy(DENY), "policy granted",
         lambda vmc: vmc.policy("")),
        ("b paused", _xl("pause"), "b unpaused", _xl("unpause")),
    ]
    for host in ("a", "b"):
        found += [
            (f"detach {host}", lambda vmc, h=host: vmc.detach(h),
             f"attach {host}", lambda vmc, h=host: vmc.attach(h)),
            (f"loader killed in {host}", lambda vmc, h=host: vmc.kill("KILL", h),
             f"attach {host}", lambda vmc, h=host: vmc.attach(h)),
            (f"detach, rmmod in {host}", _module_off(host),
             f"insmod, attach {host}", _module_on(host)),
        ]
    return found
