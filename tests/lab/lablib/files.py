# SPDX-License-Identifier: GPL-2.0-only
"""Copying files and directories to and from a host, through `exec`."""

import os
import subprocess
import sys

from . import channel
from .common import LabError
from .state import run_of

PUT_FILE = 'set -e; cat >"$1.lab-new"; chmod "$2" "$1.lab-new"; mv -fT "$1.lab-new" "$1"'
PUT_DIR = 'mkdir -p "$1" && tar -C "$1" -xf -'
GET_FILE = 'exec cat <"$1"'
GET_DIR = 'exec tar -C "$1" -cf - .'


def _sh(script, *words):
    return ["sh", "-c", script, "lab", *words]


def put(name, host, local, remote, timeout):
    run = run_of(name, host)
    if os.path.isdir(local):
        with subprocess.Popen(["tar", "-C", local, "--owner=0", "--group=0", "-cf", "-", "."],
                              stdout=subprocess.PIPE) as tar:
            status = channel.execute(run, host, _sh(PUT_DIR, remote), timeout, tar.stdout.fileno())
        return status or tar.returncode
    try:
        with open(local, "rb") as f:
            mode = f"{os.fstat(f.fileno()).st_mode & 0o7777:o}"
            return channel.execute(run, host, _sh(PUT_FILE, remote, mode), timeout, f.fileno())
    except FileNotFoundError as e:
        raise LabError(f"{local}: no such file or directory") from e


def get(name, host, remote, local, timeout):
    run = run_of(name, host)
    is_dir = channel.capture(run, host, ["test", "-d", remote], timeout)[0] == 0
    return (_get_dir if is_dir else _get_file)(run, host, remote, local, timeout)


def _get_dir(run, host, remote, local, timeout):
    os.makedirs(local, exist_ok=True)
    with subprocess.Popen(["tar", "-C", local, "-xf", "-"], stdin=subprocess.PIPE) as tar:
        status = channel.execute(run, host, _sh(GET_DIR, remote), timeout,
                                 sink=_sink(tar.stdin.fileno()))
        tar.stdin.close()
    return status or tar.returncode


def _get_file(run, host, remote, local, timeout):
    mode = channel.capture(run, host, ["stat", "-L", "-c", "%a", remote], timeout)[1].strip() or b"644"
    new = local + ".lab-new"
    with open(new, "wb", buffering=0) as f:
        status = channel.execute(run, host, _sh(GET_FILE, remote), timeout, sink=_sink(f.fileno()))
    if status:
        os.unlink(new)
        return status
    os.chmod(new, int(mode, 8))
    os.rename(new, local)
    return 0


def _sink(out):
    def sink(which, data):
        channel.to_descriptors(out if which == 1 else sys.stderr.fileno(), data)
    return sink
