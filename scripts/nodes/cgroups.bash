# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node
#
# Part of scripts/node: the cgroups of a node and the processes in them.

# Sets cgs: the node's cgroup in every hierarchy.
node_cgroups() { # NAME
	local h
	cgs=()
	for h in /sys/fs/cgroup/*/cgroup.procs; do
		h=${h%/*}
		[[ -L $h ]] || cgs+=("$h/$prefix-$1")
	done
}

check_cgroup_version() {
	[[ -e /sys/fs/cgroup/systemd/cgroup.procs ]] || die "this machine has no cgroup v1" \
		"hierarchies in /sys/fs/cgroup; nodes here know only those"
}

make_cgroups() { # NAME
	local cg f
	node_cgroups "$1"
	for cg in "${cgs[@]}"; do
		mkdir -p "$cg"
		# A cpuset without CPUs and memory nodes takes no process.
		for f in cpuset.cpus cpuset.mems; do
			[[ ! -e $cg/$f ]] || cat "${cg%/*}/$f" >"$cg/$f"
		done
		# A whole machine should not starve beside one compiler process.
		[[ ! -e $cg/cpu.shares ]] || echo 8192 >"$cg/cpu.shares"
	done
}

# Moves process $2 into the node's cgroups; fails if one is gone, which is how
# a node's maker notices that `down` came first.
join_cgroups() { # NAME PID
	local cg
	node_cgroups "$1"
	for cg in "${cgs[@]}"; do
		# nspawn puts the node one level down where systemd manages; in cgroup
		# v2 processes belong in leaves.
		[[ ! -d $cg/payload ]] || cg+=/payload
		[[ $cg != */unified/* || ! -d $cg/init.scope ]] || cg+=/init.scope
		echo "$2" >"$cg/cgroup.procs" || return 1
	done
}

limit_cpu() { # NAME PERCENT
	[[ $# == 2 && $2 =~ ^[0-9]+$ ]] || wrong_usage
	number "$1" >/dev/null
	local quota=$(($2 * 1000)) # of a period of 100000 microseconds
	((quota)) || quota=-1
	echo "$quota" >"/sys/fs/cgroup/cpu/$prefix-$1/cpu.cfs_quota_us"
}

# Processes of the node; a process outside our PID namespace shows as 0.
members() { # NAME
	node_cgroups "$1"
	find "${cgs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null |
		sort -un | grep -vx 0 || true
}

no_members() { [[ -z $(members "$1") ]]; }

# SIGKILL waits for frozen processes to thaw.
thaw() { # NAME
	local f
	while read -r f; do
		echo THAWED >"$f" || true
	done < <(find "/sys/fs/cgroup/freezer/$prefix-$1" -name freezer.state 2>/dev/null) 2>/dev/null
}

# Succeeds when there are none but the given ones.
kill_members() { # NAME [SPARED-PID...]
	local name=$1 pid pids=()
	shift
	thaw "$name"
	for pid in $(members "$name"); do
		[[ " $* " == *" $pid "* || ! -d /proc/$pid ]] || pids+=("$pid")
	done
	((${#pids[@]})) || return 0
	kill -9 "${pids[@]}" 2>/dev/null || true
	return 1
}

remove_children() { # NAME
	node_cgroups "$1"
	find "${cgs[@]}" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
}

remove_cgroups() { # NAME
	local cg
	remove_children "$1"
	for cg in "${cgs[@]}"; do
		[[ ! -d $cg ]] || rmdir "$cg" 2>/dev/null || return 1
	done
}
