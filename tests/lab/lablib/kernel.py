# SPDX-License-Identifier: GPL-2.0-only
"""Uncompressed kernels: unpacking inside the emulator costs seconds at every boot."""

import gzip
import lzma
import subprocess

from .common import LabError

ELF = b"\x7fELF"


def _gunzip(data):
    with subprocess.Popen(["gzip", "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        return p.communicate(data)[0]


def _unxz(data):
    return lzma.LZMADecompressor().decompress(data)


def _unzstd(data):
    with subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        return p.communicate(data)[0]


FORMATS = ((b"\x28\xb5\x2f\xfd", _unzstd), (b"\xfd7zXZ\0", _unxz), (b"\x1f\x8b\x08", _gunzip))


def _try_at(data, magic, unpack):
    at = data.find(magic)
    while at >= 0:
        try:
            out = unpack(data[at:])
        except (OSError, lzma.LZMAError):
            out = b""
        if out.startswith(ELF):
            return out
        at = data.find(magic, at + 1)
    return None


def vmlinux(path):
    """The ELF image inside a bzImage (or the file itself when it is one)."""
    with open(path, "rb") as f:
        data = f.read()
    if data.startswith(ELF):
        return data
    for magic, unpack in FORMATS:
        out = _try_at(data, magic, unpack)
        if out:
            return out
    raise LabError(f"{path}: no kernel that I can unpack (zstd, xz, gzip); give its vmlinux")


def gunzip_file(path):
    with gzip.open(path) as f:
        return f.read()
