# SPDX-License-Identifier: GPL-2.0-only
"""The test groups: where their programs are and how one is started."""

import os
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TIMEOUT = 120   # seconds a program may take, unless it says "# TIMEOUT=n" in its first lines
# Guests with the debug kernel are several times slower: tests/run --debug sets this, and
# SIZE_DIVISOR for the programs that move most.
SCALE = int(os.environ.get("TIME_SCALE", "1"))
# For times that only end what hangs. Machines three times slower than usual have been seen.
HANG_SCALE = max(3, SCALE)


@dataclass
class Program:
    """One test program: argv, its seconds, and the group it belongs to."""

    group: str
    name: str
    argv: list
    timeout: int = TIMEOUT
    lab: bool = False
    lane: str = ""      # its lab is not the one that others share
    env: dict = field(default_factory=dict)


def in_toolchain(*argv):
    """ARGV as it runs with the reference platform's tools and libraries."""
    native = os.environ.get("NATIVE") == "1" or os.spawnv(
        os.P_WAIT, TOP / "tests/lib/native", ["native"]) == 0
    return list(argv) if native else [str(TOP / "tests/lab/toolchain"), "run", *argv]


def _says(path, name, default):
    """The value of a line "# NAME=value" at the top of a script."""
    with open(path, errors="replace") as script:
        for line in [next(script, "") for _ in range(20)]:
            if line.startswith(f"# {name}="):
                return line.split("=")[1].strip()
    return default


def _timeout(path):
    return int(_says(path, "TIMEOUT", TIMEOUT)) * HANG_SCALE


def _scripts(folder, pattern="test_*"):
    return sorted(p for p in (TOP / "tests" / folder).glob(pattern)
                  if os.access(p, os.X_OK) and p.is_file())


def lint():
    return [Program("lint", "lint", in_toolchain("tests/lint/run"), timeout=900 * HANG_SCALE)]


def ring():
    return [Program("ring", name, in_toolchain(f"build/tests/ring/{name}"), timeout=300 * HANG_SCALE)
            for name in ("unit", "hostile", "stress", "stress-tsan")]


def loader():
    unit = [Program("loader", "unit", in_toolchain("build/tests/loader/unit"),
                    TIMEOUT * HANG_SCALE)]
    return unit + [Program("loader", p.name, in_toolchain(f"tests/loader/{p.name}"), _timeout(p))
                   for p in _scripts("loader")]


def lab():
    """Tests of the lab itself, and of the loader in one of its own; each brings up what it needs."""
    return [Program("lab", p.name, [str(p)], max(_timeout(p), 600 * HANG_SCALE))
            for p in _scripts("lab", "selftest") + _scripts("loader", "lab_*")]


def loopback():
    """Run inside guest a, where tests/loopback lies in /root/loopback."""
    return [Program("loopback", p.name,
                    [str(TOP / "tests/lib/in-guest"), "a", str(_timeout(p)),
                     f"/root/loopback/{p.name}"],
                    _timeout(p) + 10, lab=True) for p in _scripts("loopback")]


def e2e():
    """One that says LANE=semantics runs beside the others, behind the semantics."""
    return [Program("e2e", p.name, [str(p)], _timeout(p), lab=True,
                    lane=_says(p, "LANE", "")) for p in _scripts("e2e")]


def debug():
    """What the debug kernel's checkers have to say at the end; with tests/run --debug only."""
    return [Program("debug", p.name, [str(p)], _timeout(p), lab=True)
            for p in _scripts("debug") if os.environ.get("VMC_DEBUG") == "1"]


def semantics():
    """Their other half runs in the guests, where they put it. A quarter of an hour, of which
    they sleep the most: beside the others, in a lab of their own."""
    return [Program("semantics", p.name, [str(p)], _timeout(p), lab=True,
                    lane="semantics") for p in _scripts("semantics")]


def long():
    """Takes an hour, so only when asked for: make check-long, or tests/run long. A program
    that says LAB=own brings its lab up itself."""
    return [Program("long", p.name, [str(p)], _timeout(p), lab=_says(p, "LAB", "") != "own")
            for p in _scripts("long")]


def kernel():
    """The kernel's selftests; make check-kernel builds them."""
    return [Program("kernel", p.name, [str(p)], _timeout(p), lab=True)
            for p in _scripts("kernel")]


# In the order in which they run, as far as they share a lab.
GROUPS = {"lint": lint, "ring": ring, "loader": loader, "lab": lab,
          "loopback": loopback, "semantics": semantics, "e2e": e2e, "debug": debug,
          "long": long, "kernel": kernel}

# Without a group named, tests/run leaves these out.
ONLY_BY_NAME = {"long", "debug", "kernel"}
