package spec

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/machine"
	"bootstrap/templates"
)

// TestOneConflist has cni-install, which runs on nodes that init never sees, make the
// configuration of the first node: it must be the one that init makes, or the runtime
// would get another one for nothing.
func TestOneConflist(t *testing.T) {
	program := filepath.Join(t.TempDir(), "cni-install")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../scripts/components/cni-install"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cases := map[string]string{
		"default":    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_MTU=1350\nFLANNEL_IPMASQ=true\n",
		"ipv6":       "FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=fd00:10:244::1/64\nFLANNEL_MTU=1350\nFLANNEL_IPMASQ=true\n",
		"dual-stack": "FLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_IPV6_SUBNET=fd00:10:244::1/64\nFLANNEL_MTU=1350\nFLANNEL_IPMASQ=true\n",
	}
	for name, env := range cases {
		t.Run(name, func(t *testing.T) {
			c := configtest.Valid(t, name)
			want, err := templates.Render(NodeNetwork(c, machine.Facts{MTUs: map[netip.Addr]int{c.AdvertiseAddress: 1400}}))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "network/"+name+".conflist", want)
			if got := installed(t, program, c, env); got != string(want) {
				t.Error(cmp.Diff(string(want), got))
			}
		})
	}
}

// installed runs cni-install until it says that it is done.
func installed(t *testing.T, program string, c *config.Config, env string) string {
	t.Helper()
	text, err := templates.Render(anyNodeNetwork(c))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{"from", "bin", "net"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string]string{
		"config": string(text), "subnet.env": env, "from/bridge": "x", "from/host-local": "x", "from/loopback": "x", "from/portmap": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--config=config", "--subnets=subnet.env", "--from=from", "--bin=bin", "--net=net"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	run := exec.CommandContext(ctx, program, args...)
	run.Dir = dir
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = run.Wait() }()
	for ctx.Err() == nil {
		check := exec.CommandContext(ctx, program, append(args, "--check")...)
		check.Dir = dir
		if check.Run() == nil {
			break
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "net/10-bootstrap.conflist"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPodMTU(t *testing.T) {
	at := func(c *config.Config, mtu int) machine.Facts {
		return machine.Facts{MTUs: map[netip.Addr]int{c.AdvertiseAddress: mtu, netip.MustParseAddr("203.0.113.1"): 9000}}
	}
	for name, want := range map[string]int{"default": 1350, "ipv6": 1330, "dual-stack": 1330} {
		c := configtest.Valid(t, name)
		if got := podMTU(c, at(c, 1400)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := podMTU(configtest.Valid(t, "default"), machine.Facts{}); got != 1450 {
		t.Errorf("of an unknown link: %d", got)
	}
}
