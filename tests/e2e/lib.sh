# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A verified transfer between two guests, and its shares by ring and by TCP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
# shellcheck source=tests/lib/vmc.sh
. tests/lib/vmc.sh
# shellcheck source=tests/lib/duplex.sh
. tests/lib/duplex.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC2034
MiB=$((1024 * 1024))
# Of what only has to last: less of it on a slow kernel.
# shellcheck disable=SC2034
lasting=$((MiB / ${SIZE_DIVISOR:-1}))
# Per cent by the ring of a transfer that begins by TCP, until the channel is connected.
# shellcheck disable=SC2034
most=$((90 / ${SIZE_DIVISOR:-1}))

# listening HOST PORT
listening() { sh_on "$1" "ss -Hltn sport = $2 | grep -q ."; }

# transfer FROM TO ADDRESS BYTES [TIME [OPTION...]]: the client sends; $tmp/sent and
# $tmp/received say "BYTES SHA256 SECONDS". Under nice: what is done amid it has its turn.
xfer_port=7000
transfer() {
	local from=$1 to=$2 address=$3 bytes=$4 time=${5:-120} seed=$RANDOM rc=0
	shift 4
	[ $# -eq 0 ] || shift
	xfer_port=$((xfer_port + 1))
	echo "seed $seed"
	on "$to" -t "$time" nice -n 10 xfer -r "$bytes" -S "$seed" "$@" listen $xfer_port >"$tmp/receiver" 2>&1 &
	eventually 60 listening "$to" $xfer_port || return
	on "$from" -t "$time" nice -n 10 xfer -s "$bytes" -S "$seed" "$@" connect "$address" $xfer_port \
		>"$tmp/sender" 2>&1 || rc=$?
	wait $! || rc=$?
	cat "$tmp/sender" "$tmp/receiver"
	sed -n 's/^sent //p' "$tmp/sender" >"$tmp/sent"
	sed -n 's/^received //p' "$tmp/receiver" >"$tmp/received"
	return $rc
}

same_hash() {
	local sent received
	read -r sent_bytes sent _ <"$tmp/sent" && read -r received_bytes received _ <"$tmp/received" &&
		is "$sent_bytes $sent" "$received_bytes $received"
}

# remember ARRAY HOST: the counters as they are, as ARRAY[HOST.NAME]
remember() {
	local -n array=$1
	local name value
	while read -r name value; do
		array[$2.${name%:}]=$value
	done < <(counters "$2" | grep ': [0-9]')
}

# note HOST...: their counters before something; since HOST NAME: what one gained since then
declare -A before
note() {
	local host
	before=()
	for host; do remember before "$host"; done
}
since() { echo $(($(counter "$1" "$2") - ${before[$1.$2]:-0})); }

# gain HOST.NAME: from before to now, which the caller has remembered
gain() { echo $((${now[$1]:-0} - ${before[$1]:-0})); }

# all that has changed from before to now, but zero
gains() {
	local name
	for name in "${!now[@]}"; do echo "$name $(gain "$name")"; done | grep -v ' 0$' | sort
}

# ring_share FROM TO PERCENT BYTES: what FROM has sent by the ring since the note is PERCENT
# of BYTES at least, and all of it has come
ring_share() {
	local from=$1 to=$2 percent=$3 bytes=$4 sent received by_tcp
	local -A now
	remember now "$from" && remember now "$to"
	sent=$(gain "$from.tx_bytes") received=$(gain "$to.rx_bytes")
	by_tcp=$(gain "$from.tx_tcp_bytes")
	echo "of $bytes bytes: $sent sent by ring, $received received by ring, $by_tcp sent by TCP," \
		"$(gain "$from.flows_fallen_back") + $(gain "$to.flows_fallen_back") flows fell back"
	is "$sent" "$received" && [ $((sent * 100)) -ge $((bytes * percent)) ] && return
	gains
	return 1
}

# Ring and TCP together are what the receiver got: no byte uncounted, none twice.
adds_up() { is "$4" $(($(since "$1" tx_bytes) + $(since "$1" tx_tcp_bytes))); }

detach_all() { vmc_detach a && vmc_detach b; }

# leaks_begin HOST...: without vmc; nothing_left: it goes again, and leaves nothing behind
leaks_begin() {
	local host
	for host; do vmc_detach "$host" && eventually 10 vmc_unload "$host" || return; done
	tests/lib/leak-check save "$tmp/leaks" "$@"
}
nothing_left() {
	local host
	for host in a b; do vmc_detach "$host"; done
	for host in a b; do eventually 30 vmc_unload "$host" || return; done
	tests/lib/leak-check check "$tmp/leaks"
}
