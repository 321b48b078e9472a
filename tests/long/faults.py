# SPDX-License-Identifier: GPL-2.0-only
"""What may befall a guest with open connections, and what they may see of it.

The connections go from a to b: "plain" ones, and "keepalive" ones that give up after
some 10 s. b is the one that it befalls, unless it says otherwise.
"""

import time
from dataclasses import dataclass
from typing import Callable

from switches import DENY

OK = {"ok"}
DEAD = {"timed out"}
GONE = {"reset", "timed out"}   # which comes first is a matter of timers


@dataclass
class Fault:
    """do(bed) causes it and repairs it; is_peers: the same is looked at without vmc."""

    name: str
    do: Callable
    plain: set
    keepalive: set
    seconds: int            # that the connections go on after it
    stall: int              # ms at most, for plain ones that end well
    is_peers: bool = False
    ends_peer: bool = False  # a new b comes
    restores: bool = False  # b, from a file
    cuts: bool = False      # the network: connections whose writers have stalled depend on it
    noise: str = "^$"       # what kernels say of the fault itself


def _paused(bed):
    bed.dom0("xl pause b")
    time.sleep(30)
    bed.dom0("xl unpause b")


def _destroyed(bed):
    bed.dom0("xl destroy b")
    time.sleep(30)
    bed.create_b()


def _crashed(bed):
    bed.in_b("sleep 1; echo c >/proc/sysrq-trigger")
    time.sleep(30)
    bed.dom0("xl destroy b")
    bed.create_b()


def _rebooted(bed):
    old = bed.domid("b")
    bed.in_b("sleep 1; busybox reboot -f")
    bed.await_b(old)


def _saved(bed):
    old = bed.domid("b")
    bed.dom0("xl save b /tmp/b.save", 180)
    bed.dom0("xl restore /tmp/b.save && rm /tmp/b.save", 180)
    bed.await_b(old)


def _network(bed):
    vif = f"vif{bed.domid('b')}.0"
    bed.dom0(f"ip link set {vif} down")
    time.sleep(5)
    bed.dom0(f"ip link set {vif} up")


def _loader_killed(bed):
    bed.vmc.kill("KILL", "a")
    time.sleep(2)
    bed.vmc.attach("a")


def _broker_stopped(bed):
    bed.vmc.kill("TERM", "dom0")
    time.sleep(2)
    bed.vmc.broker()


def _detached(bed):
    bed.vmc.detach("a")
    time.sleep(2)
    bed.vmc.attach("a")


def _unloaded(bed):
    bed.vmc.detach("b")
    busy = bed.vmc.unloads["busy"]
    bed.vmc.unload("b")
    if bed.vmc.unloads["busy"] == busy:
        bed.vmc.faults.append("the module went although it had adopted open connections")
    bed.vmc.attach("b")


def _policy(bed):
    bed.vmc.policy(DENY)
    time.sleep(2)
    bed.vmc.policy("")


FAULTS = [
    Fault("peer paused for 30 s", _paused, OK, DEAD, 10, 45000, is_peers=True,
          noise="soft lockup"),
    Fault("peer destroyed", _destroyed, GONE, DEAD, 5, 0, is_peers=True, ends_peer=True),
    Fault("peer crashed", _crashed, GONE, DEAD, 5, 0, is_peers=True, ends_peer=True,
          noise="^b: "),
    Fault("peer rebooted", _rebooted, GONE, GONE, 5, 0, is_peers=True, ends_peer=True),
    Fault("peer saved, restored", _saved, OK, OK | DEAD, 10, 45000, is_peers=True,
          restores=True),
    Fault("dom0's network gone for 5 s", _network, OK, OK, 10, 15000, is_peers=True, cuts=True),
    Fault("loader killed", _loader_killed, OK, OK, 5, 5000),
    Fault("broker stopped, started", _broker_stopped, OK, OK, 5, 5000),
    Fault("detach, attach", _detached, OK, OK, 10, 5000),
    Fault("detach, unload while in use", _unloaded, OK, OK, 10, 5000),
    Fault("policy withdrawn, granted", _policy, OK, OK, 10, 5000),
]
