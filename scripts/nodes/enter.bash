# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node
#
# Part of scripts/node: commands in a node.

# Runs in the node, but outside its PID namespace, as the parent of the command.
# nsenter would do, if it didn't stop when its child is stopped: a shutdown
# stops all processes for a moment, and would wait forever for the child of a
# stopped nsenter to be reaped.
# shellcheck disable=SC2016 # Perl's variables
parent='
	$child = fork // die "node: fork: $!\n";
	if (!$child) {
		exec {$ARGV[0]} @ARGV;
		print STDERR "node: $ARGV[0]: $!\n";
		exit($!{ENOENT} ? 127 : 126);
	}
	# From the terminal the command has these too, and may handle them.
	$SIG{$_} = "IGNORE" for qw(INT QUIT);
	$SIG{$_} = sub { kill $_[0], $child } for qw(TERM HUP USR1 USR2);
	1 until waitpid($child, 0) == $child;
	exit($? >> 8) if !($? & 127);
	$SIG{$_} = "DEFAULT" for qw(INT QUIT TERM HUP USR1 USR2);
	kill $? & 127, $$;
	exit(128 + ($? & 127));
'

# Replaces this process by a command in the node.
enter_exec() { # NAME CMD ARG...
	local name=$1 pid
	shift
	if ! pid=$(leader "$name") || ! join_cgroups "$name" "$BASHPID" 2>/dev/null; then
		echo "node: $name is not up" >&2
		exit 125
	fi
	exec nsenter -t "$pid" -m -u -i -n -p -C -r -w --no-fork -- \
		/usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 /usr/bin/perl -e "$parent" -- "$@"
}

enter() { (enter_exec "$@"); }

node_exec() { # NAME [CMD ARG...]
	check_name "${1-}"
	(($# > 1)) || set -- "$1" bash -l
	enter_exec "$@"
}
