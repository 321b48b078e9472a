# SPDX-License-Identifier: GPL-2.0-only
"""What several rows ask of a socket."""

import array
import fcntl
import time


def ask(s, request):
    """An ioctl that returns an int."""
    value = array.array("i", [0])
    fcntl.ioctl(s, request, value)
    return value[0]


def until(function, want, wait=15):
    """What FUNCTION says, as soon as it is WANT."""
    end = time.monotonic() + wait
    while (now := function()) != want and time.monotonic() < end:
        time.sleep(0.02)
    return now
