# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node and scripts/vm
#
# Part of scripts/node: the bridge, a node's network and the names of nodes.
# The bridge and the names are scripts/vm's too.

net=$nodes/.net

ip_in() { nsenter --net="$1" ip -batch -; } # NETNS <commands

new_netns() { # FILE
	remove_netns "$1"
	touch "$1"
	unshare --net="$1" true
}

remove_netns() { # FILE
	while umount "$1" 2>/dev/null; do :; done
	rm -f "$1"
}

# The namespace of the bridge; under the lock. The mark is made last: a
# namespace without it was cut short and is made anew.
ensure_bridge() {
	[[ ! -e $net/made ]] || return 0
	mkdir -p "$net"
	new_netns "$net/ns"
	# A refusal must go out for every lookup, not for one a second.
	nsenter --net="$net/ns" sh -c 'cd /proc/sys/net && echo 0 >ipv4/icmp_ratelimit && echo 0 >ipv6/icmp/ratelimit'
	ip_in "$net/ns" <<-END
		link set lo up
		link add br0 type bridge forward_delay 0
		link set br0 up
		address add $ipv4.1/16 dev br0
		address add ${ipv6}1/64 dev br0 nodad
	END
	touch "$net/made"
}

forget_bridge() { # unless a node is left
	[[ -z $(node_names) ]] || return 0
	remove_netns "$net/ns"
	rm -rf "$net"
}

connect_node() { # NAME
	local ns=$nodes/$1/netns n mac
	n=$(<"$nodes/$1/number")
	# The same after a reboot, or the others' neighbour tables are wrong.
	mac=$(printf '02:00:0a:4d:00:%02x' "$n")
	nsenter --net="$net/ns" ip link delete "node$n" 2>/dev/null || true
	new_netns "$ns"
	ip_in "$net/ns" 7<"$ns" <<-END
		link add node$n type veth peer name eth0 address $mac netns /dev/fd/7
		link set node$n master br0 up
	END
	address_node "$ns" "$n"
}

address_node() { # NETNS NUMBER
	local n=$2
	# The kernel may hand down the machine's own setting.
	nsenter --net="$1" sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	ip_in "$1" <<-END
		link set lo up
		link set eth0 up
		address add $ipv4.$n/16 dev eth0
		address add $ipv6$n/64 dev eth0 nodad
		route add default via $ipv4.1
		route add default via ${ipv6}1
	END
}

disconnect_node() { # NAME
	local n
	if n=$(cat "$nodes/$1/number" 2>/dev/null) && [[ -e $net/made ]]; then
		nsenter --net="$net/ns" ip link delete "node$n" 2>/dev/null || true
	fi
	remove_netns "$nodes/$1/netns"
}

node_names() {
	local d
	for d in "$nodes"/*/; do
		[[ ! -e $d ]] || basename "$d"
	done
}

hosts_lines() { # for every node that is up
	local name n
	for name in $(node_names); do
		[[ -e $nodes/$name/up ]] || continue
		n=$(<"$nodes/$name/number")
		printf '%s %s\n%s %s\n' "$ipv4.$n" "$name" "$ipv6$n" "$name"
	done
}

# Rewrites only what is between our marks: a node's own lines stay.
refresh_hosts() {
	local lines name file
	lines=$(hosts_lines)
	for name in $(node_names); do
		file=$nodes/$name/root/etc/hosts
		[[ -e $nodes/$name/up && -f $file && ! -L $file ]] || continue
		{
			sed '/^# nodes$/,/^# end of nodes$/d' "$file"
			printf '# nodes\n%s\n# end of nodes\n' "$lines"
		} >"$file.new"
		mv "$file.new" "$file"
	done
}
