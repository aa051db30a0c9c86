package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// fault is one folder of testdata/faults: fault.yaml, and the scripts inject and undo,
// which are run in the node.
type fault struct {
	name string

	What   string   // one line, for people
	Cause  string   // the ID in the catalogue that must be named; nobody: none may be
	Node   string   // fresh: a node without a cluster; cluster: a healthy one
	Run    string   // the command that must name it: init, preflight, status
	Config string   // file for --config, empty without
	Args   []string // more flags for it
	Env    []string // NAME=VALUE, for it alone
	Bare   bool     // no runtime and no images may be left by the fault before
	When   string   // inject when this phase starts, not before the command
	V1     bool     // only where cgroups are of version 1
}

// named is what a command said about a fault.
type named struct {
	causes []string      // IDs, in the order they were named
	errors []string      // those of preflight that stop init
	after  time.Duration // from the symptom to the message
	said   string        // the message
	output string
}

// nobody is the cause of what no entry of the catalogue is about: whatever is named is blamed falsely.
const nobody = "none"

// fastFaults are run with every change.
var fastFaults = []string{"apiserver-bad-flag", "etcd-foreign-data", "kubelet-bad-config", "kubelet-stopped", "port-6443-taken", "runc-removed"}

// TestFaults breaks a node in every way that testdata/faults knows, and wants the cause
// named: that one, and no other as certain.
func TestFaults(t *testing.T) {
	all := readFaults(t)
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	chosen := selected(t, names, fastFaults...)
	all = slices.DeleteFunc(all, func(f fault) bool { return !slices.Contains(chosen, f.name) })
	if len(all) != len(chosen) {
		t.Fatalf("%v are to be run, and of these there are %d", chosen, len(all))
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		all = slices.DeleteFunc(all, func(f fault) bool { return f.V1 })
	}
	var figures faultFigures
	t.Run("fresh", func(t *testing.T) { figures.onFreshNode(t, pick(all, "fresh")) })
	t.Run("cluster", func(t *testing.T) { figures.onCluster(t, pick(all, "cluster")) })
	figures.log(t)
}

func readFaults(t *testing.T) []fault {
	t.Helper()
	files, err := filepath.Glob(path("testdata/faults/*/fault.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no faults: %v", err)
	}
	var all []fault
	for _, file := range files {
		f := fault{name: filepath.Base(filepath.Dir(file))}
		data, err := os.ReadFile(file)
		if err == nil {
			err = yaml.UnmarshalStrict(data, &f)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, f)
	}
	return all
}

// pick gives those for one kind of node, those that want it bare first.
func pick(all []fault, node string) []fault {
	some := slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return f.Node != node })
	slices.SortStableFunc(some, func(a, b fault) int {
		switch {
		case a.Bare == b.Bare:
			return 0
		case a.Bare:
			return -1
		}
		return 1
	})
	return some
}

func (figures *faultFigures) onFreshNode(t *testing.T, faults []fault) {
	if len(faults) == 0 {
		return
	}
	n := Up(t, time.Hour)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			n := n.In(t)
			defer func() {
				n.MustSh(f.script(t, "undo"))
				args := []string{"reset", "--force"}
				if i+1 < len(faults) && !faults[i+1].Bare && !f.Bare {
					args = append(args, "--keep-images", "--keep-runtime")
				}
				n.MustBootstrap(args...)
			}()
			figures.judge(t, f, n.runInto(f))
		})
	}
}

func (figures *faultFigures) onCluster(t *testing.T, faults []fault) {
	if len(faults) == 0 {
		return
	}
	n := Up(t, time.Hour)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, script := range []string{"bad-certificate", "edit-configmap"} {
		n.Copy("testdata/faults/"+script, "/root/"+script)
	}
	n.MustBootstrap("init")
	for _, f := range faults {
		ok := t.Run(f.name, func(t *testing.T) {
			n := n.In(t)
			defer func() {
				n.MustSh(f.script(t, "undo"))
				n.MustBootstrap("init", "--timeout", (3 * time.Minute * n.slow).String()) // a kubelet may wait for two of them
				n.Healthy(time.Minute)
				n.namesNothing(90 * time.Second)
			}()
			if f.Run == "status" {
				figures.judge(t, f, n.askInto(f))
			} else {
				figures.judge(t, f, n.runInto(f))
			}
		})
		if !ok && n.Sh("/root/bootstrap status >/dev/null").Code != 0 {
			n.MustBootstrap("reset", "--force")
			n.MustBootstrap("init")
		}
	}
}

// script is nothing to do for a fault that is none.
func (f fault) script(t *testing.T, name string) string {
	t.Helper()
	if f.name == "" {
		return "true"
	}
	data, err := os.ReadFile(path(filepath.Join("testdata/faults", f.name, name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// runInto runs a command that prints events or one object, and breaks the node before
// it, or on its way.
func (n *Node) runInto(f fault) named {
	n.t.Helper()
	if f.When == "" {
		n.MustSh(f.script(n.t, "inject"))
	}
	args := slices.Concat([]string{"exec", n.Name, "env"}, f.Env, []string{"/root/bootstrap", f.Run, "-o", "json"}, f.Args)
	if f.Run == "init" && !slices.Contains(f.Args, "--timeout") {
		args = append(args, "--timeout", (time.Minute * n.slow).String()) // no cause may need so long
	}
	if f.Config != "" {
		n.Write("/tmp/e2e/fault-config.yaml", f.Config)
		args = append(args, "--config", "/tmp/e2e/fault-config.yaml")
	}
	ctx, stop := context.WithCancel(n.ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, path(n.script), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	defer func() { // if the node could not be broken, the next fault must not meet this run
		stop()
		_ = cmd.Wait()
	}()
	w := eventWatch{cause: f.Cause, symptom: time.Now()}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		w.read(lines.Text())
		if f.When != "" && w.phase == f.When && w.event == "started" {
			n.MustSh(f.script(n.t, "inject"))
			w.symptom = time.Now()
		}
	}
	_ = cmd.Wait() // judged by what it said
	w.output += stderr.String()
	return w.named
}

// eventWatch reads what -o json prints.
type eventWatch struct {
	named
	cause        string // the one that is waited for
	symptom      time.Time
	found        bool
	event, phase string
}

// line is any line of -o json, as far as it is of interest here.
type line struct {
	Event, Phase, Message, Cause string
	Errors                       []struct{ Message, Hint, Cause string }
	Findings                     []struct{ ID, Level, What, Remedy string }
}

func (w *eventWatch) read(text string) {
	var l line
	if json.Unmarshal([]byte(text), &l) != nil {
		return
	}
	w.event, w.phase = l.Event, l.Phase
	if l.Event == "started" {
		w.symptom = time.Now() // nobody waits for it before
	}
	if l.Event != "change" {
		w.output += text + "\n"
	}
	var causes []string
	if l.Phase != "preflight" { // its warnings are of this kind of node
		causes = append(causes, l.Cause)
	}
	for _, e := range l.Errors {
		causes = append(causes, e.Cause)
	}
	for _, f := range l.Findings {
		causes = append(causes, f.ID)
		if f.Level == "error" {
			w.errors = append(w.errors, f.ID)
		}
	}
	for _, cause := range causes {
		if cause == "" {
			continue
		}
		w.said = text
		w.causes = append(w.causes, cause)
		if cause == w.cause && !w.found {
			w.found, w.after = true, time.Since(w.symptom)
		}
	}
}

// namesNothing waits until what was is no cause any more: that a container ended counts
// until the next one has run for a while.
func (n *Node) namesNothing(patience time.Duration) {
	n.t.Helper()
	n.Eventually(patience, "no cause is named any more", func() error {
		r := n.Bootstrap("status", "-o", "json")
		var s status
		if err := json.Unmarshal([]byte(r.Out), &s); err != nil {
			return fmt.Errorf("%w: %s", err, r)
		}
		if s.Cause.ID != "" {
			return errors.New(r.String())
		}
		return nil
	})
}

// askInto breaks a cluster and asks for its status until a cause is named.
func (n *Node) askInto(f fault) named {
	n.t.Helper()
	n.MustSh(f.script(n.t, "inject"))
	symptom := time.Now()
	var found named
	patience := time.Minute
	if f.Cause == nobody {
		patience = 45 * time.Second // what is probable may take its time
	}
	for time.Since(symptom) < patience*n.slow {
		r := n.Bootstrap("status", "-o", "json")
		var answer struct {
			Cause *struct{ ID, What string }
		}
		if err := json.Unmarshal([]byte(r.Out), &answer); err != nil {
			n.t.Fatalf("%v: %s", err, r)
		}
		found.output = r.Out + r.Err
		if answer.Cause != nil && answer.Cause.ID != "" {
			found.causes, found.after = append(found.causes, answer.Cause.ID), time.Since(symptom)
			found.said = answer.Cause.What
			return found
		}
		time.Sleep(250 * time.Millisecond)
	}
	return found
}

// faultFigures are what was seen of each fault.
type faultFigures struct {
	lines []string
	after []time.Duration
	right int
}

func (figures *faultFigures) judge(t *testing.T, f fault, got named) {
	t.Helper()
	right := slices.Contains(got.causes, f.Cause)
	if f.Cause == nobody {
		right = len(got.causes) == 0
	} else if f.Run == "preflight" {
		right = right && !slices.ContainsFunc(got.errors, func(id string) bool { return id != f.Cause })
	} else if right {
		right = got.causes[len(got.causes)-1] == f.Cause // others may have been probable for a while
	}
	figures.lines = append(figures.lines, fmt.Sprintf("%-36s %-32s %-5t %5.1f s", f.name, strings.Join(got.causes, ","), right, got.after.Seconds()))
	if !right {
		t.Errorf("want %s, named were %v: %s\n%s", f.Cause, got.causes, f.What, got.output)
		return
	}
	figures.right++
	if f.Cause != nobody {
		t.Log(got.said)
		figures.after = append(figures.after, got.after)
	}
}

func (figures *faultFigures) log(t *testing.T) {
	t.Helper()
	t.Logf("%-36s %-32s right  after\n%s", "fault", "named", strings.Join(figures.lines, "\n"))
	if len(figures.after) == 0 {
		return
	}
	slices.Sort(figures.after)
	t.Logf("causes named right: %d of %d; from symptom to message: median %.1f s, worst %.1f s", figures.right, len(figures.lines),
		figures.after[len(figures.after)/2].Seconds(), figures.after[len(figures.after)-1].Seconds())
}
