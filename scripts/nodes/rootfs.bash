# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/node
#
# Part of scripts/node: the root file system, which all checkouts of a user share: it is
# kept by what this file says.

rootfs_store=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bootstrap/rootfs

packages=(
	systemd systemd-sysv dbus udev kmod procps util-linux mount
	iproute2 iputils-ping iptables nftables conntrack socat ethtool netbase
	ca-certificates curl jq less strace usr-is-merged
)

install_tools() { # PROGRAM:PACKAGE...
	local missing=() tool
	for tool; do
		command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
	done
	((${#missing[@]})) || return 0
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

bootstrap_rootfs() { # DIR
	local opts=() dir
	for dir in doc man info locale lintian bug zoneinfo/right zoneinfo/posix; do
		opts+=(--dpkgopt="path-exclude=/usr/share/$dir/*")
	done
	# A mount namespace of its own, so that a kill leaves no mounts behind.
	unshare --mount mmdebstrap --variant=minbase \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--include="$(IFS=,; echo "${packages[*]}")" \
		"${opts[@]}" bookworm "$1"
}

trim_rootfs() { # DIR
	local r=$1 unit
	rm -rf "$r"/var/{cache,lib/apt/lists,log}/* "$r"/etc/apt/sources.list* \
		"$r"/usr/lib/udev/hwdb.* "$r"/etc/resolv.conf
	mkdir -p "$r"/var/cache/apt/archives/partial "$r"/var/log/journal
	rm -rf "$r"/usr/lib/*/gconv
	# The kernel is the machine's: its settings are not a node's to make.
	rm -f "$r"/usr/lib/sysctl.d/*
	: >"$r/etc/machine-id"
	for unit in systemd-{udevd,udev-trigger,networkd,resolved,timesyncd}.service \
		systemd-udevd-{control,kernel}.socket getty.target \
		{getty@,console-getty,getty-static}.service \
		e2scrub_reap.service systemd-{pstore,firstboot,repart}.service \
		{apt-daily,apt-daily-upgrade,dpkg-db-backup,e2scrub_all,fstrim}.timer; do
		ln -sf /dev/null "$r/etc/systemd/system/$unit"
	done
}

configure_rootfs() { # DIR
	local etc=$1/etc
	mkdir -p "$etc"/systemd/{journald,system}.conf.d
	# Else every node's journal starts with the machine's whole kernel log.
	printf '[Journal]\nReadKMsg=no\n' >"$etc/systemd/journald.conf.d/node.conf"
	# No test should wait 90 s for a unit that does not stop.
	printf '[Manager]\nDefaultTimeoutStopSec=15s\n' >"$etc/systemd/system.conf.d/node.conf"
	# Nobody listens there and the kernel says so at once, also to a pod;
	# a loopback address would make CoreDNS forward to itself.
	printf 'nameserver %s.1\n' "$ipv4" >"$etc/resolv.conf"
}

# nspawn leaves a private root, and hierarchies of cgroup v1 read-only; the unit undoes that.
add_mounts_unit() { # DIR
	local etc=$1/etc
	cat >"$etc/systemd/system/node-mounts.service" <<-'END'
		[Unit]
		Description=Mounts as on a real machine
		DefaultDependencies=no
		Before=sysinit.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -ec 'for d in /sys/fs/cgroup/*/; do ! mountpoint -q "$d" || mount -o remount,bind,rw "$d"; done; mount --make-rshared /'
		[Install]
		WantedBy=sysinit.target
	END
	mkdir -p "$etc/systemd/system/sysinit.target.wants"
	ln -sf ../node-mounts.service "$etc/systemd/system/sysinit.target.wants/"
}

rootfs_dir() {
	local hash
	hash=$({
		uname -m
		echo "$ipv4"
		cat "$checkout/scripts/nodes/rootfs.bash"
	} | sha256sum | cut -c1-12)
	echo "$rootfs_store/$hash"
}

# Waits for a build that is under way, and for copies being made.
build_rootfs() { # DIR
	local log=$rootfs_store/build.log tmp=$1.tmp
	mkdir -p "$rootfs_store"
	exec 8>"$rootfs_store/lock"
	flock 8
	[[ ! -d $1 ]] || return 0
	# A killed build's, and what no checkout has asked for in two weeks.
	rm -rf --one-file-system "$rootfs_store"/*.tmp
	find "$rootfs_store" -mindepth 1 -maxdepth 1 -type d -mtime +14 -exec rm -rf --one-file-system {} +
	echo "node: making the root file system (about a minute)" >&2
	install_tools mmdebstrap:mmdebstrap
	mkdir "$tmp"
	bootstrap_rootfs "$tmp/root" >"$log" 2>&1 </dev/null || {
		tail -20 "$log" >&2
		die "mmdebstrap failed; all of its output is in $log"
	}
	trim_rootfs "$tmp/root"
	configure_rootfs "$tmp/root"
	add_mounts_unit "$tmp/root"
	mv "$tmp" "$1"
	rm "$log"
}

copy_rootfs() { # DIR TO
	flock -s "${1%/*}/lock" cp -a "$1/root" "$2"
}

ensure_rootfs() {
	local dir
	dir=$(rootfs_dir)
	[[ -d $dir ]] || (build_rootfs "$dir")
	touch -c "$dir"
	echo "$dir"
}
