package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPeopleReady: what bootstrap takes, kubeadm takes too, and gives the components the same
// flags; init makes a cluster of it that is ready, a second init changes nothing, and reset gives
// the machine back. Two nodes share the work; a file that needs something on the machine gets a
// node of its own.
func TestPeopleReady(t *testing.T) {
	files := slices.Concat(readPeople(t, "valid-*.yaml"), readPeople(t, "warned-*.yaml"))
	// First those with a node of their own: at no time are there more than two nodes.
	slices.SortStableFunc(files, func(a, b peopleFile) int { return len(b.needs) - len(a.needs) })
	queue := make(chan peopleFile, len(files))
	for _, f := range files {
		queue <- f
	}
	close(queue)
	for _, name := range []string{"A", "B"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			workOff(t, queue)
		})
	}
}

func workOff(t *testing.T, queue <-chan peopleFile) {
	t.Helper()
	var shared *Node
	for f := range queue {
		name := strings.TrimSuffix(f.name, ".yaml")
		if len(f.needs) > 0 {
			t.Run(name, func(t *testing.T) {
				count(t)
				peopleNode(t, 10*time.Minute).takes(f)
			})
			continue
		}
		if shared == nil {
			shared = peopleNode(t, 55*time.Minute)
		}
		if !t.Run(name, func(t *testing.T) { shared.In(t).takes(f) }) {
			shared.down() // it may not be what the next file expects
			shared = nil
		}
	}
}

func peopleNode(t *testing.T, deadline time.Duration) *Node {
	t.Helper()
	n := boot(t, deadline, nodeScript)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Copy(".cache/components/kubeadm/kubeadm", "/usr/local/bin/kubeadm")
	return n
}

func (n *Node) takes(f peopleFile) {
	n.t.Helper()
	n.place(f)
	defer n.withdraw(f)
	n.acceptedBy(f)
	fresh := n.survey()
	if f.compare != "" {
		n.t.Logf("no cluster is made of it: %s", f.compare)
		n.writesManifests(f)
	} else {
		n.becomesReady(f)
	}
	n.MustReset("/root/bootstrap")
	// The names of nodes change there whenever one comes or goes.
	n.SameSurvey("after reset", fresh, append(f.leaves, "/etc/hosts")...)
}

// acceptedBy wants bootstrap and kubeadm to accept the file, and to warn of what they should.
func (n *Node) acceptedBy(f peopleFile) {
	n.t.Helper()
	if r := n.validated(f); r.Code != 0 || f.warned() != r.Has("bootstrap: warning: ") {
		n.t.Errorf("want it valid, and warned of: %t: %s", f.warned(), r)
	}
	dry := n.kubeadmDryRun(f)
	n.must(dry)
	for _, p := range f.proofs {
		r := dry
		if p.program != "kubeadm init" {
			r = provers[p.program](n, f)
		}
		if !p.says(r) {
			n.t.Errorf("%s does not say %q: %s", p.program, p.words, r)
		}
	}
}

func (n *Node) becomesReady(f peopleFile) {
	n.t.Helper()
	if f.images {
		n.nameImages(f)
	}
	n.MustBootstrap("init", "--config", f.path())
	n.Eventually(time.Minute, "ready cluster", func() error { return n.readyBut(f.pending) })
	n.sameFlags(f)
	if r := n.MustBootstrap("init", "--config", f.path()); !r.Has("Nothing to change") {
		n.t.Errorf("init again: %s", r)
	}
}

// writesManifests runs the phases that write them. There is no kubelet yet who would run them.
func (n *Node) writesManifests(f peopleFile) {
	n.t.Helper()
	for _, phase := range []string{"certs", "kubeconfig", "etcd", "control-plane"} {
		n.MustBootstrap("init", "phase", phase, "--config", f.path())
	}
	n.sameFlags(f)
}

type nodeList struct{ Items []node }

// readyBut says what of the cluster is not ready, pods left out whose names begin so.
func (n *Node) readyBut(pending map[string]string) error {
	n.t.Helper()
	nodes, err := get[nodeList](n, "nodes")
	if err != nil {
		return err
	}
	if len(nodes.Items) != 1 {
		return fmt.Errorf("%d nodes", len(nodes.Items))
	}
	if err := isTrue(nodes.Items[0].Status.Conditions, "Ready"); err != nil {
		return err
	}
	pods, err := get[podList](n, "pods", "-n", "kube-system")
	if err != nil {
		return err
	}
	if len(pods.Items) < 4 {
		return fmt.Errorf("%d pods", len(pods.Items))
	}
	for _, p := range pods.Items {
		waits := func(prefix string) bool { return strings.HasPrefix(p.Metadata.Name, prefix) }
		if slices.ContainsFunc(slices.Collect(maps.Keys(pending)), waits) {
			continue
		}
		if err := p.ready(); err != nil {
			return err
		}
	}
	return nil
}

// nameImages has the runtime hold the bundle's images under the names that the file asks for, as
// those registries would give them.
func (n *Node) nameImages(f peopleFile) {
	n.t.Helper()
	for _, phase := range []string{"runtime", "images", "addon-images"} {
		n.MustBootstrap("init", "phase", phase)
	}
	n.MustSh(`for image in $(/root/bootstrap config images --config ` + f.path() + ` 2>/dev/null); do
		name=${image##*/}
		have=$(ctr -n k8s.io images ls -q | grep "/${name%:*}:" | head -n 1)
		[ "$have" = "$image" ] || ctr -n k8s.io images tag "$have" "$image" >/dev/null
	done`)
}

// otherFlags are those of kubeadm's that bootstrap gives another value by design.
var otherFlags = map[string][]string{
	"kube-controller-manager": {"cluster-signing-cert-file"}, // the CA that signs, apart from those that are trusted
}

// sameFlags compares the manifests with those of kubeadm's dry run: a flag that kubeadm gives has the
// same meaning here. bootstrap may give more. Of an external etcd there is no manifest.
func (n *Node) sameFlags(f peopleFile) {
	n.t.Helper()
	manifests := strings.Fields(n.Sh("cd " + dryDir + "; ls etcd.yaml kube-*.yaml").Out)
	if len(manifests) < 3 {
		n.t.Fatalf("kubeadm has written %v only", manifests)
	}
	for _, manifest := range manifests {
		component := strings.TrimSuffix(manifest, ".yaml")
		ours := flagValues(n.command(filepath.Join("/etc/kubernetes/manifests", manifest)))
		for name, want := range flagValues(n.command(filepath.Join(dryDir, manifest))) {
			if !slices.Equal(ours[name], want) && !slices.Contains(otherFlags[component], name) {
				n.t.Errorf("%s: %s: --%s is %q, and kubeadm's %q", f.name, component, name, ours[name], want)
			}
		}
	}
}

// flagValues are the values of each flag, in order, in one spelling.
func flagValues(command []string) map[string][]string {
	values := map[string][]string{}
	for _, arg := range command[1:] {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		name = strings.ReplaceAll(name, "_", "-") // as Kubernetes' components read it
		values[name] = append(values[name], oneSpelling(value))
	}
	return values
}

// oneSpelling gives addresses and ranges, also in a list, one spelling. Loopback is loopback: kubeadm
// takes 127.0.0.1 in a cluster of IPv6 too.
func oneSpelling(value string) string {
	parts := strings.Split(value, ",")
	for i, part := range parts {
		if a, err := netip.ParseAddr(part); err == nil {
			parts[i] = a.String()
			if a.IsLoopback() {
				parts[i] = "loopback"
			}
		}
		if p, err := netip.ParsePrefix(part); err == nil {
			parts[i] = p.Masked().String()
		}
	}
	return strings.Join(parts, ",")
}
