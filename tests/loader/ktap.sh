# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# KTAP for the loader's tests: ok NAME CMD..., skip NAME WHY, and ktap_end.

ktap_passed=0 ktap_failed=0 ktap_skipped=0
ktap_nr() { echo $((ktap_passed + ktap_failed + ktap_skipped)); }
ktap_begin() { [ "$(ktap_nr)" != 0 ] || echo "KTAP version 1"; }

# ok NAME CMD...: passes when CMD succeeds; what it printed is shown when it fails
ok() {
	local name=$1 ktap_output
	shift
	ktap_begin
	if ktap_output=$("$@" 2>&1); then
		ktap_passed=$((ktap_passed + 1))
		echo "ok $(ktap_nr) - $name"
	else
		ktap_failed=$((ktap_failed + 1))
		echo "not ok $(ktap_nr) - $name"
		printf '%s\n' "$ktap_output" | sed 's/^/# /'
	fi
}

skip() {
	ktap_begin
	ktap_skipped=$((ktap_skipped + 1))
	echo "ok $(ktap_nr) - $1 # SKIP $2"
}

# exits N CMD...: succeeds when CMD ends with status N
exits() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" = "$want" ] || echo "exit status $got instead of $want"
	[ "$got" = "$want" ]
}

ktap_end() {
	echo "1..$(ktap_nr)"
	echo "$ktap_passed passed, $ktap_failed failed, $ktap_skipped skipped"
	[ "$ktap_failed" = 0 ]
}
