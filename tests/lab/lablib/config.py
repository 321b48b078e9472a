# SPDX-License-Identifier: GPL-2.0-only
"""What a lab consists of, and the configuration disk that tells dom0."""

import hashlib
import json
import os
import re
import shutil
import subprocess

from . import image, kernel
from .common import BUILD, EMULATOR, GUESTS, LabError

DISKS = os.path.join(BUILD, "config")
DOM0_MEMORY = 2048
XEN_MEMORY = 256
CPU = {"pv": "qemu64", "pvh": "qemu64,+svm,+npt,+x2apic"}


class Config:
    """One configuration; its key names its snapshot."""

    def __init__(self, args):
        self.guests = GUESTS[:args.guests]
        self.vcpus = args.vcpus
        self.cpus = args.cpus
        self.type = args.type
        self.memory = args.memory
        self.kernel = os.path.abspath(args.kernel) if args.kernel else None
        self.modules = os.path.abspath(args.modules) if args.modules else None
        self.append = args.append
        self.link = args.link
        self.standby = args.standby

    def qemu_memory(self):
        """MiB; a multiple of 256."""
        need = DOM0_MEMORY + XEN_MEMORY + len(self.guests) * (self.memory + 32)
        return (need + 255) // 256 * 256

    def key(self):
        h = hashlib.sha256(image.want_stamp().encode())
        h.update(json.dumps(self._identity(), sort_keys=True).encode())
        h.update(_tree_hash(self.kernel) + _tree_hash(self.modules))
        for name in ("config.py", "qemu.py"):
            with open(os.path.join(os.path.dirname(__file__), name), "rb") as f:
                h.update(f.read())
        h.update(subprocess.run([*EMULATOR, "--version"], check=True, capture_output=True).stdout)
        return h.hexdigest()[:16]

    def _identity(self):
        """What the key is of: whether there is a link, but not where it leads; nothing of it where
        there is none."""
        values = vars(self) | {"link": bool(self.link)}
        return {name: v for name, v in values.items() if v or name not in ("link", "standby")}

    def disk(self, key):
        """The configuration disk, made when it isn't there."""
        path = os.path.join(DISKS, key + ".erofs")
        if os.path.exists(path):
            return path
        new = os.path.join(DISKS, f"{key}.{os.getpid()}.new")
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        self._fill(new)
        subprocess.run(["mkfs.erofs", "--quiet", "-x-1", new + ".erofs", new], check=True, stdout=2)
        shutil.rmtree(new)
        os.rename(new + ".erofs", path)
        return path

    def _fill(self, folder):
        if self.kernel:
            with open(os.path.join(folder, "vmlinux"), "wb") as f:
                f.write(kernel.vmlinux(self.kernel))
        if self.modules:
            self._initramfs(folder)
        for mark in ("link", "standby"):
            if getattr(self, mark):
                with open(os.path.join(folder, mark), "wb"):
                    pass
        for guest in self.guests:
            with open(os.path.join(folder, guest + ".cfg"), "w", encoding="utf-8") as f:
                f.write(self._xl(guest))

    def _initramfs(self, folder):
        """Debian's initramfs, then a second archive with the other kernel's modules."""
        release = os.path.basename(self.modules)
        extra = os.path.join(folder, "extra.tmp")
        shutil.copytree(self.modules, os.path.join(extra, "extra", release),
                        ignore=shutil.ignore_patterns("build", "source"))
        os.makedirs(os.path.join(extra, "modules"))
        _early_modules(os.path.join(extra, "extra", release), os.path.join(extra, "modules"))
        image.pack(extra, os.path.join(folder, "extra.cpio"))
        with open(os.path.join(folder, "initramfs.cpio"), "wb") as out:
            for part in (os.path.join(image.IMAGE, "initramfs.cpio"), out.name.replace(
                    "initramfs.cpio", "extra.cpio")):
                with open(part, "rb") as f:
                    shutil.copyfileobj(f, out)
        shutil.rmtree(extra)
        os.unlink(os.path.join(folder, "extra.cpio"))

    def _xl(self, guest):
        n = GUESTS.index(guest) + 1
        boot = "/lab/vmlinux" if self.kernel else "/boot/vmlinux"
        initramfs = "/lab/initramfs.cpio" if self.modules else "/boot/initramfs.cpio"
        append = f"console=hvc0 loglevel=5 panic=0 lab.host={guest} {self.append}".strip()
        return f"""\
name = "{guest}"
type = "{self.type}"
kernel = "{boot}"
ramdisk = "{initramfs}"
cmdline = "{append}"
memory = {self.memory}
vcpus = {self.vcpus}
disk = ["format=raw,vdev=xvda,access=r,script=/etc/xen/scripts/lab-block,target=/dev/vda"]
vif = ["mac=00:16:3e:00:00:{n:02x},bridge=xenbr0,script=/etc/xen/scripts/lab-vif,ip=10.0.0.{n} fd00::{n}"]
on_crash = "preserve"
"""


def _early_modules(tree, out):
    """A modular kernel's own drivers for the root disk, where they are not built in."""
    order = []
    deps = {}
    with open(os.path.join(tree, "modules.dep"), encoding="utf-8") as f:
        for line in f:
            path, needs = line.split(":")
            deps[re.sub("-", "_", os.path.basename(path).split(".")[0])] = [
                *reversed(needs.split()), path]
    for name in image.EARLY:
        order += [p for p in deps.get(name.replace("-", "_"), ()) if p not in order]
    for path in order:
        if not path.endswith(".ko"):
            raise LabError(f"{path}: unpack the modules first (xz -d, zstd -d, then depmod)")
        shutil.copy2(os.path.join(tree, path), out)
    with open(os.path.join(out, "order"), "w", encoding="utf-8") as f:
        f.write("".join(os.path.basename(p) + "\n" for p in order))


def _tree_hash(path):
    """A kernel's or module tree's identity: names, sizes and times; contents would take long."""
    if path is None:
        return b""
    if not os.path.exists(path):
        raise LabError(f"{path}: no such file or directory")
    h = hashlib.sha256()
    names = [path]
    for folder, dirs, files in os.walk(path):
        dirs.sort()
        files = [os.path.join(folder, n) for n in sorted(files)]
        names += [n for n in files if not os.path.islink(n)]    # "build" may lead nowhere
    for name in names:
        st = os.stat(name)
        h.update(f"{name} {st.st_size} {st.st_mtime_ns}\n".encode())
    return h.digest()
