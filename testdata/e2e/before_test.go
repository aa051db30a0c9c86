package e2e

import (
	"testing"
	"time"
)

// TestBefore: a machine that an earlier program has set up is taken over, or left, by this
// one. The earlier program, with this one's bundle inside, is bin/bootstrap-box-before.
func TestBefore(t *testing.T) {
	const config = "/root/cluster.yaml"
	for _, c := range []struct {
		name string
		init []string // of the earlier program
		then func(n *Node)
	}{
		{"TakenOver", []string{"init"}, func(n *Node) { takenOver(n) }},
		{"TakenOverWithItsConfig", []string{"init", "--config", config}, func(n *Node) {
			// What the config file said, the earlier program did not keep.
			if r := n.Bootstrap("init"); r.Code != 2 || !r.Has("was made with a config file, "+config) {
				n.t.Errorf("init without it: %s", r)
			}
			takenOver(n, "--config", config)
		}},
		{"GoneOn", []string{"init", "phase", "runtime"}, func(n *Node) { takenOver(n) }},
		{"Left", []string{"init"}, func(*Node) {}},
		{"StandaloneLeft", []string{"init", "--standalone"}, func(*Node) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := Up(t, 6*time.Minute)
			n.Copy("bin/bootstrap-box-before", "/root/before")
			n.Copy("bin/bootstrap-box", "/root/bootstrap")
			fresh := n.survey()
			n.Write(config, "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraArgs: [{name: v, value: \"1\"}]\n")
			n.MustExec(append([]string{"/root/before"}, c.init...)...)
			c.then(n)
			n.MustExec("rm", config)
			testReset(n, fresh)
		})
	}
}

// takenOver wants this program to make its own of what is there, and the second time to
// change nothing.
func takenOver(n *Node, args ...string) {
	n.t.Helper()
	n.MustBootstrap(append([]string{"init"}, args...)...)
	n.Healthy(time.Minute)
	if r := n.MustBootstrap("init"); !r.Has("Nothing to change") {
		n.t.Errorf("a second init: %s", r)
	}
	n.Healthy(30 * time.Second)
}
