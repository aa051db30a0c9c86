package phases

import (
	"net/netip"
	"strings"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
)

// TestLeaveForwarding: what other programs' networks need stays on, is named, and is no longer ours.
func TestLeaveForwarding(t *testing.T) {
	const forward, route = "net.ipv6.conf.all.forwarding", "net/ipv6/conf/eth0/accept_ra"
	reset := func(keep Keep, links ...string) (values string, notes []string) {
		env := testEnv(t, "ipv6")
		table := ""
		for _, link := range links {
			table += "fd000000000000000000000000000001 07 40 00 80 " + link + "\n"
		}
		hosttest.Put(t, env.Host, "/proc/net/if_inet6", table, 0o444)
		for _, name := range []string{forward, route, "kernel.panic"} {
			hosttest.Put(t, env.Host, "/proc/sys/"+strings.ReplaceAll(name, ".", "/"), "0\n", 0o600)
			if err := env.Host.For(host.Runtime).Sysctl(name, "2"); err != nil {
				t.Fatal(err)
			}
		}
		env.Keep = keep
		notes = runPhase(t, env, runUndo)
		return env.Host.KernelSays(forward) + env.Host.KernelSays(route) + env.Host.KernelSays("kernel.panic"), notes
	}
	for name, c := range map[string]struct {
		links  []string
		keep   Keep
		values string
		notes  int
	}{
		"nobody else":         {[]string{"eth0"}, Keep{}, "000", 0},
		"docker0":             {[]string{"eth0", "docker0"}, Keep{}, "220", 2},
		"a network of Docker": {[]string{"br-0123456789ab"}, Keep{}, "220", 2},
		"libvirt":             {[]string{"virbr0"}, Keep{}, "220", 2},
		"podman":              {[]string{"cni-podman0"}, Keep{}, "220", 2},
		"LXD":                 {[]string{"lxdbr0"}, Keep{}, "220", 2},
		"a bridge of guests":  {[]string{"br0"}, Keep{}, "000", 0}, // joins links, and forwards nothing
		"links of pods":       {[]string{"cni0", "flannel.1", "cali12", "bootstrap0"}, Keep{}, "000", 0},
		"all is kept":         {[]string{"docker0"}, Keep{Runtime: true}, "222", 0},
	} {
		values, notes := reset(c.keep, c.links...)
		if values != c.values || len(notes) != c.notes {
			t.Errorf("%s: %s, %q", name, values, notes)
		}
		if c.notes > 0 && !strings.Contains(notes[0], "left on: "+forward+": "+c.links[len(c.links)-1]+" needs it too; if nothing does: sysctl -w "+forward+"=0") {
			t.Errorf("%s: %q", name, notes)
		}
	}
	docker := []machine.LinkAddress{{Link: "docker0", Address: netip.MustParseAddr("172.17.0.1"), Containers: true}}
	for target, want := range map[string]string{"net.ipv4.ip_forward": "docker0", forward: "", route: "", "kernel.panic": ""} {
		if got := forwardsBy(target, docker, nil); got != want {
			t.Errorf("%s: %q", target, got)
		}
	}
	const file = "/etc/sysctl.d/99-tailscale.conf"
	vpn := []machine.BootSetting{{Name: "net/ipv4/conf/all/forwarding", Value: "1", File: file}, {Name: "kernel/panic", Value: "1", File: file}}
	for target, want := range map[string]string{"net.ipv4.ip_forward": file, forward: "", "kernel.panic": ""} {
		if got := forwardsBy(target, nil, vpn); got != want {
			t.Errorf("%s: %q", target, got)
		}
	}
	vpn[0].Value = "0" // hardening, which wants it off
	if got := forwardsBy("net.ipv4.ip_forward", nil, vpn); got != "" {
		t.Error(got)
	}
}

// TestForeignTasks: a containerd that is down is kept as one that answers, if a container
// of others runs on without it.
func TestForeignTasks(t *testing.T) {
	env := testEnv(t, "default")
	const tasks = "/run/containerd/io.containerd.runtime.v2.task/"
	hosttest.Put(t, env.Host, tasks+"canary/theirs/init.pid", "1", 0o600)
	if err := foreignContainers(t.Context(), env); err != nil {
		t.Errorf("of a containerd that is not ours: %v", err)
	}
	if _, err := env.Host.WriteFile(spec.ContainerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := foreignContainers(t.Context(), env)
	plantest.CheckError(t, err, "others have containers in it: canary/theirs")
	if hint := plan.HintOf(err); !strings.Contains(hint, "systemctl restart containerd; ctr -n canary containers rm theirs") {
		t.Error(hint)
	}

	env = testEnv(t, "default")
	hosttest.Put(t, env.Host, tasks+"k8s.io/ours/init.pid", "1", 0o600)
	if _, err := env.Host.WriteFile(spec.ContainerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := foreignContainers(t.Context(), env); err != nil {
		t.Error(err)
	}
}
