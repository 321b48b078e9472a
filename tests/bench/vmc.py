# SPDX-License-Identifier: GPL-2.0-only
"""vmc on and off in the lab's guests, and the proof that the ring carried the bytes."""

import json
import time

import measure
from groups import TOP
from labctl import LabError

PORT = "7999"


def install(lab):
    lab.put("dom0", TOP / "build/loader/vmc-loader", "/usr/sbin/vmc-loader")
    for guest in ("a", "b"):
        lab.put(guest, TOP / "build/loader/vmc-loader", "/usr/sbin/vmc-loader")
        lab.put(guest, TOP / "build/kmod/vmc.ko", "/root/vmc.ko")
        lab.put(guest, TOP / "build/tests/bench/xfer", "/usr/bin/xfer")
        lab.exec(guest, "insmod", "/root/vmc.ko")
    lab.exec("dom0", "vmc-loader", "--quiet", "broker", "--daemon")


def attach(lab):
    for guest in ("a", "b"):
        lab.exec(guest, "vmc-loader", "--quiet", "attach", "--daemon")
    deadline = time.monotonic() + 20
    for guest in ("a", "b"):
        while not json.loads(lab.exec(guest, "vmc-loader", "--json", "status")).get("peers"):
            if time.monotonic() > deadline:
                raise LabError(f"{guest} does not see its peer: no broker in dom0?")
            time.sleep(0.2)


def detach(lab):
    for guest in ("a", "b"):
        lab.exec(guest, "vmc-loader", "--quiet", "detach")


def prove(lab, size):
    """A verified transfer from a to b: its bytes as each side and the program count them."""
    before = {g: measure.counters(lab, g) for g in ("a", "b")}
    receiver = lab.spawn("b", "xfer", "-r", str(size), "listen", PORT, timeout=150)
    try:
        deadline = time.monotonic() + 20
        while not lab.exec("b", "ss", "-Hltn", f"sport = {PORT}").strip():
            if time.monotonic() > deadline:
                raise LabError("the receiver of the proof does not listen")
            time.sleep(0.2)
        sent = lab.exec("a", "xfer", "-s", str(size), "connect", "10.0.0.2", PORT, timeout=150)
        received = receiver.communicate(timeout=160)[0]
    finally:
        receiver.kill()
    delta = {g: measure.difference(measure.counters(lab, g), before[g]) for g in ("a", "b")}
    sent = _line(sent, "sent")
    received = _line(received, "received")
    proof = {
        "sent": int(sent[1]), "received": int(received[1]),
        "sha256_sent": sent[2], "sha256_received": received[2],
        "ring_sent": delta["a"]["tx_bytes"], "ring_received": delta["b"]["rx_bytes"],
        "tcp_sent": delta["a"]["tx_tcp_bytes"],
    }
    proof["holds"] = (proof["sha256_sent"] == proof["sha256_received"]
                      and proof["ring_sent"] == proof["ring_received"]
                      and proof["ring_sent"] + proof["tcp_sent"] == proof["received"])
    return proof


def _line(text, word):
    for line in text.splitlines():
        if line.startswith(word + " "):
            return line.split()
    raise LabError(f"the transfer of the proof failed: no \"{word}\" in {text!r}")
