package main

import "regexp"

// unwatched is what changes on a machine to which nothing is done, or what this
// kind of survey cannot see, each with the reason. Reset is measured by the rest.
type unwatched struct {
	pattern *regexp.Regexp
	reason  string
}

func leave(pattern, reason string) unwatched {
	return unwatched{regexp.MustCompile("^(?:" + pattern + ")$"), reason}
}

// unwatchedFiles are left out with all that is below them.
var unwatchedFiles = []unwatched{
	leave(`/proc|/sys`, "the kernel's; sysctls, cgroups, mounts and modules are facts of their own"),
	leave(`/dev/pts/\d+`, "terminals come and go with the commands of the test"),
	leave(`/var/log/journal|/run/log/journal`, "the journal"),
	leave(`/var/log/(wtmp|btmp|lastlog)|/run/utmp`, "the machine's log of boots and logins"),
	leave(`/var/lib/systemd/(timers|random-seed|catalog)`, "systemd's own state: when timers ran, randomness"),
	leave(`/run/systemd/(journal/streams|units|propagate/.*|transient)`, "systemd's own state: one entry for each stream and unit that runs; units are a fact"),
	leave(`/tmp/systemd-private-[^/]*|/var/tmp/systemd-private-[^/]*`, "PrivateTmp of systemd's own services"),
	leave(`/run/systemd/inaccessible|/run/host`, "made by systemd and nspawn, not readable to anybody"),
	leave(`/run/udev/data/\+(input|leds):.*|/run/udev/tags/seat/\+(input|leds):.*`, "numbered anew at each boot"),
	leave(`/run/udev/watch/.*`, "numbered as devices come, at each boot"),
	leave(`/tmp/kubectl|/tmp/e2e`, "the test's own: kubectl's cache, files that it hands to the product"),
	leave(`/root/(survey|bootstrap)|/home/admin/(cluster|job)`, "this program, the one under test, and what runs it"),
}

// unwatchedSysctls are counters, randomness, and what can't be read.
var unwatchedSysctls = []unwatched{
	leave(`fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr)`, "counters"),
	leave(`fs/quota/.*`, "counters"),
	leave(`fs/binfmt_misc/.*`, "an automount: to look is to mount"),
	leave(`kernel/random/.*`, "randomness"),
	leave(`kernel/(ns_last_pid|pty/nr)`, "counters"),
	leave(`kernel/perf_event_max_sample_rate`, "the kernel lowers it under load"),
	leave(`vm/overcommit_memory|kernel/panic(_on_oops)?|kernel/keys/root_max(keys|bytes)`, "set by every kubelet, and nodes share one kernel; TestExact watches them"),
	leave(`kernel/(tainted|max_lock_depth)`, "the kernel's own notes"),
	leave(`net/netfilter/nf_conntrack_count`, "a counter"),
	leave(`net/netfilter/nf_conntrack_(buckets|max)|net/nf_conntrack_max`, "set by the kernel for the whole machine"),
	leave(`net/ipv4/(tcp|udp)_mem|vm/user_reserve_kbytes|fs/epoll/max_user_watches`, "of the memory that was free at boot"),
	leave(`vm/stat_refresh|net/ipv[46]/route/flush`, "to read or write it is to act"),
}

// unwatchedMounts are mount points.
var unwatchedMounts = []unwatched{
	leave(`/proc/kmsg|/proc/sys/kernel/random/boot_id`, "nspawn's, with a random name at each boot"),
	leave(`/run/credentials/.*`, "systemd's, for as long as a service starts"),
}

// unwatchedUnits are the lines of units.
var unwatchedUnits = []unwatched{
	leave(`run-credentials-.*`, "systemd's, for as long as a service starts"),
	leave(`systemd-networkd-wait-online\.service .*`, "what a boot has waited for stays reached until the next"),
}

// isLeft tells whether the name is in the list.
func isLeft(list []unwatched, name string) bool {
	for _, u := range list {
		if u.pattern.MatchString(name) {
			return true
		}
	}
	return false
}
