# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables and callers are in scripts/vm
#
# Part of scripts/vm: a machine's disk, network card and QEMU.

memory=4096
cpus=2

make_disk() { # NAME IMAGE
	qemu-img create -q -f qcow2 -F raw -b "$2/disk" "$nodes/$1/disk"
}

# A card on the bridge of this checkout's machines, see nodes/network.bash.
plug_in() { # NAME
	local n
	n=$(<"$nodes/$1/number")
	nsenter --net="$net/ns" ip link delete "vm$n" 2>/dev/null || true
	ip_in "$net/ns" <<-END
		tuntap add dev vm$n mode tap
		link set vm$n master br0 up
	END
}

unplug() { # NAME
	local n
	n=$(cat "$nodes/$1/number" 2>/dev/null) && [[ -e $net/made ]] || return 0
	nsenter --net="$net/ns" ip link delete "vm$n" 2>/dev/null || true
}

# Prints the PID of the machine's QEMU. Found by its command line: also one
# whose starter was killed is.
qemu_pid() { # NAME
	pgrep -f -- "^qemu-system-x86_64 -name $prefix-$1 "
}

off() { ! qemu_pid "$1" >/dev/null; } # NAME

# Whether KVM runs a plain kernel here; on some clouds it exists and does not.
# The kernel panics for want of a disk, and then QEMU ends.
kvm_works() { # IMAGE
	local said
	[[ -w /dev/kvm ]] || return 1
	said=$(timeout 15 qemu-system-x86_64 -machine q35,accel=kvm -cpu host -m 512 \
		-display none -no-reboot -kernel "$1/vmlinuz" -append 'console=ttyS0 panic=-1' \
		-serial stdio -monitor none </dev/null 2>/dev/null) || true
	[[ $said == *'Kernel panic'* ]]
}

# Sets accelerator: options for QEMU. What was found is kept until the machine
# that runs QEMU boots again.
choose_accelerator() { # IMAGE
	local found
	found=$1/kvm-$(</proc/sys/kernel/random/boot_id)
	if [[ ! -e $found ]]; then
		rm -f "$1"/kvm-*
		if kvm_works "$1"; then echo yes >"$found"; else echo no >"$found"; fi
	fi
	accelerator=(-accel kvm -cpu host)
	# Without erms, memory is copied eight bytes at a time: emulated, that is twice as fast.
	[[ $(<"$found") == yes ]] || accelerator=(-accel "tcg,thread=multi,tb-size=1024" -cpu "Haswell-v4,-erms")
}

# What the kernel is told: where its root is, and its address.
command_line() { # NUMBER
	# Emulated, what guards against attacks on a CPU costs a lot and guards nothing.
	# A busy host makes the kernel take its clock for a bad one, and the other is slow.
	echo "root=/dev/vda rw console=ttyS0 quiet mitigations=off tsc=reliable net.ifnames=0" \
		"ip=$ipv4.$1::$ipv4.1:255.255.0.0::eth0:off"
}

turn_on() { # NAME
	local d=$nodes/$1 n image accelerator
	n=$(<"$d/number")
	image=$(<"$d/image")
	choose_accelerator "$image"
	plug_in "$1"
	(
		close_files
		cd "$d"
		exec nsenter --net="$net/ns" qemu-system-x86_64 -name "$prefix-$1" "${accelerator[@]}" \
			-machine q35 -smp $cpus -m $memory -nodefaults -display none -daemonize \
			-kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$(command_line "$n")" \
			-chardev "file,id=console,path=$d/console.log,append=on" -serial chardev:console \
			-drive "file=$d/disk,if=virtio,discard=unmap" -device virtio-rng-pci \
			-netdev "tap,id=net,ifname=vm$n,script=no,downscript=no" \
			-device "virtio-net-pci,netdev=net,mac=$(mac "$n")"
	) </dev/null >>"$d/qemu.log" 2>&1 || {
		cat "$d/qemu.log" >&2
		return 1
	}
}

mac() { printf '02:00:0a:4e:00:%02x' "$1"; } # NUMBER

# As when the power fails: what the guest has not flushed to its disk may be lost.
cut_power() { # NAME
	local pid
	pid=$(qemu_pid "$1") || return 0
	kill -9 "$pid"
	poll 10 off "$1"
}
