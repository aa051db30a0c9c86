package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// moment is when a run is killed.
type moment struct {
	part float64 // of the time that an undisturbed run takes
	text string  // or as soon as this is printed
}

func (m moment) String() string {
	if m.text != "" {
		return strings.Join(strings.Fields(m.text), "_")
	}
	return fmt.Sprintf("%.1f%%", m.part*100)
}

// evenly spreads n moments over a run.
func evenly(n int) []moment {
	var list []moment
	for i := range n {
		list = append(list, moment{part: (float64(i) + 0.5) / float64(n)})
	}
	return list
}

// point is one cycle: init is killed and run again, then reset is.
type point struct{ init, reset moment }

func (p point) String() string { return p.init.String() + "/" + p.reset.String() }

// killPoints are the moments of a timed spread, and those at which a phase ends.
func killPoints() []point {
	inits := evenly(24)
	for _, phase := range []string{"preflight", "certs", "runtime", "kubeconfig", "images", "kubelet", "etcd", "kubelet-start", "control-plane"} {
		inits = append(inits, moment{text: fmt.Sprintf("%-20s done", phase)})
	}
	resets := evenly(len(inits))
	var list []point
	for i := range inits {
		// 5 is prime to the number of points: each init meets another part of reset.
		list = append(list, point{inits[i], resets[i*5%len(resets)]})
	}
	return list
}

// TestKill kills init and reset with SIGKILL at many moments. Run again, init ends
// healthy with the files of an undisturbed run, and reset gives back the machine.
func TestKill(t *testing.T) {
	points := killPoints()
	k := newKills(t)
	t.Run("Undisturbed", func(t *testing.T) { k.undisturbed(k.n.In(t)) })
	for _, p := range selected(t, points, points[14], points[30]) {
		if k.failed {
			k = k.onFreshNode(t)
		}
		okInit := t.Run("Init/"+p.init.String(), func(t *testing.T) { k.killInit(k.n.In(t), p.init) })
		okReset := t.Run("Reset/"+p.reset.String(), func(t *testing.T) { k.killReset(k.n.In(t), p.reset) })
		k.failed = !okInit || !okReset
	}
}

// kills is what the points compare with.
type kills struct {
	n           *Node
	before      survey
	made        tree
	init, reset time.Duration // that undisturbed runs take
	failed      bool          // the last point did: the node is not what it should be
}

func newKills(t *testing.T) *kills {
	k := &kills{n: Up(t, 60*time.Minute)}
	k.n.Copy("bin/bootstrap-box", "/root/bootstrap")
	k.before = k.n.survey()
	return k
}

// onFreshNode goes on after a failure. What is made holds the node's name and
// address, so it is made again.
func (k *kills) onFreshNode(t *testing.T) *kills {
	k.n.down()
	fresh := newKills(t)
	fresh.undisturbed(fresh.n)
	return fresh
}

func (k *kills) undisturbed(n *Node) {
	n.t.Helper()
	start := time.Now()
	n.MustBootstrap("init")
	k.init = time.Since(start)
	n.Healthy(30 * time.Second)
	k.made = n.made()
	start = time.Now()
	n.MustReset("/root/bootstrap")
	k.reset = time.Since(start)
	n.SameSurvey("after reset", k.before)
	n.t.Logf("init takes %s, reset %s", k.init.Round(time.Millisecond), k.reset.Round(time.Millisecond))
}

func (k *kills) killInit(n *Node, m moment) {
	for !n.killed(m, k.init, "init") {
		m.part *= 0.8
		n.t.Logf("init ended before it was killed; again at %s", m)
		n.MustReset("/root/bootstrap")
	}
	n.MustBootstrap("init")
	n.Healthy(time.Minute)
	n.SameTree("init differs from an undisturbed one", k.made, n.made())
	n.converged()
}

func (k *kills) killReset(n *Node, m moment) {
	for !n.killed(m, k.reset, "reset", "--force") {
		m.part *= 0.8
		n.t.Logf("reset ended before it was killed; again at %s", m)
		n.MustBootstrap("init")
	}
	// Killed after its last effect, it leaves nothing to undo.
	if r := n.Bootstrap("reset", "--force"); r.Code != 0 || !strings.Contains(r.Out, "clean: ") && !strings.Contains(r.Out, "Nothing to undo: ") {
		n.t.Fatalf("not clean: %s", r)
	}
	n.SameSurvey("after reset", k.before)
}

// killAt runs bootstrap with $3... and kills it after $1 seconds, or as soon as it
// has printed $2. Its end is the last line.
const killAt = `
mkdir -p /tmp/e2e
after=$1 text=$2; shift 2
/root/bootstrap "$@" >/tmp/e2e/out 2>&1 & pid=$!
if [[ -n $text ]]; then
	until grep -qF "$text" /tmp/e2e/out || ! kill -0 $pid 2>/dev/null; do sleep 0.005; done
else
	sleep "$after"
fi
kill -9 $pid 2>/dev/null || true
code=0; wait $pid 2>/dev/null || code=$?
cat /tmp/e2e/out; rm -r /tmp/e2e
echo "killed: $code"
`

// killed is false when bootstrap had ended by itself.
func (n *Node) killed(m moment, whole time.Duration, args ...string) bool {
	n.t.Helper()
	after := strconv.FormatFloat(m.part*whole.Seconds(), 'f', 3, 64)
	r := n.Exec(append([]string{"bash", "-c", killAt, "_", after, m.text}, args...)...)
	n.log.Result = r
	n.t.Logf("the run that was killed:\n%s", r.Out)
	_, code, _ := strings.Cut("\n"+r.Out, "\nkilled: ")
	code, _, _ = strings.Cut(code, "\n") // bash may say so too, later
	switch code {
	case "137":
		return true
	case "0":
		if m.text == "" {
			return false
		}
	}
	n.t.Fatalf("it was not killed: %s", r)
	return false
}

// converged: nothing of the run that was killed is left beside what is there now.
func (n *Node) converged() {
	n.t.Helper()
	before := n.runs()
	for _, c := range components {
		n.pid(c) // exactly one
	}
	want := len(components) + len(addons)
	if pauses := strings.Fields(n.MustExec("pgrep", "-x", "pause")); len(pauses) != want {
		n.t.Errorf("%d sandboxes run, want %d", len(pauses), want)
	}
	n.noTornFiles()
	if now := n.runs(); now != before {
		n.t.Errorf("containers do not stay as they are:\n%swere\n%s", now, before)
	}
}

// runs lists what the API server says of the components' containers.
func (n *Node) runs() string {
	n.t.Helper()
	var b strings.Builder
	for _, p := range mustGet[podList](n, "pods", "-n", "kube-system").Items {
		for _, c := range p.Status.ContainerStatuses {
			fmt.Fprintf(&b, "%s %s restarts %d\n", p.Metadata.Name, c.ContainerID, c.RestartCount)
		}
	}
	return b.String()
}

// noTornFiles: what has random content, and is not compared, is whole.
func (n *Node) noTornFiles() {
	n.t.Helper()
	torn := n.MustSh(`
		find /etc/kubernetes /etc/systemd /etc/containerd /etc/cni /var/lib/kubelet/config.yaml -type f -size 0
		find /etc/kubernetes/pki -type f -exec grep -L -e '^-----END' {} + || true
		grep -L client-key-data /etc/kubernetes/*.conf || true`)
	if torn != "" {
		n.t.Errorf("torn files:\n%s", torn)
	}
}
