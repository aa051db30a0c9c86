package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// changedConfig adds an argument and a name of the API server to the defaults.
const changedConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  certSANs: [extra.example]
  extraArgs:
  - name: max-requests-inflight
    value: "401"
`

// fixed are settings of a cluster that no later init can change.
var fixed = []struct{ name, config, says string }{
	{"nodeRegistration.name", changedConfig + "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration: {name: another}\n", "another"},
	{"serviceSubnet", changedConfig + "networking: {serviceSubnet: 10.55.0.0/16}\n", "10.55.0.0/16"},
	{"podSubnet", changedConfig + "networking: {podSubnet: 10.66.0.0/16}\n", "10.66.0.0/16"},
	{"dataDir", changedConfig + "etcd: {local: {dataDir: /srv/etcd}}\n", "/srv/etcd"},
}

// testChangedConfig: a changed config is shown as a difference and restarts only
// what it must; what cannot change is refused before anything is.
func testChangedConfig(n *Node) {
	const changed = "kube-apiserver"
	n.Write("/tmp/e2e/config.yaml", changedConfig)
	old, others := n.containerOf(changed), n.containersBut(changed)
	before := n.quiet()

	r := n.MustBootstrap("init", "--config", "/tmp/e2e/config.yaml")
	if !slices.ContainsFunc(strings.Split(r.Out, "\n"), func(line string) bool {
		return strings.HasPrefix(strings.TrimSpace(line), "+") && strings.Contains(line, "--max-requests-inflight=401")
	}) {
		n.t.Errorf("the difference is not shown: %s", r)
	}
	n.Healthy(time.Minute)
	if n.containerOf(changed) == old {
		n.t.Errorf("%s is the one from before", changed)
	}
	for c, id := range others {
		if now := n.containerOf(c); now != id && !n.lostLease(c) {
			n.t.Errorf("%s runs in %s, was in %s", c, now, id)
		}
	}
	for unit, since := range before.since {
		if n.activeSince(unit) != since {
			n.t.Errorf("%s was restarted", unit)
		}
	}
	n.MustExec("curl", "-sSf", "--cacert", "/etc/kubernetes/pki/ca.crt",
		"--resolve", fmt.Sprintf("extra.example:6443:%s", n.IP), "https://extra.example:6443/livez")
	if r := n.MustBootstrap("init"); !r.Has("with what this machine was made with, as no --config is given") || !r.Has("Nothing to change: all was so already.") {
		n.t.Errorf("without its config file: %s", r)
	}
	for _, c := range fixed {
		n.t.Run(c.name, func(t *testing.T) { n.In(t).refusesChange(c.config, c.name, c.says) })
	}
}

// lostLease: a component that cannot renew its lease for 10 s, because the API server
// is slow to start, exits by itself.
func (n *Node) lostLease(component string) bool {
	n.t.Helper()
	r := n.Kubectl("logs", "--previous", "-n", "kube-system", component+"-"+n.Name)
	return strings.Contains(strings.ToLower(r.Out+r.Err), "leaderelection lost") // the scheduler's has a capital
}

// refusesChange: exit code 2, what and why is told, and nothing is changed.
func (n *Node) refusesChange(config string, says ...string) {
	n.Write("/tmp/e2e/fixed.yaml", config)
	before := n.quiet()
	r := n.Bootstrap("init", "--config", "/tmp/e2e/fixed.yaml")
	if r.Code != 2 {
		n.t.Errorf("exit code is not 2: %s", r)
	}
	for _, text := range says {
		if !strings.Contains(r.Err, text) {
			n.t.Errorf("not told: %q in %s", text, r)
		}
	}
	n.stillQuiet("the refusal", before)
	n.Healthy(10 * time.Second)
}
