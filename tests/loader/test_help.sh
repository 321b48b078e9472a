#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Help and man page say the same: verbs, options with their arguments, exit statuses.
#
# LOADER: the binary (default build/loader/vmc-loader), which must run here
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/loader/ktap.sh
. tests/loader/ktap.sh
loader=${LOADER:-build/loader/vmc-loader}
man=docs/man/vmc-loader.8.rst
verbs=$($loader --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')

# man_section HEADING: the text between a heading and the next
man_section() {
	awk -v want="$1" '
		{ if ($0 ~ /^=+$/) { inside = last == want; if (!inside && seen) exit
				     seen = seen || inside; last = ""; next } }
		inside && last != "" { print last }
		{ last = $0 }' $man
}

# Options as "--name ARG" lines, from help or from a section of the man page.
options() { grep -oE '^ *(-[a-zA-Z], |    )?--[a-z-]+( [A-Z][A-Z=]*)?' | sed 's/.*--/--/' | sort; }
help_part() { # help_part VERB FROM: the lines of one list of options
	$loader ${1:+"$1"} --help | awk -v from="$2" '$0 == from { on = 1; next } /^$/ { on = 0 } on'
}
same() { diff -u --label help --label "man page" <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }

verb_options() {
	same "$(help_part "$1" Options: | options)" "$(man_section "${1^^}" | options)"
}
global_options() {
	same "$(help_part "" "Options of every verb:" | options)" \
		"$(man_section "OPTIONS OF EVERY VERB" | options)"
}
synopsis() {
	same "$(sort <<<"$verbs")" "$(man_section SYNOPSIS |
		sed -n 's/^| \*\*vmc-loader\*\* \[\*OPTION\*\]... \*\*\([a-z]*\)\*\*.*/\1/p' | sort)"
}
statuses() {
	same "$(sed -n '/^enum vmc_exit/,/^}/s/.*= \([0-9]*\),.*/\1/p' loader/loader.h)" \
		"$(man_section "EXIT STATUS" | grep -E '^[0-9]+$')"
}
version() { [ "$($loader --version | cut -d' ' -f1)" = vmc-loader ]; }
policy_keys() {
	same "$(sed -n 's/.*strcmp(key, "\([a-z-]*\)").*/\1/p' loader/policy.c | sort)" \
		"$(sed -n 's/^\*\*\([a-z-]*\)\*\* = .*/\1/p' docs/man/vmc-broker.conf.5.rst | sort)"
}
usage_status() {
	local got=0
	$loader "$@" >/dev/null 2>&1 || got=$?
	[ $got = 2 ]
}

[ -x "$loader" ] || { skip "help and man page" "no $loader"; ktap_end; exit; }
ok "the synopsis has every verb" synopsis
ok "options of every verb" global_options
for verb in $verbs; do
	ok "options of $verb" verb_options "$verb"
done
ok "exit statuses" statuses
ok "keys of the policy file" policy_keys
ok "--version" version
ok "no verb is wrong usage" usage_status
ok "an unknown verb is wrong usage" usage_status frobnicate
ok "an unknown option is wrong usage" usage_status attach --frobnicate
ok "a surplus argument is wrong usage" usage_status check this
ktap_end
