# SPDX-License-Identifier: GPL-2.0-only
"""Places, names and the small helpers that every part of the lab uses."""

import contextlib
import fcntl
import os
import sys

LABDIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(LABDIR))
BUILD = os.path.join(TOP, "build", "lab")
RUN = os.path.join(BUILD, "run")
TOOLCHAIN = os.path.join(TOP, "build", "toolchain")
# Debian 13's: where processes come and go it is twice as fast as Debian 12's. The script execs,
# so the process is the emulator's.
EMULATOR = (os.path.join(LABDIR, "toolchain"), "run", "qemu-system-x86_64")

GUESTS = "abcdefgh"
DEBIAN = "http://deb.debian.org/debian"
SUITE = "trixie"

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 124


class LabError(Exception):
    """Something failed; the text says what, and what to do next."""

    def __init__(self, text, code=EXIT_FAILED):
        super().__init__(text)
        self.code = code


def say(text):
    """Progress, on stderr, so that stdout stays the command's own."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(path):
    """One process at a time; the lock ends with its holder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".lock", "w", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def write_file(path, text):
    """Write a file whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def read_file(path, default=None):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return default
