package e2e

import (
	"strings"
	"testing"
	"time"
)

// slowNode is how much of one CPU the slow half of the nodes has, in percent.
const slowNode = "50"

// healthyRound is an init that comes to its end, on a node where something was before it.
type healthyRound struct {
	name   string
	slow   bool   // with half a CPU
	bare   bool   // without runtime and images
	broken string // config of an init that fails before
	config string
	before func(*Node)
}

const (
	badEtcdConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
etcd: {local: {extraArgs: [{name: v2-deprecation, value: plenty}]}}
`
	badProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: {maxPerCore: 65536, min: 8388608}
`
)

// healthyRounds are ten fast and ten slow ones.
func healthyRounds() []healthyRound {
	initialised := func(n *Node) { n.MustBootstrap("init") }
	var all []healthyRound
	for _, slow := range []bool{true, false} {
		all = append(all,
			healthyRound{name: "bare", bare: true},
			healthyRound{name: "first"}, healthyRound{name: "second"}, healthyRound{name: "third"},
			healthyRound{name: "again", before: initialised},
			healthyRound{name: "changed config", before: initialised, config: changedConfig},
			healthyRound{name: "after a reboot", before: func(n *Node) { n.MustBootstrap("init"); n.Reboot() }},
			healthyRound{name: "after a bad flag", broken: brokenConfig},
			healthyRound{name: "after a bad flag of etcd", broken: badEtcdConfig},
			healthyRound{name: "after a bad setting of kube-proxy", broken: badProxyConfig},
		)
		for i := len(all) - 10; i < len(all); i++ {
			all[i].slow = slow
		}
	}
	return all
}

// TestNoFalseAlarm runs init on healthy nodes, fast and slow ones: none names a cause,
// as certain or as probable, and each comes to its end.
func TestNoFalseAlarm(t *testing.T) {
	rounds := healthyRounds()
	if !*runAll {
		rounds = rounds[:1]
	}
	t.Logf("%d of %d rounds (-all runs all)", len(rounds), len(healthyRounds()))
	n := Up(t, 80*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, r := range rounds {
		name := r.name
		if r.slow {
			name += ", slow"
		}
		t.Run(name, func(t *testing.T) { n.In(t).staysQuiet(r) })
	}
}

func (n *Node) staysQuiet(r healthyRound) {
	n.t.Helper()
	if r.bare {
		n.MustBootstrap("reset", "--force")
	}
	if r.before != nil {
		r.before(n)
	}
	if r.broken != "" {
		n.Write("/tmp/e2e/broken.yaml", r.broken)
		if r := n.Bootstrap("init", "--config", "/tmp/e2e/broken.yaml"); r.Code != 1 {
			n.t.Fatalf("it does not fail: %s", r)
		}
	}
	if r.slow {
		n.must(n.run("limit", n.Name, slowNode))
		defer n.run("limit", n.Name, "0")
	}
	args := []string{"--timeout", "4m"}
	if r.broken != "" {
		args = append(args, "--config", "") // else it is made with what was broken
	}
	start := time.Now()
	got := n.runInto(fault{Run: "init", Config: r.config, Args: args})
	n.t.Logf("%.1f s", time.Since(start).Seconds())
	if len(got.causes) > 0 || !strings.Contains(got.output, `"event":"result","ok":true`) {
		n.t.Errorf("named on a healthy node: %v\n%s", got.causes, got.output)
	}
	n.must(n.run("limit", n.Name, "0"))
	n.MustBootstrap("reset", "--force", "--keep-images", "--keep-runtime")
}

// TestVerySlow: on a fifth of a CPU the controller manager is not started so early that
// it gives up on the API server.
func TestVerySlow(t *testing.T) {
	n := Up(t, 15*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.must(n.run("limit", n.Name, "20"))
	r := n.MustBootstrap("init", "--timeout", "8m")
	n.must(n.run("limit", n.Name, "0"))
	if r.Err != "" {
		t.Errorf("on standard error:\n%s", r.Err)
	}
	for _, c := range components {
		p, err := n.mirrorPod(c)
		if err != nil || p.Status.ContainerStatuses[0].RestartCount > 0 {
			t.Errorf("%s: %+v, %v", c, p.Status, err)
		}
	}
}
