# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# tests/long/duplex between two guests. Source tests/lib/vmc.sh first; $tmp is a folder.

# duplex_listen HOST PORT [OPTION...]: a listener that outlives a broken lab exec
duplex_listen() {
	local host=$1 port=$2
	shift 2
	sh_on "$host" "setsid nice -n 10 duplex $* listen $port >/tmp/duplex-$port.log 2>&1 & echo \$! >/tmp/duplex-$port.pid"
	eventually 60 sh_on "$host" "ss -Hltn sport = $port | grep -q ."
}

# duplex_end HOST PORT: end the listener; its lines are in $tmp/listener
duplex_end() {
	sh_on "$1" "kill \$(cat /tmp/duplex-$2.pid); while kill -0 \$(cat /tmp/duplex-$2.pid) 2>/dev/null
		do sleep 0.1; done; cat /tmp/duplex-$2.log" >"$tmp/listener"
}

# duplex FROM TO SECONDS [OPTION...]: verified connections between two guests, both ways;
# $tmp/client and $tmp/listener have what both ends said
duplex_port=9100
duplex() {
	local from=$1 to=$2 time=$3 rc=0
	shift 3
	duplex_port=$((duplex_port + 1))
	duplex_listen "$to" $duplex_port || return
	on "$from" -t "$time" nice -n 10 duplex "$@" connect "${ip4[$to]}" $duplex_port >"$tmp/client" 2>&1 || rc=$?
	duplex_end "$to" $duplex_port || rc=$?
	grep -hv '^progress' "$tmp/client" "$tmp/listener"
	duplex_agrees || rc=$?
	return $rc
}

# Both ends counted the same bytes, and no connection failed at either.
duplex_agrees() {
	local tx rx other_tx other_rx failed other_failed
	read -r _ _ tx _ rx _ _ _ failed _ < <(grep '^total' "$tmp/client")
	read -r _ _ other_tx _ other_rx _ _ _ other_failed _ < <(grep '^total' "$tmp/listener")
	is "$tx $rx 0 0" "$other_rx $other_tx $failed $other_failed"
}
