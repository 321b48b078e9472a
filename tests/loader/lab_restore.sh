#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A guest is saved and restored on a real Xen host: it comes back as another domain, and
# the running attach announces it there and learns its peers anew, without being told.
# An open connection that the ring carries survives and goes by the ring again.
#
# LAB: name of the lab (default loader)
# TIMEOUT=900
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
# shellcheck source=tests/loader/lab.sh
. tests/loader/lab.sh

peers() { on "$1" "vmc-loader --json status" | python3 -c '
import json, sys
for p in json.load(sys.stdin)["peers"]:
    print(p["peer"], p["name"], *p["addresses"])'; }
counter() { on "$1" "vmc-loader --json status" | python3 -c '
import json, sys
print(json.load(sys.stdin)["counters"][sys.argv[1]])' "$2"; }
uses_ring() {
	local before
	before=$(counter a tx_bytes)
	sleep 1
	[ "$(counter a tx_bytes)" -gt "$before" ]
}
carries() { eventually "$1" uses_ring && connection_lives; }
xl() { $lab exec -n -t 180 dom0 xl "$@"; }
signal_client() { on a "kill -$1 \$(cat /tmp/echo_client.pid)"; }
client_has_ended() { on a '! grep -qs "[e]cho_client" /proc/[0-9]*/cmdline'; }
keepalive_says() { is "$1" "$(on a "cat /tmp/keepalive")"; }
answer_says() { is "$1" "$(on a "cat /tmp/answer")"; }
ask() {
	on b "setsid python3 /tmp/last_answer.py listen $1 >/dev/null 2>&1 &"
	eventually 20 on b "ss -Hltn sport = $1 | grep ." || return
	on a "rm -f /tmp/answer; setsid python3 /tmp/last_answer.py ask 10.0.0.2 $1 /tmp/answer >/dev/null 2>&1 &"
	eventually 20 answer_says asks
}
# Its device doesn't close, so the broker takes it away: the guest is not gone for that.
pause_and_part() { # with a request in the ring, and one whose answer is followed by a FIN
	ask "$3" && xl pause b && sleep 5 && on a "vmc-loader detach" &&
		eventually 20 xs_is "/local/domain/$1/device/vmc/$2" none && sleep 2 &&
		xl unpause b && connection_lives && eventually 30 answer_says all &&
		on a "vmc-loader attach --daemon"
}
# The same, but another device takes its place before the guest looks.
pause_and_renew() {
	xl pause b && on a "vmc-loader detach" &&
		eventually 20 xs_is "/local/domain/$1/device/vmc/$2" none &&
		on a "vmc-loader attach --daemon" &&
		eventually 10 xs_is "/local/domain/$1/device/vmc/$2/backend-id" "$2" && sleep 1 &&
		xl unpause b && connection_lives
}
faults_are_none() { is "" "$($lab check-console)"; }
peers_are() { is "$2" "$(peers "$1")"; }

[ -e build/kmod/vmc.ko ] || { skip "save and restore" "no build/kmod/vmc.ko"; ktap_end; exit; }
lab_begin --memory 256
put_loader build/loader/vmc-loader dom0 a b || exit
for guest in a b; do $lab put $guest tests/loader/last_answer.py /tmp/last_answer.py; done
ok "the broker starts" on dom0 "vmc-loader broker --daemon"
for guest in a b; do
	$lab put $guest build/kmod/vmc.ko /tmp/vmc.ko
	on $guest "insmod /tmp/vmc.ko"
	ok "attach in $guest" on $guest "vmc-loader attach --daemon"
done
ok "a sees b" eventually 5 peers_are a "2 b 10.0.0.2 fd00::2"
ok "a connection carries data" connection_open
ok "by the ring" carries 20

ok "a detaches while b is paused" pause_and_part 1 2 5001
ok "the connection goes by the ring again" carries 60
ok "a detaches and attaches while b is paused" pause_and_renew 1 2
ok "the connection goes by the ring again" carries 60

ok "b is saved and goes on, as for a checkpoint" xl save -c b /tmp/b.save
ok "the connection goes by the ring again" carries 60

$lab mark
ok "b is saved" xl save b /tmp/b.save
ok "a sees it no more" eventually 5 peers_are a ""
ok "nor has its device" eventually 15 xs_is /local/domain/1/device/vmc/2/state none
ok "b is restored" xl restore /tmp/b.save
ok "it announces itself as domain 3" eventually 20 xs_is /local/domain/3/data/vmc/version 1
ok "a sees it there" eventually 20 peers_are a "3 b 10.0.0.2 fd00::2"
ok "it sees a" eventually 20 peers_are b "1 a 10.0.0.1 fd00::1"
ok "they have a device" xs_is /local/domain/1/device/vmc/3/backend /local/domain/3/backend/vmc/1/0
ok "the connection goes by the ring again" carries 60

# a was the frontend, and is the backend then
ok "a is saved" xl save a /tmp/a.save
ok "b sees it no more" eventually 5 peers_are b ""
ok "a is restored" xl restore /tmp/a.save
ok "b sees it there" eventually 20 peers_are b "4 a 10.0.0.1 fd00::1"
ok "a sees b" eventually 60 peers_are a "3 b 10.0.0.2 fd00::2"
ok "the old device is gone in a" on a "! ls -d /sys/bus/xen/devices/vmc-* 2>/dev/null | grep ."
ok "the connection goes by the ring again" carries 60

# b is the frontend now
ok "a detaches while b is paused" pause_and_part 3 4 5002
ok "the connection goes by the ring again" carries 60
ok "a detaches and attaches while b is paused" pause_and_renew 3 4
ok "the connection goes by the ring again" carries 60

# Bytes that b has not taken are TCP's to send again, until it gives up. The client sends some
# when b is paused: for an answer to what b had taken before that, it would wait as with TCP.
ok "a client stops" signal_client STOP
on a "echo 3 >/proc/sys/net/ipv4/tcp_retries2"
$lab put a tests/loader/keepalive_client.py /tmp/keepalive_client.py
on a 'cd /tmp; setsid python3 keepalive_client.py 10.0.0.2 5000 keepalive >/dev/null 2>&1 &'
ok "another connection with keepalive" eventually 60 keepalive_says connected
ok "b is paused; a waits for its answer" xl pause b
ok "the client goes on" signal_client CONT
ok "a writer with keepalive finds out that b is not there" eventually 30 keepalive_says ETIMEDOUT
ok "b is destroyed" xl destroy b
ok "the connection ends, without keepalive" eventually 30 client_has_ended
ok "no kernel complained" faults_are_none
ktap_end
