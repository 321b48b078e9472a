# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's selftests that are compared, out of tools/testing/selftests."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Differs:
    """Why the SUBTESTS, a regular expression, fail with vmc, and what they then say."""

    why: str
    says: str
    subtests: str

    def covers(self, subtest):
        return subtest == "exit status" or bool(re.fullmatch(self.subtests, subtest))


@dataclass(frozen=True)
class Selftest:
    """HOOKED: the side that connects gets another address, so that vmc adopts."""

    name: str
    folder: str
    command: str
    seconds: int = 120
    hooked: bool = True
    differs: Differs | None = None

    def spec(self):
        return {"folder": self.folder, "command": self.command, "seconds": self.seconds,
                "hooked": self.hooked}


def net(name, command=None, **more):
    return Selftest(name, "net", command or f"./{name}", **more)


def progs(name, test=None, **more):
    return Selftest(f"test_progs {name}", "bpf", f"./test_progs -v -a {test or name}", **more)


def tcp_mmap(options):
    """Its server never ends."""
    return (f"stdbuf -oL ./tcp_mmap -4 -s {options} >mmap.log 2>&1 & sleep 2; "
            f"./tcp_mmap -4 {options} -H 127.0.0.1; sleep 2; kill $!; cat mmap.log; "
            "grep -q 'SHA256 is correct' mmap.log")


def one_program(subtests):
    """docs/design.md, "Ways not taken"."""
    return Differs("a socket can have one sk_msg program only", "Device or resource busy", subtests)


# They encrypt for more than the 30 s that each test has: AES in an emulator.
TLS_SLOW = " ".join(f"-T mutliproc_{what}" for what in (
    "even", "readers", "writers", "sendpage_even", "sendpage_readers", "sendpage_writers"))

# Those with "hooked=False" are about the addresses of sockets themselves.
SELFTESTS = [
    Selftest("test_sockmap", "bpf", "./test_sockmap", seconds=300,
             differs=one_program("sock(map|hash)::txmsg .*")),
    Selftest("test_sockmap, one address", "bpf", "./test_sockmap", seconds=300, hooked=False),
    progs("sockmap_listen", seconds=300,
          differs=one_program("sockmap_listen(/.* test_msg_redir_to_.*)?")),
    progs("sockmap_listen, one address", "sockmap_listen", seconds=300, hooked=False),
    progs("select_reuseport", seconds=600),
    *[progs(name) for name in (
        "sockmap_basic", "sockmap_ktls", "assign_reuse", "bpf_iter_setsockopt",
        "bpf_tcp_ca", "btf_skc_cls_ingress", "cgroup_skb_sk_lookup", "cgroup_tcp_skb",
        "cgroup_v1v2", "connect_force_port", "load_bytes_relative", "migrate_reuseport", "mptcp",
        "setget_sockopt", "sk_assign", "sk_lookup",
        "sk_storage_omem_uncharge", "sk_storage_tracing", "sock_destroy", "sock_fields",
        "sock_iter_batch", "socket_cookie", "sockopt_inherit", "sockopt_multi",
        "sockopt_qos_to_cc", "sockopt_sk", "tcp_custom_syncookie", "tcp_estats",
        "tcp_hdr_options", "tcp_rtt", "tcpbpf_user")],
    # The 196 of SM4 and ARIA fail in both: Debian's kernel has neither.
    net("tls", f"./tls {TLS_SLOW}", seconds=1800),
    net("msg_zerocopy", "./msg_zerocopy.sh", seconds=120),
    net("io_uring_zerocopy_tx", "./io_uring_zerocopy_tx.sh", seconds=300),
    net("tcp_mmap", tcp_mmap("-i")),
    net("tcp_mmap -z", tcp_mmap("-i -z")),
    net("tcp_inq"),
    net("tcp_inq -4", "./tcp_inq -4"),
    net("rxtimestamp", "./rxtimestamp --tcp", seconds=120),
    net("rxtimestamp -6", "./rxtimestamp --tcp --ipv6", seconds=120),
    net("txtimestamp", "./txtimestamp.sh", seconds=200),
    net("epoll_busy_poll"),
    Selftest("epoll_wakeup_test", "filesystems/epoll", "./epoll_wakeup_test", seconds=300),
    net("reuseport_bpf"),
    net("reuseport_bpf_cpu"),
    net("reuseport_dualstack"),
    net("reuseport_addr_any"),
    net("reuseaddr_conflict", hooked=False),
    net("reuseaddr_ports_exhausted", "./reuseaddr_ports_exhausted.sh", hooked=False),
    net("stress_reuseport_listen", "./stress_reuseport_listen.sh"),
    net("bind_bhash", "./bind_bhash.sh"),
    net("bind_timewait"),
    net("bind_wildcard"),
    net("ip_local_port_range", 'sysctl -q -w net.ipv4.ip_local_port_range="40000 49999" && '
        "./ip_local_port_range"),
    net("sk_connect_zero_addr", hooked=False),
    net("sk_bind_sendto_listen", hooked=False),
    net("sk_so_peek_off"),
    net("so_incoming_cpu"),
    net("so_netns_cookie"),
    net("socket"),
    net("tcp_fastopen_backup_key", "./tcp_fastopen_backup_key.sh", seconds=600),
    net("fin_ack_lat", "./fin_ack_lat.sh"),
    Selftest("mptcp_sockopt", "net/mptcp", "./mptcp_sockopt.sh", seconds=300),
]
