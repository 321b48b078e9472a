# SPDX-License-Identifier: GPL-2.0-only
"""What the emulator boots, under build/lab/image: Xen, kernel, initramfs and the root disk."""

import hashlib
import os
import shutil
import subprocess

from . import kernel, rootfs
from .common import BUILD, LABDIR, TOOLCHAIN, TOP, LabError, locked, read_file, say, write_file

IMAGE = os.path.join(BUILD, "image")
STAMP = os.path.join(IMAGE, "stamp")
OVERLAY = os.path.join(LABDIR, "rootfs")
AGENT = os.path.join(LABDIR, "agent")
INIT = os.path.join(LABDIR, "initramfs-init")

# Needed before the root disk is there, in this order.
EARLY = ("crc32c_generic", "virtio_blk", "xen-blkfront", "erofs", "overlay")
# Stay compressed: no test loads them, and they are most of the size.
COLD = ("drivers/gpu", "drivers/media", "drivers/infiniband", "drivers/scsi", "drivers/usb",
        "drivers/iio", "drivers/net/ethernet", "drivers/net/wireless", "sound")


def _inputs():
    for top in (OVERLAY, AGENT):
        for folder, dirs, names in os.walk(top):
            dirs.sort()
            yield from (os.path.join(folder, name) for name in sorted(names))
    yield INIT
    yield os.path.join(LABDIR, "lablib", "image.py")
    yield os.path.join(LABDIR, "lablib", "kernel.py")


def want_stamp():
    h = hashlib.sha256(rootfs.stamp().encode())
    for path in _inputs():
        with open(path, "rb") as f:
            h.update(path.removeprefix(TOP).encode() + b"\0" + f.read() + b"\0")
    return h.hexdigest()


def is_current():
    return (read_file(STAMP) or "").strip() == want_stamp()


def _run(cmd, what):
    if subprocess.run(cmd, check=False, stdout=2).returncode:
        raise LabError(f"{what} failed (see above)")


def _check_kernel(release):
    """Modules are built in the toolchain: its headers and this kernel must be one version."""
    headers = os.path.join(TOOLCHAIN, "usr/src", f"linux-headers-{release}")
    image = rootfs.package_version(rootfs.BASE, f"linux-image-{release}")
    built = rootfs.package_version(TOOLCHAIN, f"linux-headers-{release}")
    if not os.path.isdir(headers) or image != built:
        raise LabError(
            f"the lab's kernel is {release} ({image}), the toolchain's headers are not"
            f" ({built or 'absent'}): remove the older of build/lab/base.stamp and"
            " build/toolchain, then run lab build again")


def _agent(tree):
    toolchain = os.path.join(LABDIR, "toolchain")
    out = os.path.join(BUILD, "agent")
    os.makedirs(out, exist_ok=True)
    _run([toolchain, "run", "make", "-s", "-C", AGENT, f"O={out}"], "building the agent")
    shutil.copy2(os.path.join(out, "labd"), os.path.join(tree, "usr/sbin/labd"))


def _modules(tree, release):
    top = os.path.join(tree, "usr/lib/modules", release)
    cold = tuple(os.path.join(top, "kernel", c) + "/" for c in COLD)
    packed = []
    for folder, _, names in os.walk(top):
        if not (folder + "/").startswith(cold):
            packed += [os.path.join(folder, n) for n in names if n.endswith(".ko.xz")]
    subprocess.run(["xargs", "-0", "-n", "64", "-P", str(os.cpu_count()), "xz", "-d"],
                   input="\0".join(packed).encode(), check=True)
    _run(["chroot", tree, "depmod", release], "depmod")


def _module_paths(tree, release, names):
    """The modules and what they depend on, dependencies first."""
    top = os.path.join(tree, "usr/lib/modules", release)
    deps = {}
    for line in read_file(os.path.join(top, "modules.dep")).splitlines():
        path, needs = line.split(":")
        key = os.path.basename(path).split(".")[0].replace("-", "_")
        deps[key] = [*reversed(needs.split()), path]
    order = []
    for name in names:
        for path in deps.get(name.replace("-", "_"), ()):
            if path not in order:
                order.append(path)
    return [os.path.join(top, path) for path in order]


def _initramfs(tree, release, out):
    root = os.path.join(IMAGE + ".new", "initramfs")
    for folder in ("modules", "proc", "sys", "dev", "rw", "root"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy2(os.path.join(tree, "usr/bin/busybox"), os.path.join(root, "busybox"))
    shutil.copy2(INIT, os.path.join(root, "init"))
    order = _module_paths(tree, release, EARLY)
    for path in order:
        shutil.copy2(path, os.path.join(root, "modules"))
    write_file(os.path.join(root, "modules/order"),
               "".join(os.path.basename(path) + "\n" for path in order))
    pack(root, out)


def pack(folder, out):
    """A folder as an uncompressed cpio archive, as the kernel wants it."""
    with open(out, "wb") as f:
        _run_in(folder, "find . -mindepth 1 -print0 | cpio --quiet -0 -o -H newc -R 0:0", f)


def _run_in(folder, script, stdout):
    if subprocess.run(["sh", "-c", script], cwd=folder, stdout=stdout, check=False).returncode:
        raise LabError(f"{script.split()[0]} failed in {folder} (see above)")


def _fill(new, release):
    tree = os.path.join(new, "tree")
    _run(["cp", "-a", "--reflink=auto", rootfs.BASE, tree], "copying the root file system")
    _run(["cp", "-a", "--no-preserve=ownership", OVERLAY + "/.", tree], "adding the lab's files")
    _agent(tree)
    _modules(tree, release)
    boot = os.path.join(tree, "boot")
    with open(os.path.join(new, "vmlinux"), "wb") as f:
        f.write(kernel.vmlinux(os.path.join(boot, f"vmlinuz-{release}")))
    with open(os.path.join(new, "xen"), "wb") as f:
        f.write(kernel.gunzip_file(os.path.join(boot, "xen-4.20-amd64.gz")))
    _initramfs(tree, release, os.path.join(new, "initramfs.cpio"))
    for name in os.listdir(boot):
        if not name.startswith("config-"):
            os.unlink(os.path.join(boot, name))
    for name in ("vmlinux", "initramfs.cpio"):
        shutil.copy2(os.path.join(new, name), boot)
    _run(["mkfs.erofs", "--quiet", "-x-1", os.path.join(new, "root.erofs"), tree], "mkfs.erofs")


def build():
    """Make build/lab/image unless it is there for these inputs."""
    if is_current():
        return
    with locked(os.path.join(BUILD, "build")):
        if not is_current():
            _build()


def _build():
    rootfs.install_host_packages()
    rootfs.build()
    _run([os.path.join(LABDIR, "toolchain"), "build"], "building the toolchain")
    release = rootfs.kernel_version()
    _check_kernel(release)
    say("making the root disk")
    want, new = want_stamp(), IMAGE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    _fill(new, release)
    shutil.rmtree(os.path.join(new, "tree"))
    shutil.rmtree(os.path.join(new, "initramfs"))
    write_file(os.path.join(new, "stamp"), want + "\n")
    write_file(os.path.join(new, "release"), release + "\n")
    shutil.rmtree(IMAGE, ignore_errors=True)
    os.rename(new, IMAGE)
