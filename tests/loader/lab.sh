# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the loader's lab tests share. LAB names the lab (default: loader); it is started
# for the test, with fresh guests a (10.0.0.1) and b (10.0.0.2), and ended with it.

# Its own lab, whatever LAB_NAME the runner has set for others.
export LAB_NAME=${LAB:-loader}
lab=tests/lab/lab

# Machines three times slower than usual have been seen, so times that only end what hangs are
# three times what the usual one may need.

# on HOST LINE: a shell line on a host of the lab
on() { $lab exec -n -t 90 "$1" sh -c "$2"; }

# eventually SECONDS CMD...: CMD succeeds within that time; what it last said if not
eventually() {
	local end=$((SECONDS + 3 * $1)) said
	shift
	until said=$("$@" 2>&1); do
		[ $SECONDS -lt $end ] || { printf '%s\n' "$said"; return 1; }
		sleep 0.2
	done
}

# is WANT GOT: both texts are the same
is() { [ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }; }

# xs PATH: value of a node, as dom0 sees it, or "none"
xs() { on dom0 "xenstore-read $1 2>/dev/null || echo none"; }
xs_is() { is "$2" "$(xs "$1")"; }

lab_begin() { # lab_begin [OPTION of lab up]...
	$lab down 2>/dev/null
	$lab up "$@" || { ok "the lab starts" false; ktap_end; exit; }
	trap '$lab down 2>/dev/null' EXIT
}

put_loader() { # put_loader BINARY HOST...
	local binary=$1 host
	shift
	for host; do
		$lab put "$host" "$binary" /usr/sbin/vmc-loader || return 1
	done
}

# An echo connection from a to b, checked all the time by a; rounds counts its turns.
connection_open() {
	on b 'setsid socat TCP6-LISTEN:5000,fork,ipv6only=0 EXEC:cat >/dev/null 2>&1 &'
	$lab put a tests/loader/echo_client.py /tmp/echo_client.py
	on a 'cd /tmp; setsid python3 echo_client.py 10.0.0.2 5000 rounds >/dev/null 2>&1 &
		echo $! >echo_client.pid'
	connection_lives
}
rounds() { on a "cat /tmp/rounds"; }
connection_lives() {
	local before
	before=$(rounds 2>/dev/null)
	eventually 15 more_rounds "${before:-0}"
}
more_rounds() {
	local now
	now=$(rounds)
	[ "$now" -gt "$1" ] || { echo "rounds: $now"; return 1; }
}
