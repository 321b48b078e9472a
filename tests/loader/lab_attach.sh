#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# attach, status and detach in two guests of a real Xen host, with the module and the
# broker: the peers map follows dom0, restarts break no connection, nothing is left.
#
# LAB: name of the lab (default loader)
# TIMEOUT=600
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
# shellcheck source=tests/loader/lab.sh
. tests/loader/lab.sh

vif=/local/domain/0/backend/vif/2/0
attach() { on "$1" "vmc-loader attach --daemon ${2-} 2>>/tmp/attach.log"; }
peers() { on "$1" "vmc-loader --json status" | python3 -c '
import json, sys
for p in json.load(sys.stdin)["peers"]:
    print(p["peer"], p["name"], *p["addresses"])'; }
peers_are() { is "$2" "$(peers "$1")"; }
# shellcheck disable=SC2016
end_attach() { on "$1" 'kill $(cat /run/vmc-loader.lock); while pgrep -x vmc-loader; do sleep 0.1; done'; }
counter() { on "$1" "vmc-loader --json status" | python3 -c '
import json, sys
print(json.load(sys.stdin)["counters"].get(sys.argv[1], "none"))' "$2"; }
counts() { [ "$(counter "$1" "$2")" -gt "$3" ]; }

# A daemon that needs some seconds to end.
# shellcheck disable=SC2016
detach_slow() { on "$1" 'pid=$(cat /run/vmc-loader.lock); kill -STOP $pid; { sleep 7; kill -CONT $pid; } &
	vmc-loader detach >/tmp/detach.log 2>&1; rc=$?; cat /tmp/detach.log
	[ $rc = 0 ] && grep -q "waiting for pid $pid" /tmp/detach.log'; }

no_pins() { on "$1" "! test -e /sys/fs/bpf/vmc"; }

[ -e build/kmod/vmc.ko ] || { skip "attach in the lab" "no build/kmod/vmc.ko"; ktap_end; exit; }
lab_begin --guests 2
put_loader build/loader/vmc-loader dom0 a b || exit
ok "without the module, attach says what is missing" exits 3 on a "vmc-loader attach"
ok "and leaves no pins" no_pins a
ok "nor a claim" xs_is /local/domain/1/data/vmc/version none
for guest in a b; do
	$lab put $guest build/kmod/vmc.ko /tmp/vmc.ko
	ok "the module loads in $guest" on $guest "insmod /tmp/vmc.ko"
done
ok "check finds all" on a "vmc-loader check"
ok "attach needs no broker" attach a
ok "it announces the guest" xs_is /local/domain/1/data/vmc/version 1
ok "with its addresses" sh -c "$lab exec -n dom0 xenstore-read /local/domain/1/data/vmc/addresses |
	grep -qw 10.0.0.1"
ok "a second one is refused" exits 4 on a "vmc-loader attach"
ok "attach in the other guest" attach b
ok "the broker starts later" on dom0 "vmc-loader broker --daemon"
ok "a sees b" eventually 5 peers_are a "2 b 10.0.0.2 fd00::2"
ok "b sees a" eventually 5 peers_are b "1 a 10.0.0.1 fd00::1"
ok "a connection carries data" connection_open
ok "by the fast path" eventually 10 counts a flows_bound 0

end_attach a
ok "without its daemon the fast path stays" connection_lives
ok "and says so" on a "vmc-loader status"
on dom0 "xenstore-write $vif/ip '10.0.0.2 fd00::2 10.0.0.22'"
ok "the daemon comes back" attach a
ok "and learns what changed meanwhile" peers_are a "2 b 10.0.0.2 10.0.0.22 fd00::2"
ok "the connection lives on" connection_lives
on dom0 "xenstore-write $vif/ip '10.0.0.2 fd00::2'"
ok "an address that goes leaves the map" eventually 5 peers_are a "2 b 10.0.0.2 fd00::2"
# shellcheck disable=SC2016
on a 'kill -9 $(cat /run/vmc-loader.lock)'
ok "a killed daemon is replaced, too" attach a
ok "the connection lives on" connection_lives
on a "ip addr add 10.9.9.9/32 dev eth0"
ok "a new address is claimed" eventually 5 sh -c "$lab exec -n dom0 \
	xenstore-read /local/domain/1/data/vmc/addresses | grep -qw 10.9.9.9"

ok "detach waits for a daemon that takes its time" detach_slow b
ok "leaves no pins" no_pins b
ok "nor a claim" xs_is /local/domain/2/data/vmc/version none
ok "the other's map is empty" eventually 5 peers_are a ""
ok "the connection goes on by TCP" connection_lives
ok "the device goes" eventually 15 xs_is /local/domain/1/device/vmc/2/state none
ok "detach again finds nothing" exits 5 on b "vmc-loader detach"
ok "attach again" attach b
ok "a sees b again" eventually 15 peers_are a "2 b 10.0.0.2 fd00::2"
ok "the connection lives on" connection_lives
on a "pkill -f echo_client.py"
for guest in a b; do
	ok "detach in $guest" on $guest "vmc-loader detach"
	ok "the module can be unloaded then" eventually 10 on $guest "rmmod vmc"
done
ok "no kernel complained" $lab check-console
ktap_end
