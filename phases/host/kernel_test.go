package host_test

import (
	"os"
	"testing"

	"bootstrap/phases/host/hosttest"
)

func TestSysctl(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n", 0o644)
	put(t, h, "/proc/sys/net/ipv4/conf/eth0.1/forwarding", "0\n", 0o644)
	must(t, h.Sysctl("net.ipv4.tcp_rmem", "4096 131072 6291456"))
	if n := len(h.Entries()); n != 0 {
		t.Fatalf("an equal value made %d records", n)
	}
	must(t, h.Sysctl("net/ipv4/conf/eth0.1/forwarding", "1"))
	must(t, h.Sysctl("net/ipv4/conf/eth0.1/forwarding", "2"))
	wantFile(t, h, "/proc/sys/net/ipv4/conf/eth0.1/forwarding", "2\n", 0o644)
	must(t, h.Sysctl("net.ipv4.ip_forward", "1")) // no kernel here: recorded
	must(t, h.Sysctl("net.ipv4.ip_forward", "1"))
	if n := len(h.Entries()); n != 2 {
		t.Fatalf("%d records, want 2", n)
	}
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, "/proc/sys/net/ipv4/conf/eth0.1/forwarding", "0\n", 0o644)
}

// TestKeepSysctl: what the kernel changes along with another setting is as before in the end.
func TestKeepSysctl(t *testing.T) {
	h, _ := hosttest.New(t)
	const redirects = "/proc/sys/net/ipv4/conf/all/accept_redirects"
	put(t, h, redirects, "0\n", 0o644)
	for range 2 {
		must(t, h.KeepSysctl("net.ipv4.conf.all.accept_redirects"))
	}
	if n := len(h.Entries()); n != 1 {
		t.Fatalf("%d records, want 1", n)
	}
	put(t, h, redirects, "1\n", 0o644)
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, redirects, "0\n", 0o644)
}

func TestLoadModule(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/proc/filesystems", "nodev\tsysfs\nnodev\toverlay\n\text4\n", 0o444)
	put(t, h, "/proc/modules", "xt_set 20480 0 - Live 0x0\n", 0o444)
	must(t, os.MkdirAll(h.Path("/sys/module/nf_tables"), 0o755))
	must(t, os.MkdirAll(h.Path("/proc/sys/net/bridge"), 0o755))
	for _, name := range []string{"overlay", "xt_set", "nf-tables", "br_netfilter"} {
		must(t, h.LoadModule(t.Context(), name))
	}
	if n := len(h.Entries()); n != 0 {
		t.Fatalf("modules that are there made %d records", n)
	}
	for range 2 {
		must(t, h.LoadModule(t.Context(), "ip_vs"))
	}
	if n := len(h.Entries()); n != 1 {
		t.Fatalf("%d records, want 1", n)
	}
}
