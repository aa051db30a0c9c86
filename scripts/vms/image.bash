# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/vm
#
# Part of scripts/vm: the cached disk images, one for each distribution.
#
# A file in distributions/ names what differs: install_distribution DIR makes a
# root file system with systemd, systemd-networkd, an SSH server, sudo, and in
# /boot one kernel (vmlinuz-*) and its initrd (initrd.img-*) that find an ext4
# root on a virtio disk. All else here is the same for each.

images=$nodes/.images
user="admin"

# What a cloud image of Debian's has, and no more: all that Debian itself calls
# important, the kernel for clouds, SSH and sudo; and the packages that are named.
install_debian() { # DIR [PACKAGE...]
	local opts=() dir root=$1 include=systemd-sysv,dbus,openssh-server,sudo,linux-image-cloud-amd64
	shift
	(($# == 0)) || include+=$(printf ',%s' "$@")
	for dir in doc man info locale lintian bug; do
		opts+=(--dpkgopt="path-exclude=/usr/share/$dir/*")
	done
	# A mount namespace of its own, so that a kill leaves no mounts behind.
	unshare --mount mmdebstrap --variant=important \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--include="$include" "${opts[@]}" "$suite" "$root"
}

# As a provisioner of clouds would: a user with a key who may become root.
add_user() { # ROOT PUBLIC-KEY
	local home=$1/home/$user
	chroot "$1" useradd --create-home --shell /bin/bash "$user"
	echo "$user ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/$user"
	chmod 440 "$1/etc/sudoers.d/$user"
	mkdir -m 700 "$home/.ssh"
	cp "$2" "$home/.ssh/authorized_keys"
	chroot "$1" chown -R "$user:$user" "/home/$user/.ssh"
}

configure_image() { # ROOT
	local etc=$1/etc
	echo '/dev/vda / ext4 defaults 0 1' >"$etc/fstab"
	echo localhost >"$etc/hostname"
	printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$etc/hosts"
	# The bridge's address: no DNS server is there, so that lookups are refused at once.
	rm -f "$etc/resolv.conf"
	echo "nameserver $ipv4.1" >"$etc/resolv.conf"
	: >"$etc/machine-id"
	# Addresses come with the kernel's command line: see machine.bash.
	systemctl --quiet --root="$1" enable systemd-networkd systemd-network-generator
	rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
}

pack_image() { # ROOT DIR
	cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
	cp "$1"/boot/initrd.img-* "$2/initrd"
	truncate --size 20G "$2/disk"
	mkfs.ext4 -q -d "$1" "$2/disk"
}

image_dir() { # DISTRIBUTION
	local hash
	hash=$({
		echo "$user" "$ipv4"
		cat "$parts/distributions/$1.bash" "$parts/image.bash"
	} | sha256sum | cut -c1-12)
	echo "$images/$1-$hash"
}

make_image() { # DISTRIBUTION DIR
	# shellcheck disable=SC1090 # checked on its own
	source "$parts/distributions/$1.bash"
	mkdir "$2"
	install_distribution "$2/root"
	ssh-keygen -q -t ed25519 -N '' -C "throw-away machines" -f "$2/key"
	add_user "$2/root" "$2/key.pub"
	configure_image "$2/root"
	pack_image "$2/root" "$2"
	rm -rf --one-file-system "$2/root"
}

# What earlier versions of this script or a killed build left, and no machine's disk needs.
remove_old_images() { # DISTRIBUTION
	local dir
	find "$images" -mindepth 1 -maxdepth 1 -regextype posix-extended -regex ".*/$1-[0-9a-f]{12}([.]tmp)?" |
		while read -r dir; do
			grep -qsxF "$dir" "$nodes"/*/image || rm -rf --one-file-system "$dir"
		done
}

# Waits for a build that is under way.
build_image() { # DISTRIBUTION DIR
	local log=$images/$1.log
	mkdir -p "$images"
	exec 8>"$images/$1.lock"
	flock 8
	[[ ! -d $2 ]] || return 0
	remove_old_images "$1"
	echo "vm: making the image of $1 (some two minutes)" >&2
	make_image "$1" "$2.tmp" >"$log" 2>&1 </dev/null || {
		tail -20 "$log" >&2
		die "the image is not made; all that was said is in $log"
	}
	mv "$2.tmp" "$2"
}

ensure_image() { # DISTRIBUTION
	local dir
	[[ -e $parts/distributions/$1.bash ]] ||
		die "no distribution '$1': there are $(basename -s .bash "$parts"/distributions/* | tr '\n' ' ')"
	dir=$(image_dir "$1")
	[[ -d $dir ]] || (build_image "$1" "$dir")
	echo "$dir"
}
