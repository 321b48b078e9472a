# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the end-to-end tests share: guests a and b of the lab $LAB_NAME, vmc in them.
# Source tests/loader/ktap.sh first.

: "${LAB_NAME:=check}" "${TIME_SCALE:=1}" "${VMC_KMOD:=build/kmod}"
export LAB_NAME
lab=tests/lab/lab
# shellcheck disable=SC2034
declare -A ip4=([a]=10.0.0.1 [b]=10.0.0.2) ip6=([a]=fd00::1 [b]=fd00::2)

# Seconds below are for the usual kernel on the usual machine. hang_scale makes more of those that
# only end what hangs (as lib/groups.py does).
hang_scale=$((TIME_SCALE > 3 ? TIME_SCALE : 3))

# on HOST [-t S] CMD...: a command on a host, without standard input
on() {
	local host=$1 time=60 rc=0
	shift
	[ "$1" != -t ] || { time=$2; shift 2; }
	time=$((time * hang_scale))
	$lab exec -n -t "$time" "$host" "$@" || rc=$?
	[ $rc != 124 ] || echo "on $host: not done after $time s: $*" >&2
	return $rc
}

# sh_on HOST LINE: a shell line on a host
sh_on() { on "$1" sh -c "$2"; }

# eventually SECONDS CMD...: CMD succeeds within that time; what it last said if not
eventually() {
	local end=$((SECONDS + $1 * hang_scale)) said
	shift
	until said=$("$@" 2>&1); do
		[ $SECONDS -lt $end ] || { printf '%s\n' "$said"; return 1; }
		sleep 0.2
	done
}

# is WANT GOT: both texts are the same
is() { [ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }; }

# vmc_install HOST...: module, loader and test programs into guests (or dom0: no module)
vmc_install() {
	local host
	for host; do
		$lab put "$host" build/loader/vmc-loader /usr/sbin/vmc-loader || return
		[ "$host" != dom0 ] || continue
		$lab put "$host" "$VMC_KMOD/vmc.ko" /root/vmc.ko || return
		$lab put "$host" build/tests/bench/xfer /usr/bin/xfer || return
		$lab put "$host" build/tests/long/duplex /usr/bin/duplex || return
	done
}

# vmc_load HOST [PARAMETER=VALUE]...: insert the module unless it is there
vmc_load() {
	local host=$1
	shift
	sh_on "$host" "grep -q '^vmc ' /proc/modules || insmod /root/vmc.ko $*"
}

vmc_unload() { sh_on "$1" "! grep -q '^vmc ' /proc/modules || rmmod vmc"; }

vmc_broker() { sh_on dom0 'vmc-loader --quiet broker --daemon || [ $? = 4 ]'; }
vmc_attach_one() { sh_on "$1" 'vmc-loader --quiet attach --daemon || [ $? = 4 ]'; }
vmc_detach() { sh_on "$1" 'vmc-loader --quiet detach || [ $? = 5 ]'; }
vmc_has_peer() { sh_on "$1" 'vmc-loader --json status' | python3 -c '
import json, sys
status = json.load(sys.stdin)
sys.exit(0 if status.get("peers") else "no peers in " + json.dumps(status))'; }

# vmc_attach [HOST...]: broker in dom0, loader in the guests (a and b), peers known
vmc_attach() {
	local host
	[ $# -gt 0 ] || set -- a b
	vmc_broker || return
	for host; do
		vmc_load "$host" && vmc_attach_one "$host" || return
	done
	[ $# -lt 2 ] || for host; do
		eventually 60 vmc_has_peer "$host" || return
	done
}

# counters HOST: those of vmc0, a line "NAME: VALUE" each; none where the module is not loaded.
# Not by asking ethtool: for a device that isn't there, the kernel runs modprobe, twice.
counters() { sh_on "$1" '[ ! -e /sys/class/net/vmc0 ] || ethtool -S vmc0'; }

# counter HOST NAME: one of them; 0 where the module is not loaded
counter() { counters "$1" | awk -v name="$2:" '$1 == name { n = $2 } END { print n == "" ? 0 : n }'; }

# by_ring HOST: payload bytes sent and received by the ring
by_ring() {
	counters "$1" | awk '$1 == "tx_bytes:" { sent = $2 } $1 == "rx_bytes:" { received = $2 }
		END { print sent == "" ? 0 : sent, received == "" ? 0 : received }'
}
