# SPDX-License-Identifier: GPL-2.0-only
"""What the root file system holds (dom0 and guests share one image)."""

BASE = """
    apt-utils- bash busybox-static coreutils findutils grep sed gawk kmod less procps
    util-linux iproute2 iputils-ping libc-bin libgcc-s1 netbase psmisc
    python3 tar xz-utils
""".split()

KERNEL = ["linux-image-amd64"]

XEN = """
    xen-hypervisor-4.20-amd64 xen-utils-4.20 xenstore-utils libxenstore4 libxenmisc4.20
""".split()

VMC = "bpftool libbpf1 libjson-c5 libsystemd0 libcap2".split()

TRAFFIC = """
    netperf iperf3 sockperf socat netcat-openbsd redis-server redis-tools nginx-light
    curl openssl
""".split()

INSPECT = """
    conntrack ethtool nftables tcpdump strace linux-perf
""".split()

ALL = [p for p in BASE + KERNEL + XEN + VMC + TRAFFIC + INSPECT if not p.endswith("-")]

# What the machine that runs the lab needs: command, package.
HOST = (
    ("mmdebstrap", "mmdebstrap"),
    ("cpio", "cpio"),
    ("mkfs.erofs", "erofs-utils"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
)
