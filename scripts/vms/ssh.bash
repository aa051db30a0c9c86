# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/vm
#
# Part of scripts/vm: commands in a machine, by SSH.

# Replaces this process by ssh: one connection serves all calls, as setting one
# up takes an emulated CPU a second.
ssh_exec() { # NAME OPTION... COMMAND
	local name=$1 d=$nodes/$1
	shift
	[[ -e $d/image ]] || die "there is no machine $name"
	cd "$d" || exit
	close_files
	exec nsenter --net="$net/ns" ssh -q -F /dev/null -i "$(<image)/key" \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
		-o ControlMaster=auto -o ControlPath=ssh -o ControlPersist=yes \
		-o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=6 \
		"$user@$ipv4.$(<number)" "$@"
}

# Closes the connection, which outlives what it led to.
hang_up() { # NAME
	(cd "$nodes/$1" && [[ -S ssh ]] && ssh -q -F /dev/null -o ControlPath=ssh -O exit "$1") 2>/dev/null || true
	rm -f "$nodes/$1/ssh"
}

# Runs a command as root.
enter() { # NAME CMD ARG...
	local name=$1 status=0
	shift
	(ssh_exec "$name" "sudo -n -- $(printf '%q ' "$@")") || status=$?
	# ssh's own trouble, or the machine's end.
	((status != 255)) || status=125
	return $status
}

node_exec() { # NAME [CMD ARG...]
	check_name "${1-}"
	if (($# == 1)); then
		ssh_exec "$1" -t 'sudo -n -i'
	fi
	enter "$@" || {
		local status=$?
		((status != 125)) || echo "vm: $1 is not up, or went down" >&2
		exit $status
	}
}

boot_id() { # NAME
	enter "$1" cat /proc/sys/kernel/random/boot_id </dev/null 2>/dev/null
}
