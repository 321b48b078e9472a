# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# slots.py in guest a, its echo server in b. Source lib.sh first.

slots_say() { sh_on a "tail -n 1 /tmp/slots.log | grep -E '$1' || { cat /tmp/slots.log; false; }"; }
# slots_tell COMMAND PATTERN: what it says to that
slots_tell() { sh_on a "echo $1 1<>/tmp/slots.fifo" && eventually 60 slots_say "$2"; }
slots_open() {
	$lab put a tests/e2e/slots.py /tmp/slots.py || return
	sh_on b "setsid socat TCP-LISTEN:7600,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &"
	eventually 60 listening b 7600 || return
	sh_on a "rm -f /tmp/slots.fifo; mkfifo /tmp/slots.fifo
		setsid python3 /tmp/slots.py ${ip4[b]} 7600 <>/tmp/slots.fifo >/tmp/slots.log 2>&1 &"
	eventually 60 slots_say ready
}
slots_end() {
	sh_on a "echo end 1<>/tmp/slots.fifo"
	sh_on b 'pkill -f "[T]CP-LISTEN:7600"'
}
