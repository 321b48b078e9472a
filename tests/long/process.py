# SPDX-License-Identifier: GPL-2.0-only
"""A process in a guest that goes on beside us, under setsid: it outlives a lab exec that breaks
when the guest is saved or destroyed. And under nice: a command that is given meanwhile has its
turn even where a dozen threads of it are busy on a slow machine."""

import time


class Process:
    """It says what it has to say into a log."""

    def __init__(self, lab, host, name, *argv):
        self.lab = lab
        self.host = host
        self.log = f"/tmp/{name}.log"
        self.text = ""
        self.offset = self._clock_offset()
        # $! is setsid's own process: in a script it does not fork, and nice becomes the program.
        self.pid = lab.exec(host, "sh", "-c", f"setsid nice -n 10 {' '.join(argv)} >{self.log} 2>&1 "
                            "</dev/null & echo $!").strip()

    def _clock_offset(self):
        """Seconds that the guest's clock is ahead of ours."""
        before = time.time()
        there = float(self.lab.exec(self.host, "date", "+%s.%N"))
        return there - (before + time.time()) / 2

    def is_running(self):
        said = self.lab.exec(self.host, "sh", "-c", f"test -d /proc/{self.pid} && echo yes || echo no",
                             check=False)
        return said.strip() == "yes"

    def signal(self, name):
        self.lab.exec(self.host, "kill", f"-{name}", self.pid, check=False)

    def read(self):
        """What it said; nothing if the guest with it is gone."""
        self.text = self.lab.exec(self.host, "cat", self.log, check=False)
        return self.text

    def last(self):
        return self.lab.exec(self.host, "tail", "-n", "1", self.log, check=False).strip()
