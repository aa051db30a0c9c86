package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const env = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"

// machine is a node with an empty configuration folder.
func machine(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	n := node{config: dir + "/config", subnets: dir + "/subnet.env", from: dir + "/from", bin: dir + "/bin", net: dir + "/net"}
	for _, d := range []string{n.from, n.bin, n.net} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, n.config, `{"subnet": "${SUBNET}", "mtu": ${MTU}}`)
	return n
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (n node) configured(t *testing.T) string {
	t.Helper()
	if err := n.configure(); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(filepath.Join(n.net, conflist)) // none: empty
	return string(data)
}

func TestConfigure(t *testing.T) {
	n := machine(t)
	if got := n.configured(t); got != "" || n.check() == nil {
		t.Errorf("before flannel: %q, %v", got, n.check())
	}
	put(t, n.subnets, env)
	if got, want := n.configured(t), `{"subnet": "10.244.1.0/24", "mtu": 1450}`; got != want || n.check() != nil {
		t.Errorf("%s, %v, want %s", got, n.check(), want)
	}
	put(t, n.subnets, strings.ReplaceAll(env, "244.1.1", "244.9.1"))
	if n.check() == nil {
		t.Error("the old range still passes")
	}
	if got, want := n.configured(t), `{"subnet": "10.244.9.0/24", "mtu": 1450}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if left, _ := filepath.Glob(n.net + "/.*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestConfigureIPv6(t *testing.T) {
	n := machine(t)
	put(t, n.config, "${SUBNET} ${SUBNET6} ${MTU}")
	put(t, n.subnets, env+"FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n")
	if got := n.configured(t); got != "10.244.1.0/24 fd00:10:244:1::/64 1430" {
		t.Error(got)
	}
}

func TestForeignNetworkStays(t *testing.T) {
	for _, name := range []string{"05-cilium.conflist", "87-podman.conf", "x.json"} {
		n := machine(t)
		put(t, n.subnets, env)
		put(t, filepath.Join(n.net, name), "{}")
		if got := n.configured(t); got != "" || n.check() != nil {
			t.Errorf("%s: %q, %v", name, got, n.check())
		}
	}
}

func TestConfigureRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"FLANNEL_MTU=1450\n":                     "no SUBNET",
		"FLANNEL_SUBNET=10.244.1.1/24\n":         "no MTU",
		"FLANNEL_SUBNET=10.244.1.0\n":            "FLANNEL_SUBNET",
		strings.Replace(env, "1450", "large", 1): "FLANNEL_MTU",
	} {
		n := machine(t)
		put(t, n.subnets, text)
		if err := n.configure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestInstallPlugins(t *testing.T) {
	n := machine(t)
	for _, name := range plugins {
		put(t, filepath.Join(n.from, name), "new")
	}
	put(t, filepath.Join(n.bin, "bridge"), "old")
	if err := n.installPlugins(); err != nil {
		t.Fatal(err)
	}
	for _, name := range plugins {
		data, err := os.ReadFile(filepath.Join(n.bin, name))
		if err != nil || (string(data) == "old") != (name == "bridge") {
			t.Errorf("%s: %s, %v", name, data, err)
		}
	}
	if info, err := os.Stat(filepath.Join(n.bin, "portmap")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestWatch wants the change of a file that is renamed into its place, as flannel does.
func TestWatch(t *testing.T) {
	n := machine(t)
	c, err := watch(filepath.Dir(n.subnets), n.net)
	if err != nil {
		t.Fatal(err)
	}
	if err := replace(n.subnets, []byte(env), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.next(); err != nil {
		t.Error(err)
	}
}
