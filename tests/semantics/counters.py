# SPDX-License-Identifier: GPL-2.0-only
"""The counters of vmc0 by ioctl: no process, no output to parse."""

import array
import fcntl
import os
import socket
import struct

SIOCETHTOOL = 0x8946
ETHTOOL_GSTRINGS = 0x1b
ETHTOOL_GSTATS = 0x1d
ETHTOOL_GSSET_INFO = 0x37
ETH_SS_STATS = 1
NAME_LEN = 32

# Made before the process enters another network namespace: vmc0 is in this one.
_home = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# Asked for a device that isn't there, the kernel runs modprobe, twice.
_has_device = os.path.exists("/sys/class/net/vmc0")
_names = []


def _ask(head, size):
    buffer = array.array("B", head + bytes(size))
    fcntl.ioctl(_home, SIOCETHTOOL, struct.pack("16sQ16x", b"vmc0", buffer.buffer_info()[0]))
    return bytes(buffer)


def _read_names():
    info = _ask(struct.pack("IIQ", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_STATS), 4)
    nr = struct.unpack_from("I", info, 16)[0]
    text = _ask(struct.pack("III", ETHTOOL_GSTRINGS, ETH_SS_STATS, nr), nr * NAME_LEN)
    return [text[12 + i * NAME_LEN:12 + (i + 1) * NAME_LEN].rstrip(b"\0").decode()
            for i in range(nr)]


def read():
    """Name and value of each counter; {} where the module was not loaded at the start."""
    if not _has_device:
        return {}
    try:
        if not _names:
            _names.extend(_read_names())
        values = _ask(struct.pack("II", ETHTOOL_GSTATS, len(_names)), len(_names) * 8)
    except OSError:
        return {}
    return dict(zip(_names, struct.unpack_from(f"{len(_names)}Q", values, 8)))


def difference(after, before):
    return {name: value - before.get(name, 0) for name, value in after.items()}
