#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The broker on a real Xen host: what it publishes to whom, when, and how it takes it
# back. The guests' loaders and drivers are played by xenstore-write.
#
# LAB: name of the lab (default loader)
# TIMEOUT=600
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
# shellcheck source=tests/loader/lab.sh
. tests/loader/lab.sh

front=/local/domain/1/device/vmc/2
back=/local/domain/2/backend/vmc/1/0
at_a=/local/domain/1/vmc/peer/2
at_b=/local/domain/2/vmc/peer/1

broker() { on dom0 "vmc-loader -v broker --daemon ${1-} 2>>/tmp/broker.log"; }
end_broker() { on dom0 'kill $(cat /run/vmc-broker.lock); while pgrep -x vmc-loader; do sleep 0.1; done'; }
claims() { on "$1" 'xenstore-write data/vmc/version 1'; }
policy() { on dom0 "mkdir -p /etc/vmc; printf '%b' '$1' >/etc/vmc/broker.conf"; }
reload() { on dom0 'kill -HUP $(cat /run/vmc-broker.lock)'; }
published() { xs_is $at_a/addresses "10.0.0.2 fd00::2" && xs_is $at_b/addresses "10.0.0.1 fd00::1"; }
withdrawn() { xs_is $at_a/addresses none && xs_is $at_b/addresses none; }
device() { xs_is $front/backend $back && xs_is $back/frontend $front; }
no_device() { xs_is $front/backend none && xs_is $back/frontend none; }
states() { on a "xenstore-write $front/state $1" && on b "xenstore-write $back/state $1"; }
closing() { xs_is $back/online 0 && xs_is $back/state 5; }
perms() { on dom0 "xenstore-ls -fp ${1%/*} | sed -n 's|^$1 = .*(\(.*\))|\1|p'"; }
perms_are() { is "$2" "$(perms "$1")"; }
readable() { on "$1" "xenstore-read $2"; }
not_readable() { ! readable "$1" "$2"; }
ours() {
	on dom0 'for id in 1 2; do for dir in device/vmc backend/vmc vmc data/vmc; do
		xenstore-ls -fp /local/domain/$id/$dir 2>/dev/null; done; done; true'
}
unchanged() { is "$before" "$(ours)"; }

lab_begin --guests 2
put_loader build/loader/vmc-loader dom0 || exit
ok "check finds what the broker needs" on dom0 "vmc-loader check"
ok "the broker starts" broker
ok "a second one is refused" exits 4 on dom0 "vmc-loader broker"
ok "a guest's announcement alone" claims a
sleep 1
ok "publishes nothing" withdrawn
claims b
ok "that of both publishes each to the other" eventually 5 published
ok "with names" xs_is $at_a/name b
ok "and creates the device" eventually 5 device
ok "whose ids are right" xs_is $front/backend-id 2
ok "at both ends" xs_is $back/frontend-id 1
ok "and states" xs_is $front/state 1
ok "dom0 owns what it published, the guest reads it" perms_are $at_a/addresses n0,r1
ok "and the directory" perms_are /local/domain/1/vmc/peer n0,r1
ok "the frontend is the guest's, read by the peer" perms_are $front/state n1,r2
ok "the backend is the other's" perms_are $back/state n2,r1
ok "the backend's parents are dom0's" perms_are /local/domain/2/backend/vmc/1 n0,r2
ok "a guest reads its own peers" readable a vmc/peer/2/addresses
ok "but no other's" not_readable a $at_b/addresses
ok "b's kernel has the device" eventually 5 on b "test -e /sys/bus/xen-backend/devices/vmc-1-0"
states 2
before=$(ours)
end_broker
ok "a broker's end changes nothing" unchanged
ok "the broker starts again" broker
ok "and changes nothing either" unchanged

ok "a new name" on dom0 "xl rename a anna"
ok "is published" eventually 5 xs_is $at_b/name anna
on dom0 "xl rename anna a"
on dom0 "xenstore-write /local/domain/0/backend/vif/1/0/ip '10.0.0.1 fd00::1 10.0.0.11 junk'"
ok "a new address is published, junk is not" eventually 5 \
	xs_is $at_b/addresses "10.0.0.1 10.0.0.11 fd00::1"
on dom0 "xenstore-write /local/domain/0/backend/vif/1/0/ip '10.0.0.1 fd00::1'"
ok "and withdrawn" eventually 5 published

on b "xenstore-write $back/old 1"
states 6
ok "a device that a guest has closed is removed" eventually 3 xs_is $back/old none
ok "and made anew" eventually 3 xs_is $back/state 1
on b "xenstore-write $back/old 1"
on a "xenstore-write $front/state 2"
ok "one with which a guest doesn't begin is asked to close" eventually 50 closing
states 6
ok "and removed" eventually 3 xs_is $back/old none
ok "and made anew, too" eventually 5 xs_is $back/state 1
ok "the peers stay" published

on a "xenstore-rm data/vmc"
ok "a withdrawn announcement withdraws the peers" eventually 3 withdrawn
ok "and asks the device to close" closing
on b "xenstore-write $back/state 6"
ok "which goes when it is closed" eventually 3 no_device
claims a
ok "and comes back with the announcement" eventually 5 device
ok "as the peers do" eventually 5 published
on a "xenstore-rm data/vmc"
ok "one that doesn't close" eventually 3 closing
claims a
ok "is not reopened" closing
ok "but removed when its time is over, and created anew" eventually 20 xs_is $back/online 1
ok "with the peers" eventually 5 published

on dom0 "xenstore-write /local/domain/0/backend/vif/2/0/rate 1000,50000"
ok "a rate withdraws" eventually 5 withdrawn
on b "xenstore-write $back/state 6"
ok "and closes" eventually 5 no_device
on dom0 "xenstore-rm /local/domain/0/backend/vif/2/0/rate"
ok "its end brings back" eventually 5 published

policy '[default]\nsame-bridge = no\n'
reload
ok "a policy read again withdraws" eventually 5 withdrawn
on b "xenstore-write $back/state 6"
policy '[default]\nsame-bridge = no\n[group g]\nmembers = a, b\n'
reload
ok "a group permits" eventually 5 published
policy '[default]\nsame-bridge = perhaps\n'
before=$(ours)
reload
sleep 1
ok "a policy with an error is refused" unchanged
ok "and names file and line" sh -c "$lab exec -n dom0 vmc-loader broker 2>&1 |
	grep -q '/etc/vmc/broker.conf:2: same-bridge is yes or no'"
on dom0 "rm /etc/vmc/broker.conf"
reload

on dom0 "xl destroy b"
ok "a destroyed guest's peer is told" eventually 5 xs_is $at_a/addresses none
ok "and rid of the device" eventually 5 xs_is $front/backend none
ok "nothing is left in the dead guest's home" eventually 5 xs_is /local/domain/2 none
ok "a guest that comes" on dom0 "cd /tmp && xl create -q /lab/b.cfg || xl create -q /etc/xen/b.cfg"
sleep 1
ok "is announced by dom0's hand" on dom0 "xenstore-write /local/domain/3/data/vmc/version 1"
ok "and seen by the other" eventually 10 xs_is /local/domain/1/vmc/peer/3/addresses "10.0.0.2 fd00::2"
end_broker
on dom0 "xl destroy b"
ok "what went while no broker ran" broker
ok "is cleaned up by the next one" xs_is /local/domain/1/vmc/peer/3/addresses none
ok "with its device" xs_is /local/domain/1/device/vmc/3/backend none
end_broker
ktap_end
