# SPDX-License-Identifier: GPL-2.0-only
"""Bringing a lab up and down: boot or resume, snapshots, the state in build/lab/run/NAME."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import time

from . import channel, image, qemu
from .common import BUILD, LabError, locked, read_file, say, write_file
from .state import load, need, run_dir, start_time, started

SNAPSHOTS = os.path.join(BUILD, "snapshots")
# A minute on an idle machine; PVH on a busy one takes many, and a debug kernel still more.
SCALE = int(os.environ.get("TIME_SCALE", "1"))
BOOT_TIMEOUT = 900 * SCALE
RESUME_TIMEOUT = 180 * SCALE


def up(name, config, use_snapshot):
    """Starts the lab; how: "resumed" or "booted"."""
    if load(name):
        raise LabError(f"the lab '{name}' is up already: lab down --name {name}")
    image.build()
    os.makedirs(SNAPSHOTS, exist_ok=True)
    key = config.key()
    run = run_dir(name)
    down(name)
    os.makedirs(run)
    if not use_snapshot:
        _boot(name, config, key, os.path.join(run, "ram")).returncode = 0   # it outlives us
        return "booted"
    snapshot = os.path.join(SNAPSHOTS, key)
    with locked(snapshot):
        if not os.path.isdir(snapshot):
            _make_snapshot(config, key, snapshot)
    _resume(name, config, key, snapshot)
    return "resumed"


def _record(name, config, key, process, how):
    write_file(os.path.join(run_dir(name), "lab.json"), json.dumps({
        "name": name, "pid": process.pid, "started": start_time(process.pid), "how": how,
        "key": key, **vars(config)}, indent=1) + "\n")


def _boot(name, config, key, ram):
    run = run_dir(name)
    say("booting " + ("dom0" if config.standby else f"{len(config.guests)} guest(s)"))
    process = qemu.start(config, run, config.disk(key), ram, "on")
    _record(name, config, key, process, "booted")
    try:
        qemu.Monitor(run, process).close()
        _wait_for_hosts(name, time.monotonic() + BOOT_TIMEOUT)
    except BaseException:
        qemu.stop(process.pid, start_time(process.pid))
        raise
    return process


def _set_clock(run, host):
    """The clock of a snapshot stands at its making; whether the host answers."""
    now = f"@{time.time():.3f}"
    try:
        return channel.capture(run, host, ["date", "-s", now], timeout=30 * SCALE)[0] == 0
    except LabError:
        return False


def _set_clocks(name, names):
    """The hosts that don't answer."""
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        answers = pool.map(lambda host: _set_clock(run_dir(name), host), names)
        return [h for h, ok in zip(names, answers) if not ok]


def _wait_for_hosts(name, deadline):
    waiting = started(need(name))
    while True:
        waiting = _set_clocks(name, waiting)
        if not waiting:
            # Again: the first command of a resumed host takes seconds when its memory is cold.
            _set_clocks(name, started(need(name)))
            return
        if time.monotonic() > deadline or not load(name):
            raise LabError(f"no answer from {', '.join(waiting)}; see"
                           f" {os.path.relpath(run_dir(name))}/console-*.log")
        time.sleep(0.5)


def _make_snapshot(config, key, snapshot):
    """Boots a lab of its own, stops it and keeps its memory and its devices' state."""
    new, name = snapshot + ".new", "snapshot-" + key
    shutil.rmtree(new, ignore_errors=True)
    need = config.qemu_memory() + 1024
    if shutil.disk_usage(SNAPSHOTS).free < need << 20:
        raise LabError(f"a snapshot may need {need} MiB in build/lab/snapshots: free some space, or"
                       " use --no-snapshot")
    down(name)
    os.makedirs(new)
    os.makedirs(run_dir(name))
    try:
        process = _boot(name, config, key, os.path.join(new, "ram"))
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)      # the run directory stays: it tells why
        raise
    say("making the snapshot")
    time.sleep(1)       # let what the boot left settle
    monitor = qemu.Monitor(run_dir(name), process)
    monitor.call("stop")
    monitor.migrate("migrate", "exec:cat >" + os.path.relpath(new, run_dir(name)) + "/state")
    monitor.call("quit")
    process.wait(30)
    subprocess.run(["fallocate", "--dig-holes", os.path.join(new, "ram")], check=False)
    for log in os.listdir(run_dir(name)):
        if log.startswith("console-"):
            shutil.copy2(os.path.join(run_dir(name), log), new)
    down(name)
    write_file(os.path.join(new, "image"), image.want_stamp())
    os.rename(new, snapshot)
    _remove_stale_snapshots()


def _remove_stale_snapshots():
    """Those of an image that is no more. A lab that runs from one keeps its mapping."""
    for key in os.listdir(SNAPSHOTS):
        if "." in key:
            continue
        if read_file(os.path.join(SNAPSHOTS, key, "image")) != image.want_stamp():
            shutil.rmtree(os.path.join(SNAPSHOTS, key), ignore_errors=True)


def _resume(name, config, key, snapshot):
    run = run_dir(name)
    for log in os.listdir(snapshot):
        if log.startswith("console-"):
            shutil.copy2(os.path.join(snapshot, log), run)
    process = qemu.start(config, run, config.disk(key), os.path.join(snapshot, "ram"), "off", True)
    _record(name, config, key, process, "resumed")
    try:
        monitor = qemu.Monitor(run, process)
        monitor.migrate("migrate-incoming", "exec:cat " + os.path.relpath(snapshot, run) + "/state")
        monitor.call("cont")
        monitor.close()
        _wait_for_hosts(name, time.monotonic() + RESUME_TIMEOUT)
        process.returncode = 0      # it outlives us
    except BaseException:
        qemu.stop(process.pid, start_time(process.pid))
        raise


def down(name):
    """Ends the lab and removes its run directory; whether it was there."""
    run = run_dir(name)
    text = read_file(os.path.join(run, "lab.json"))
    if text:
        got = json.loads(text)
        qemu.stop(got["pid"], got["started"])
    existed = os.path.isdir(run)
    shutil.rmtree(run, ignore_errors=True)
    return existed
