package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPhaseByPhase: the phases by hand make what init makes. Manifests hold the
// node's name and address, so both run on one node, with a reset in between.
func TestPhaseByPhase(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")

	n.MustBootstrap("init")
	want := n.made()
	n.MustBootstrap("reset", "--force")

	for _, phase := range n.phaseList() {
		n.MustBootstrap("init", "phase", phase)
	}
	n.SameTree("phase by phase differs from init", want, n.made())
	n.Healthy(time.Minute)
	n.checkNode()
}

// phaseList is what init --help says of its phases.
func (n *Node) phaseList() []string {
	n.t.Helper()
	help := n.MustBootstrap("init", "--help").Out
	_, list, _ := strings.Cut(help, "Phases:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+) `).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		n.t.Fatalf("phases %v in\n%s", names, help)
	}
	return names
}

// made is what init writes: the modes and owners of all, the contents of all but
// what is random by nature.
func (n *Node) made() tree {
	n.t.Helper()
	random := regexp.MustCompile(`^/etc/kubernetes/(pki/.*\.(crt|key|pub)|[a-z-]+\.conf)$`)
	sum := regexp.MustCompile(`[0-9a-f]{64}$`)
	made := tree{}
	for _, dir := range []string{"/etc", "/usr/local", "/opt", "/var/lib/kubelet/config.yaml"} {
		for name, facts := range n.Tree(dir) {
			if random.MatchString(name) {
				facts = sum.ReplaceAllString(facts, "random")
			}
			made[name] = facts
		}
	}
	return made
}
