# SPDX-License-Identifier: GPL-2.0-only
"""One emulator: its command line, its monitor (QMP), saving and resuming it."""

import json
import os
import signal
import socket
import subprocess
import time

from . import image
from .channel import NR_PORTS
from .common import EMULATOR, LabError, read_file
from .config import CPU, DOM0_MEMORY
from .state import start_time

XEN_APPEND = (f"console=com1 loglvl=all guest_loglvl=all dom0_mem={DOM0_MEMORY}M,max:{DOM0_MEMORY}M"
              " bootscrub=0 spec-ctrl=no xpti=no noreboot")
DOM0_APPEND = "console=hvc0 loglevel=5 panic=0 lab.host=dom0"


def command_line(config, disk, ram, share, incoming):
    """Paths are relative to the run directory, where the emulator runs."""
    size = f"{config.qemu_memory()}M"
    rel = os.path.relpath(image.IMAGE)
    cmd = [*EMULATOR, "-nodefaults", "-no-user-config", "-display", "none",
           "-machine", "q35,memory-backend=m0", "-accel", "tcg,thread=multi",
           "-cpu", CPU[config.type], "-smp", str(config.cpus), "-m", size, "-nic", "none",
           "-object", f"memory-backend-file,id=m0,size={size},mem-path={os.path.relpath(ram)},share={share}",
           "-qmp", "unix:qmp,server=on,wait=off",
           "-chardev", "file,id=com1,path=console-xen.log,append=on", "-serial", "chardev:com1",
           "-kernel", f"{rel}/xen", "-append", XEN_APPEND,
           "-initrd", f"{rel}/vmlinux {DOM0_APPEND},{rel}/initramfs.cpio"]
    for name, path in (("root", f"{rel}/root.erofs"), ("config", os.path.relpath(disk))):
        cmd += ["-drive", f"id={name},if=none,format=raw,readonly=on,file={path}",
                "-device", f"virtio-blk-pci,drive={name}"]
    cmd += ["-device", "virtio-serial-pci,id=exec,max_ports=31"]
    for i in range(NR_PORTS):
        cmd += ["-chardev", f"socket,id=exec.{i},path=exec.{i},server=on,wait=off",
                "-device", f"virtserialport,bus=exec.0,nr={i + 1},chardev=exec.{i},name=exec.{i}"]
    cmd += ["-device", "virtio-serial-pci,id=console,max_ports=31"]
    for i, guest in enumerate(config.guests):
        cmd += ["-chardev", f"file,id=console.{guest},path=console-{guest}.log,append=on",
                "-device", f"virtserialport,bus=console.0,nr={i + 1},chardev=console.{guest},"
                           f"name=console.{guest}"]
    return cmd + _link(config) + (["-incoming", "defer"] if incoming else [])


def _link(config):
    """The network card that joins two labs: frames as datagrams between their run directories."""
    if not config.link:
        return []
    mac = f"00:16:3e:00:01:{2 if config.standby else 1:02x}"
    return ["-netdev", "dgram,id=link,local.type=unix,local.path=link,"
                       f"remote.type=unix,remote.path=../{config.link}/link",
            "-device", f"virtio-net-pci,netdev=link,romfile=,mac={mac}"]


class Monitor:
    """A QMP connection."""

    def __init__(self, run, process, timeout=20):
        deadline = time.monotonic() + timeout
        fd = os.open(run, os.O_PATH | os.O_DIRECTORY)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        while True:
            try:
                self.sock.connect(f"/proc/self/fd/{fd}/qmp")
                break
            except (FileNotFoundError, ConnectionRefusedError) as e:
                if process.poll() is not None or time.monotonic() > deadline:
                    text = read_file(os.path.join(run, "qemu.log"), "")
                    raise LabError(f"the emulator did not start: {text.strip()}") from e
                time.sleep(0.01)
        os.close(fd)
        self.file = self.sock.makefile("r", encoding="utf-8")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, execute, **arguments):
        self.sock.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode())
        while True:
            line = self.file.readline()
            if not line:
                raise LabError(f"the emulator ended at {execute}")
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"emulator: {execute}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def migrate(self, command, uri):
        """Without the memory, which stays in its file."""
        self.call("migrate-set-capabilities",
                  capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.call(command, uri=uri)
        while (status := self.call("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):
                raise LabError(f"emulator: {command} {status}; see qemu.log in the run directory")
            time.sleep(0.01)

    def close(self):
        self.sock.close()


def start(config, run, disk, ram, share, incoming=False):
    """Starts the emulator in its run directory; the process, which outlives us."""
    here = os.getcwd()
    os.chdir(run)
    try:
        with open("qemu.log", "ab") as log:
            return subprocess.Popen(command_line(config, disk, ram, share, incoming),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)
    finally:
        os.chdir(here)


def stop(pid, started, timeout=10):
    """Ends our emulator, if it is still the process that we started."""
    deadline = time.monotonic() + timeout
    sig = signal.SIGTERM
    while start_time(pid) == started:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            return
        time.sleep(0.02)
        if time.monotonic() > deadline - timeout / 2:
            sig = signal.SIGKILL
        if time.monotonic() > deadline:
            raise LabError(f"the emulator (process {pid}) does not end, even by SIGKILL")
