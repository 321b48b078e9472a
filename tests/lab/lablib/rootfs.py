# SPDX-License-Identifier: GPL-2.0-only
"""The Debian 13 tree under build/lab/base: made once for each list of packages."""

import hashlib
import os
import shutil
import subprocess

from . import packages
from .common import BUILD, DEBIAN, SUITE, LabError, read_file, say, write_file

BASE = os.path.join(BUILD, "base")
STAMP = os.path.join(BUILD, "base.stamp")
KEYRING = "/usr/share/keyrings/debian-archive-trixie-stable.gpg"

# mmdebstrap's own steps are part of the result: a change of them changes the stamp.
OPTIONS = (
    "--variant=minbase",
    "--components=main,non-free",
    "--aptopt=Apt::Install-Recommends false",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-confold",
    # No initramfs-tools run: the lab's own initramfs is smaller and boots faster.
    "--essential-hook=mkdir -p \"$1\"/etc/initramfs-tools",
    "--essential-hook=echo update_initramfs=no >\"$1\"/etc/initramfs-tools/update-initramfs.conf",
    "--customize-hook=rm -f \"$1\"/boot/initrd.img-*",
)


def install_host_packages():
    """Install by apt-get what this machine lacks."""
    missing = [pkg for cmd, pkg in packages.HOST if not shutil.which(cmd)]
    if not os.path.exists(KEYRING):
        missing.append("debian-archive-keyring")
    if not missing:
        return
    say(f"installing on this machine: {' '.join(missing)}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=2)
    cmd = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if subprocess.run(cmd, env=env, check=False, stdout=2).returncode:
        raise LabError(f"apt-get could not install {' '.join(missing)}; install them by hand")


def stamp():
    text = "\n".join((SUITE, DEBIAN, *OPTIONS, *sorted(packages.ALL)))
    return hashlib.sha256(text.encode()).hexdigest()


def build():
    """Make build/lab/base unless it is there for this list; returns its stamp."""
    want = stamp()
    if read_file(STAMP, "").strip() == want and os.path.isdir(BASE):
        return want
    if os.geteuid() != 0:
        raise LabError("building the root file system needs root: run it with sudo")
    say("making the Debian 13 root file system (some minutes, once)")
    new = BASE + ".new"
    for old in (STAMP, new, BASE):
        if os.path.isdir(old):
            shutil.rmtree(old)
        elif os.path.exists(old):
            os.unlink(old)
    cmd = ["mmdebstrap", "--quiet", *OPTIONS, "--include=" + ",".join(packages.ALL),
           SUITE, new, DEBIAN]
    # A mount namespace of its own: no /proc stays mounted in the tree if this is interrupted.
    cmd = ["unshare", "--mount", "--propagation", "private", *cmd]
    if subprocess.run(cmd, check=False, stdout=2).returncode:
        raise LabError("mmdebstrap failed (see above); is http://deb.debian.org reachable?")
    os.rename(new, BASE)
    write_file(STAMP, want + "\n")
    return want


def kernel_version():
    """The tree's kernel release; it must be the one that modules are built against."""
    releases = sorted(os.listdir(os.path.join(BASE, "lib/modules")))
    if len(releases) != 1:
        raise LabError(f"expected one kernel in build/lab/base, found {releases}")
    return releases[0]


def package_version(root, name):
    cmd = ["dpkg-query", "--admindir", os.path.join(root, "var/lib/dpkg"),
           "-W", "-f", "${Version}", name]
    got = subprocess.run(cmd, check=False, capture_output=True, text=True)
    return got.stdout.strip()
