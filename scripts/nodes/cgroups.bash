# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node
#
# Part of scripts/node: the cgroups of a node and the processes in them.
#
# With cgroup v1 a node has a cgroup PREFIX-NAME in every hierarchy. With v2 it has one.
# There processes belong in leaves, so that below it are two: keeper, and machine, in
# which nspawn makes supervisor for itself and payload, which the node sees as its root.

cgroupfs=/sys/fs/cgroup

cgroup_v2() { [[ -e $cgroupfs/cgroup.controllers ]]; }

check_cgroups() {
	local first=$cgroupfs/systemd
	! cgroup_v2 || first=$cgroupfs
	[[ -e $first/cgroup.procs ]] || die "no cgroups are mounted in $cgroupfs, neither v2 nor v1 with systemd's hierarchy"
	[[ -w $first/cgroup.procs ]] || die "$first cannot be written: a container must be privileged to make nodes"
}

# Sets cgs: the node's cgroup in every hierarchy.
node_cgroups() { # NAME
	local h
	cgs=("$cgroupfs/$prefix-$1")
	! cgroup_v2 || return 0
	cgs=()
	for h in "$cgroupfs"/*/cgroup.procs; do
		h=${h%/*}
		[[ -L $h ]] || cgs+=("$h/$prefix-$1")
	done
}

make_cgroups() { # NAME
	node_cgroups "$1"
	if cgroup_v2; then make_unified "${cgs[0]}"; else make_hierarchies; fi
}

make_hierarchies() {
	local cg f
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

make_unified() { # CGROUP
	vacate_uppermost
	give_controllers "$cgroupfs"
	mkdir -p "$1"
	give_controllers "$1"
	mkdir -p "$1/keeper"
	# As cpu.shares above.
	[[ ! -e $1/cpu.weight ]] || echo 800 >"$1/cpu.weight"
}

# The kernel's own uppermost cgroup may have processes. What a container sees as the uppermost
# is one like others: while processes are in it, it gives no controllers to those below.
vacate_uppermost() {
	[[ -e $cgroupfs/cgroup.type ]] || return 0
	mkdir -p "$cgroupfs/init"
	poll 10 uppermost_is_vacant || die "processes stay in $cgroupfs: $(tr '\n' ' ' <"$cgroupfs/cgroup.procs")"
}

# Moves what it finds there; a process outside our PID namespace shows as 0.
uppermost_is_vacant() {
	local pid
	for pid in $(<"$cgroupfs/cgroup.procs"); do
		((pid == 0)) || echo "$pid" 2>/dev/null >"$cgroupfs/init/cgroup.procs" || true
	done
	! grep -q . "$cgroupfs/cgroup.procs"
}

# One by one: a node does without what the kernel refuses.
give_controllers() { # CGROUP
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		echo "+$controller" 2>/dev/null >"$1/cgroup.subtree_control" || true
	done
}

# Moves process $2 into the node's cgroups; fails if one is gone, which is how
# a node's maker notices that `down` came first. With v2 there is one for each PART:
# keeper, machine, or that of the node's own processes.
join_cgroups() { # NAME PID [PART]
	local cg
	node_cgroups "$1"
	if cgroup_v2; then
		join_leaf "${cgs[0]}/${3:-machine/payload}" "$2"
		return
	fi
	for cg in "${cgs[@]}"; do
		# nspawn puts the node one level down where systemd manages.
		[[ ! -d $cg/payload ]] || cg+=/payload
		join_leaf "$cg" "$2" || return 1
	done
}

# In v2, also beside v1, processes belong in leaves: systemd's own is init.scope.
join_leaf() { # CGROUP PID
	local cg=$1
	[[ ! -e $cg/cgroup.controllers || ! -d $cg/init.scope ]] || cg+=/init.scope
	echo "$2" >"$cg/cgroup.procs"
}

# Where nspawn is to start. By a plain mkdir: `down` may have come first.
enter_machine() { # NAME
	local machine=$cgroupfs/$prefix-$1/machine
	cgroup_v2 || return 0
	[[ -d $machine ]] || mkdir "$machine"
	join_cgroups "$1" "$BASHPID" machine
}

# nspawn gives the node the controllers that systemd knows; a kubelet looks for hugetlb too.
# The cgroup gives none while nspawn itself is in it.
complete_machine() { # NAME NSPAWN-PID
	cgroup_v2 || return 0
	poll 30 supervised_or_gone "$2" || return 0
	give_controllers "$cgroupfs/$prefix-$1/machine" 2>/dev/null
}

supervised_or_gone() { grep -qs '/supervisor$' "/proc/$1/cgroup" || [[ ! -e /proc/$1/exe ]]; } # PID

limit_cpu() { # NAME PERCENT
	[[ $# == 2 && $2 =~ ^[0-9]+$ ]] || wrong_usage
	number "$1" >/dev/null
	local quota=$(($2 * 1000)) # of a period of 100000 microseconds
	if cgroup_v2; then
		((quota)) || quota=max
		echo "$quota 100000" >"$cgroupfs/$prefix-$1/cpu.max"
		return
	fi
	((quota)) || quota=-1
	echo "$quota" >"$cgroupfs/cpu/$prefix-$1/cpu.cfs_quota_us"
}

# Processes of the node; a process outside our PID namespace shows as 0.
members() { # NAME
	node_cgroups "$1"
	find "${cgs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null |
		sort -un | grep -vx 0 || true
}

no_members() { [[ -z $(members "$1") ]]; }

# With v1, SIGKILL waits for frozen processes to thaw.
thaw() { # NAME
	local f
	! cgroup_v2 || return 0
	while read -r f; do
		echo THAWED >"$f" || true
	done < <(find "$cgroupfs/freezer/$prefix-$1" -name freezer.state 2>/dev/null) 2>/dev/null
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

# Names of nodes that have cgroups, also of those whose directory is gone.
names_in_cgroups() {
	find "$cgroupfs" -mindepth 1 -maxdepth 2 -type d -name "$prefix-*" -printf '%f\n' | sed "s/^$prefix-//"
}
