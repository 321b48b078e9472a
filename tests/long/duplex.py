# SPDX-License-Identifier: GPL-2.0-only
"""A run of duplex (duplex.c) between two guests."""

import re
import time
from dataclasses import dataclass

from groups import HANG_SCALE
from labctl import LabError
from process import Process

ADDRESS = {"a": "10.0.0.1", "b": "10.0.0.2"}
_GAP = re.compile(r"gap (\d+) (\w+) (\d+) at (\d+) since ([\d.]+)")
_TOTAL = re.compile(r"total tx (\d+) rx (\d+) conns (\d+) failed (\d+) worst (\d+)")
_CONN = re.compile(r"conn (\S+) tx (\d+) rx (\d+) (.*)")


@dataclass
class Gap:
    """A receiver waited, from begin to end on this machine's clock."""

    conn: int
    way: str
    ms: int
    byte: int
    begin: float


class End(Process):
    """One of the two processes."""

    def __init__(self, lab, host, role, *argv):
        super().__init__(lab, host, f"duplex-{role}", "duplex", *argv)

    def gaps(self):
        return [Gap(int(c), way, int(ms), int(at), float(since) - self.offset)
                for c, way, ms, at, since in _GAP.findall(self.text)]

    def conns(self):
        """conn -> (tx, rx, what became of it)"""
        return {c: (int(tx), int(rx), what) for c, tx, rx, what in _CONN.findall(self.text)}

    def total(self):
        """tx, rx, connections, failed ones, worst wait in ms; or None"""
        found = _TOTAL.findall(self.text)
        return [int(n) for n in found[-1]] if found else None


class Duplex:
    """A listener on TO and a client on FROM with OPTIONS."""

    def __init__(self, lab, from_, to, *options, port="9200", listener=()):
        self.lab = lab
        self.listener = End(lab, to, f"listener-{port}", *listener, "listen", port)
        deadline = time.monotonic() + 60 * HANG_SCALE
        while not lab.exec(to, "ss", "-Hltn", f"sport = {port}").strip():
            if time.monotonic() > deadline:
                raise LabError("duplex does not listen")
            time.sleep(0.2)
        self.client = End(lab, from_, f"client-{port}", *options, "connect", ADDRESS[to], port)

    def finish(self, deadline):
        """End the time of a client that has no other bound. False if its connections have not
        ended by DEADLINE of time.monotonic()."""
        self.client.signal("TERM")
        while self.client.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(1)
        return True

    def end(self):
        """End both and read what they said."""
        for end in (self.client, self.listener):
            end.signal("TERM")
            deadline = time.monotonic() + 10
            while end.is_running() and time.monotonic() < deadline:
                time.sleep(0.2)
            end.read()

    def gaps(self):
        return sorted(self.client.gaps() + self.listener.gaps(), key=lambda gap: gap.begin)

    def faults(self):
        """What is not as it should be after a run that nobody broke, or ''."""
        said = [line for end in (self.client, self.listener) for line in end.text.splitlines()
                if line.startswith("wrong") or (line.startswith("conn") and not line.endswith(" ok"))]
        here, there = self.client.total(), self.listener.total()
        if not here or not there:
            said.append("no total of " + ("the client" if not here else "the listener"))
        elif here[:2] != [there[1], there[0]] or here[2] != there[2]:
            said.append(f"client {here} and listener {there} differ")
        return "\n".join(said)
