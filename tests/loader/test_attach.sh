#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# attach --static, status and detach on this machine's kernel, with programs whose kfuncs
# are stubs: maps, pins, links, take-over, lock, exit statuses, and that a connection
# lives through all of it. In mount and network namespaces of its own, with a bpffs and
# a cgroup of its own.
#
# Runs as root inside the toolchain: tests/lab/toolchain run tests/loader/test_attach.sh
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
out=build/stub
pin=/sys/fs/bpf/vmc

build() {
	mkdir -p $out/include/vmc $out/bpf
	tests/loader/stub_header.sh include/vmc/bpf.h >$out/include/vmc/bpf.h
	printf 'include bpf/bpf.mk\ninclude loader/loader.mk\n' >$out/stub.mk
	make -s -f $out/stub.mk BPF_OUT=$out/bpf BPF_EXTRA="-I$out/include" \
		LOADER_OUT=$out/loader loader
}

# A /sys in which the module seems to be loaded, a bpffs and a cgroup.
world() {
	mountpoint -q /sys || mount -t sysfs none /sys || return 1
	cp /sys/kernel/btf/vmlinux $out/vmlinux.btf || return 1
	mount -t tmpfs none /run
	mount -t bpf none /sys/fs/bpf
	mount -t tmpfs none /sys/kernel/btf
	mv $out/vmlinux.btf /sys/kernel/btf/vmlinux
	touch /sys/kernel/btf/vmc
	mount -t tmpfs none /sys/module
	mkdir -p /sys/module/vmc /run/cgroup
	echo 0.stub >/sys/module/vmc/version
	mount -t cgroup2 none /run/cgroup || return 1
	cgroup=/run/cgroup/vmc-test.$$
	mkdir "$cgroup" && echo $$ >"$cgroup/cgroup.procs"
}

loader() { "$out/loader/vmc-loader" "$@"; }
attach() { loader attach --static --cgroup "$cgroup" "$@"; }
peers() { loader --json status | python3 -c '
import json, sys
for p in json.load(sys.stdin)["peers"]:
    print(p["peer"], *p["addresses"])'; }
peers_are() { diff <(peers) <(printf '%s\n' "$@"); }
nr_socks() { bpftool map dump pinned $pin/socks 2>/dev/null | grep -c '^key'; }
socks_are() { [ "$(nr_socks)" = "$1" ] || { echo "$(nr_socks) sockets"; return 1; }; }
nr_links() { bpftool link list | grep -c '^[0-9]'; }
links_are() { [ $(($(nr_links) - other_links)) = "$1" ] || { bpftool link list; return 1; }; }

# One connection, kept open by a coprocess that checks it whenever asked.
connection_open() {
	coproc CONN { exec python3 tests/loader/connection.py "$@"; }
	connection_works
}
connection_works() {
	local answer
	echo check >&"${CONN[1]}"
	read -r -t 10 answer <&"${CONN[0]}"
	[ "$answer" = ok ] || { echo "answer: $answer"; return 1; }
}

in_namespaces() {
	if ! world; then
		skip "attach" "no BTF, bpffs or cgroup v2 here"
		return
	fi
	python3 tests/loader/connection.py up
	other_links=$(nr_links)
	ok "status without anything attached" exits 5 loader status
	ok "detach without anything attached" exits 5 loader detach
	ok "peers without --static are refused" exits 2 loader attach 127.0.0.2=65536
	ok "a word that is no address is refused" exits 2 attach 127.0.0=1
	ok "a missing cgroup fails" exits 1 loader attach --static --cgroup /run/none
	ok "and leaves no pins" test ! -e $pin
	ok "attach" attach 127.0.0.2=65536 --peer 127.0.0.3=65537
	ok "status says so" loader status
	ok "the map has the peers" peers_are "65536 127.0.0.2" "65537 127.0.0.3"
	connection_open 127.0.0.2 127.0.0.3
	ok "a connection between peers carries data" connection_works
	ok "both its ends were adopted" socks_are 2
	ok "attach again takes over" attach 127.0.0.2=65536 127.0.0.3=65537 ::ffff:10.1.1.1=7
	ok "the map has the new peers" peers_are "7 10.1.1.1" "65536 127.0.0.2" "65537 127.0.0.3"
	ok "there is one link of each kind" links_are 2
	ok "the connection lives on" connection_works
	ok "its ends are still adopted" socks_are 2
	ok "attach drops peers that are not given" attach 127.0.0.9=1
	ok "the map has what is left" peers_are "1 127.0.0.9"
	ok "the connection lives on" connection_works
	exec 9>/run/vmc-loader.lock
	flock --fcntl 9
	ok "a second attach is refused" exits 4 attach 127.0.0.9=1
	exec 9>&-
	ok "detach" loader detach
	ok "detach leaves no pins" test ! -e $pin
	ok "and no links" links_are 0
	ok "the connection lives on without it" connection_works
	kill "$CONN_PID"
	echo $$ >/run/cgroup/cgroup.procs
	rmdir "$cgroup" 2>/dev/null
}

if [ "${1-}" = inside ]; then
	in_namespaces
	ktap_end
elif build >build/stub.log 2>&1; then
	exec unshare --mount --net --propagation unchanged "$0" inside
else
	ok "builds with stub kfuncs" eval 'cat build/stub.log; false'
	ktap_end
fi
