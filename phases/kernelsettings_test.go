package phases

import (
	"os"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// TestSettingsBeforeTheirFile: what the next boot would set is in the ledger before the
// file is there by which it does.
func TestSettingsBeforeTheirFile(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/proc/sys/net/ipv4/ip_forward", "0\n", 0o600)
	hosttest.Put(t, env.Host, "/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n", 0o600)
	if err := prepareKernel(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	at := func(target string) int {
		return slices.IndexFunc(env.Host.Entries(), func(r host.Record) bool { return r.Target == target })
	}
	for _, key := range []string{"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"} {
		if set, kept := at(key), at(spec.SysctlFile); set < 0 || set > kept {
			t.Errorf("%s is entry %d, its file entry %d", key, set, kept)
		}
	}
}

// TestForwardingKeeps: what the kernel sets along with forwarding is in the ledger before it.
func TestForwardingKeeps(t *testing.T) {
	env := testEnv(t, "default")
	for name, value := range map[string]string{"ip_forward": "0", "conf/all/accept_redirects": "0", "conf/eth0/forwarding": "1", "conf/eth1/forwarding": "0"} {
		hosttest.Put(t, env.Host, "/proc/sys/net/ipv4/"+name, value+"\n", 0o600)
	}
	for range 2 {
		if err := prepareKernel(t.Context(), env); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range env.Host.Entries() {
		if r.Op == host.OpSysctl {
			got = append(got, r.Target)
		}
	}
	want := []string{"net/ipv4/conf/eth0/forwarding", "net/ipv4/conf/all/accept_redirects", "net.ipv4.ip_forward"}
	if !slices.Equal(got, want) {
		t.Errorf("recorded are %v, want %v", got, want)
	}
}

// TestKeepConntrack: as it was before there was a kube-proxy, where that will change it.
func TestKeepConntrack(t *testing.T) {
	const name = "net/netfilter/nf_conntrack_max"
	kept := func(change func(*Env)) bool {
		env := testEnv(t, "default")
		hosttest.Put(t, env.Host, "/proc/sys/"+name, "65536\n", 0o600)
		change(env)
		if err := keepConntrack(env.Host, &env.Spec); err != nil {
			t.Error(err)
		}
		return slices.ContainsFunc(env.Host.Entries(), func(r host.Record) bool { return r.Target == name && r.Before.Value == "65536" })
	}
	if !kept(func(*Env) {}) {
		t.Error("it is not")
	}
	for why, change := range map[string]func(*Env){
		"no kube-proxy": func(env *Env) { env.Config.ProxyDisabled = true },
		"there is a cluster": func(env *Env) {
			if _, err := env.Host.WriteFile(spec.KubeletConf, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if kept(change) {
			t.Errorf("%s, and yet", why)
		}
	}
}

// TestAdvertisedRoute: forwarding would take the default route away that the kernel has from
// a router's advertisement.
func TestAdvertisedRoute(t *testing.T) {
	env := testEnv(t, "ipv6")
	zeros := strings.Repeat("0", 32)
	route := func(flags, link string) string {
		return zeros + " 00 " + zeros + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 " + flags + " " + link + "\n"
	}
	hosttest.Put(t, env.Host, "/proc/net/ipv6_route", route("00450003", "eth0")+route("00000003", "eth1")+route("00450003", "eth2"), 0o444)
	for link, value := range map[string]string{"eth0": "1", "eth1": "1", "eth2": "0"} {
		hosttest.Put(t, env.Host, "/proc/sys/net/ipv6/conf/"+link+"/accept_ra", value+"\n", 0o600)
	}
	for _, key := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		hosttest.Put(t, env.Host, "/proc/sys/net/"+key, "0\n", 0o600)
	}
	var first []byte
	for range 2 { // the second time it is as it should be
		if err := prepareKernel(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		data, err := env.Host.ReadFile(spec.SysctlFile)
		if err != nil || strings.Count(string(data), "accept_ra") != 1 || !strings.Contains(string(data), "net/ipv6/conf/eth0/accept_ra = 2\n") || first != nil && string(first) != string(data) {
			t.Errorf("%v\n%s", err, data)
		}
		first = data
	}
	if set := env.Host.Entries(); set[slices.IndexFunc(set, func(r host.Record) bool { return r.Op == host.OpSysctl })].Target != "net/ipv6/conf/eth0/accept_ra" {
		t.Error("forwarding is set first")
	}
}

// TestBridgedFixed: where a container's /proc can't be written, init warns and goes on.
func TestBridgedFixed(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/proc/sys/net/ipv4/ip_forward", "1\n", 0o600)
	hosttest.Put(t, env.Host, "/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0\n", 0o600)
	if err := os.Mkdir(env.Host.Path("/proc/sys/net/bridge/bridge-nf-call-iptables"), 0o755); err != nil {
		t.Fatal(err)
	}
	notes := runPhase(t, env, prepareKernel)
	if len(notes) != 1 || !strings.Contains(notes[0], "bridge-nf-call-iptables") || !strings.Contains(notes[0], "pods may not reach Services") {
		t.Errorf("%q", notes)
	}
	if data, err := env.Host.ReadFile("/proc/sys/net/bridge/bridge-nf-call-ip6tables"); err != nil || strings.TrimSpace(string(data)) != "1" {
		t.Errorf("the other one: %q, %v", data, err)
	}
}

// TestKeptSettings: a kubelet that is to refuse other settings finds them after a boot too.
func TestKeptSettings(t *testing.T) {
	env := testEnv(t, "default")
	keep := func() bool {
		if err := keepKubeletSettings(env.Host, env.Config); err != nil {
			t.Fatal(err)
		}
		return env.Host.Exists(spec.KubeletSysctlFile)
	}
	if keep() {
		t.Error("nobody asked for it")
	}
	env.Config.Kubelet = map[string]any{"protectKernelDefaults": true}
	if !keep() {
		t.Error("not kept")
	}
}
