# SPDX-License-Identifier: GPL-2.0-only
"""The lab as the runner and the benchmark use it, through its command."""

import os
import shlex
import subprocess
import sys

from groups import HANG_SCALE, TOP

LAB = str(TOP / "tests/lab/lab")


class LabError(Exception):
    """The lab's command failed."""


class Lab:
    """One named lab."""

    def __init__(self, name):
        self.name = name

    def _run(self, verb, *args, timeout=600 * HANG_SCALE, **kwargs):
        return subprocess.run([LAB, verb, "--name", self.name, *args], timeout=timeout, **kwargs)

    def up(self, *args):
        """A fresh instance, whatever an earlier run left, with $LAB_OPTIONS as well."""
        args += tuple(shlex.split(os.environ.get("LAB_OPTIONS", "")))
        self._run("down", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self._run("up", *args, timeout=1000 * HANG_SCALE).returncode:
            raise LabError(f"the lab did not come up: tests/lab/lab up --name {self.name}")

    def down(self):
        self._run("down", stdout=subprocess.DEVNULL)

    def mark(self):
        self._run("mark", stdout=subprocess.DEVNULL)

    def console_faults(self):
        """What the kernels and Xen complained about since mark(), or ''."""
        done = self._run("check-console", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace")
        return done.stdout or "check-console failed" if done.returncode else ""

    def keep_consoles(self, prefix):
        """Whole, as PREFIX-HOST.console: a fault's trace is in the lines behind it."""
        for host in ("dom0", "a", "b"):
            with open(f"{prefix}-{host}.console", "wb") as out:
                self._run("console", host, stdout=out, stderr=subprocess.STDOUT)

    def put(self, host, local, remote):
        if self._run("put", host, str(local), remote).returncode:
            raise LabError(f"cannot copy {local} to {host}")

    def exec(self, host, *argv, timeout=60 * HANG_SCALE, check=True, env=None, stdin=False):
        """Standard output of a command on HOST; with check, a failure raises LabError."""
        try:
            done = self._run("exec", "-t", str(timeout), *([] if stdin else ["-n"]), host, *argv,
                             timeout=timeout + 30, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace", env=env)
        except subprocess.TimeoutExpired:
            raise LabError(f"{host}: {' '.join(argv)}: the lab's command hangs") from None
        if check and done.returncode:
            raise LabError(f"{host}: {' '.join(argv)}: status {done.returncode}\n"
                           f"{done.stderr or done.stdout}")
        return done.stdout

    def spawn(self, host, *argv, timeout=600 * HANG_SCALE):
        """A command on HOST that runs beside us; standard output is a pipe."""
        return subprocess.Popen([LAB, "exec", "--name", self.name, "-t", str(timeout), "-n", host,
                                 *argv], stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
