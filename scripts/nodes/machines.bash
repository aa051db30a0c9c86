# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node and scripts/vm
#
# What scripts/node and scripts/vm share: names, numbers, locks and waiting.

die() {
	echo "${self##*/}: $*" >&2
	exit 1
}

wrong_usage() {
	usage >&2
	exit 2
}

# Fails, rather than exiting, when $1 seconds (on a slow machine more) pass without "$@"
# succeeding.
poll() {
	local end=$((${EPOCHREALTIME/./} + $1 * ${slow:-1} * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.05
	done
}

# Runs "$@" while no other script of this checkout does. The lock is also held
# by children that outlive a killed script: their work is part of the step.
locked() (
	mkdir -p "$nodes"
	exec 9>"$nodes/.lock"
	flock 9
	"$@"
)

check_name() {
	[[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] ||
		die "bad name '$1': want up to 32 of a-z, 0-9 and -"
}

free_number() {
	local n used
	used=" $(cat "$nodes"/*/number 2>/dev/null | tr '\n' ' ' || true)"
	for ((n = 2; n < 255; n++)); do
		[[ $used == *" $n "* ]] || break
	done
	((n < 255)) || die "too many machines"
	echo "$n"
}

number() { # NAME
	check_name "$1"
	cat "$nodes/$1/number" 2>/dev/null || die "there is no $1"
}

address() { # [-6] NAME
	if [[ ${1-} == -6 ]]; then
		echo "$ipv6$(number "${2-}")"
	else
		echo "$ipv4.$(number "${1-}")"
	fi
}

# Lets go of what the caller holds: pipes, locks.
close_files() {
	local fd
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		((fd <= 2)) || eval "exec $fd>&-"
	done
}
