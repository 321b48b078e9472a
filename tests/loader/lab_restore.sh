#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A guest is saved and restored on a real Xen host: it comes back as another domain, and
# the running attach announces it there and learns its peers anew, without being told.
#
# LAB: name of the lab (default loader)
# TIMEOUT=600
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
peers_are() { is "$2" "$(peers "$1")"; }

[ -e build/kmod/vmc.ko ] || { skip "save and restore" "no build/kmod/vmc.ko"; ktap_end; exit; }
lab_begin --memory 256
put_loader build/loader/vmc-loader dom0 a b || exit
ok "the broker starts" on dom0 "vmc-loader broker --daemon"
for guest in a b; do
	$lab put $guest build/kmod/vmc.ko /tmp/vmc.ko
	on $guest "insmod /tmp/vmc.ko"
	ok "attach in $guest" on $guest "vmc-loader attach --daemon"
done
ok "a sees b" eventually 5 peers_are a "2 b 10.0.0.2 fd00::2"
ok "b is saved" $lab exec -n -t 180 dom0 sh -c "xl save b /tmp/b.save"
ok "a sees it no more" eventually 5 peers_are a ""
ok "nor has its device" eventually 15 xs_is /local/domain/1/device/vmc/2/state none
ok "b is restored" $lab exec -n -t 180 dom0 sh -c "xl restore /tmp/b.save"
ok "it announces itself as domain 3" eventually 20 xs_is /local/domain/3/data/vmc/version 1
ok "a sees it there" eventually 20 peers_are a "3 b 10.0.0.2 fd00::2"
ok "it sees a" eventually 20 peers_are b "1 a 10.0.0.1 fd00::1"
ok "they have a device" xs_is /local/domain/1/device/vmc/3/backend /local/domain/3/backend/vmc/1/0
ktap_end
