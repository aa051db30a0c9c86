package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// change is an effect, planned or made.
type change struct{ Op, Verb, Target string }

func (c change) String() string { return c.Op + " " + c.Verb + " " + c.Target }

// outcome is what a run with -o json tells.
type outcome struct {
	changes []string // sorted: phases may run side by side
	result  struct {
		OK      bool
		DryRun  bool
		Changes int
		Clean   bool
	}
}

// events decodes a run with -o json: one object a line, the result last.
func (n *Node) events(r Result) outcome {
	n.t.Helper()
	var o outcome
	last := ""
	for line := range strings.Lines(n.must(r)) {
		var e struct {
			Event  string
			Change change
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			n.t.Fatalf("%q is no event: %v", line, err)
		}
		if last = e.Event; last == "change" {
			o.changes = append(o.changes, e.Change.String())
		}
		if last == "result" {
			if err := json.Unmarshal([]byte(line), &o.result); err != nil {
				n.t.Fatalf("%q is no result: %v", line, err)
			}
		}
	}
	if last != "result" || !o.result.OK || o.result.Changes != len(o.changes) {
		n.t.Errorf("the last event is %s, the result %+v, and %d changes are listed: %s", last, o.result, len(o.changes), r)
	}
	slices.Sort(o.changes)
	return o
}

// samePlan fails when a plan is not what was then done.
func (n *Node) samePlan(plan, run outcome) {
	n.t.Helper()
	if !plan.result.DryRun || run.result.DryRun {
		n.t.Errorf("dryRun is %t in the plan's result and %t in the run's", plan.result.DryRun, run.result.DryRun)
	}
	if len(run.changes) < 30 {
		n.t.Errorf("only %d changes are listed: %v", len(run.changes), run.changes)
	}
	if slices.Equal(plan.changes, run.changes) {
		return
	}
	n.t.Errorf("- planned, + done:\n%s", strings.Join(diffLines(strings.Join(plan.changes, "\n"), strings.Join(run.changes, "\n")), "\n"))
}

// TestPlan: --dry-run lists what the run then does, takes no rights, and writes
// nothing.
func TestPlan(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	// A copy: /root is closed to others.
	n.MustSh("cp /root/bootstrap /opt/bootstrap; chmod 755 /opt/bootstrap")
	asNobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/opt/bootstrap"}
	fresh := n.survey()

	plan := n.events(n.Exec(append(asNobody, "init", "--dry-run", "-o", "json")...))
	n.SameSurvey("after init --dry-run", fresh)
	text := n.Exec(append(asNobody, "init", "--dry-run")...)
	for _, part := range []string{"/etc/kubernetes/manifests/etcd.yaml", "+  hostNetwork: true", "kubelet.service"} {
		if !text.Has(part) {
			t.Errorf("init --dry-run shows no %q: %s", part, text)
		}
	}
	n.SameSurvey("after init --dry-run as text", fresh)
	n.samePlan(plan, n.events(n.Bootstrap("init", "-o", "json")))
	n.Healthy(30 * time.Second)

	before := n.quiet()
	if again := n.events(n.Bootstrap("init", "--dry-run", "-o", "json")); len(again.changes) > 0 {
		t.Errorf("after init, init --dry-run would change %v", again.changes)
	}
	if again := n.MustBootstrap("init", "--dry-run"); !again.Has("Nothing would be changed") {
		t.Errorf("after init, init --dry-run does not say so: %s", again)
	}
	plan = n.events(n.Bootstrap("reset", "--dry-run", "-o", "json"))
	n.stillQuiet("dry runs", before)
	run := n.events(n.Bootstrap("reset", "--force", "-o", "json"))
	n.samePlan(plan, run)
	if !run.result.Clean {
		t.Error("the result does not say clean")
	}
	n.SameSurvey("after reset", fresh)
}
