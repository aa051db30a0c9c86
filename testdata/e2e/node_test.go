package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Node is a throw-away machine.
type Node struct {
	Name string
	IP   string

	script string        // of the checkout, that makes machines of its kind
	slow   time.Duration // how much longer things may take than on a node of scripts/node

	t   *testing.T
	ctx context.Context
	log *lastRun
}

// lastRun is the last run of bootstrap on a node, for the log of a failed test.
type lastRun struct {
	Result
	dumped bool
}

var (
	numbers atomic.Int32
	booting sync.RWMutex // once the tests are interrupted, none boots any more
)

func nodeName(number int32) string { return fmt.Sprintf("e2e-%d-%d", os.Getpid(), number) }

// Up boots a fresh node that the end of the test removes. All that is done to it
// must end within the deadline.
func Up(t *testing.T, deadline time.Duration) *Node {
	t.Helper()
	return up(t, deadline*slowness(), nodeScript)
}

// nodeScript makes containers, which share this machine's kernel.
const nodeScript = "scripts/node"

// up boots a machine of the script's kind for a test that is one of those counted.
func up(t *testing.T, deadline time.Duration, script string, args ...string) *Node {
	t.Helper()
	count(t)
	return boot(t, deadline, script, args...)
}

// boot boots a machine of the script's kind. Where only the subtests on it count, it is
// called by itself.
func boot(t *testing.T, deadline time.Duration, script string, args ...string) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	n := &Node{Name: nodeName(numbers.Add(1)), script: script, slow: slowness(), t: t, ctx: ctx, log: &lastRun{}}
	t.Cleanup(func() {
		cancel()
		n.down()
	})
	booting.RLock()
	r := n.run(append([]string{"up", n.Name}, args...)...)
	booting.RUnlock()
	if r.Code != 0 {
		t.Fatalf("node does not come up: %s", r)
	}
	n.IP = strings.TrimSpace(n.run("ip", n.Name).Out)
	n.Copy(surveyProgram, "/root/survey")
	return n
}

// In is the same node in a subtest.
func (n *Node) In(t *testing.T) *Node {
	t.Helper()
	count(t)
	other := *n
	other.t = t
	t.Cleanup(func() {
		if t.Failed() {
			other.dump()
		}
	})
	return &other
}

// down needs no deadline of the test's, which may have passed.
func (n *Node) down() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute*slowness())
	defer cancel()
	last := *n
	last.ctx = ctx
	if n.t.Failed() {
		last.dump()
	}
	if r := last.run("down", n.Name); r.Code != 0 {
		n.t.Errorf("node is not removed: %s", r)
	}
}

// dump logs what explains a failure, once.
func (n *Node) dump() {
	if n.log.dumped {
		return
	}
	n.log.dumped = true
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second*slowness())
	defer cancel()
	last := *n
	last.ctx = ctx
	n.t.Logf("last run of bootstrap: %s", n.log.Result)
	n.t.Logf("pods:\n%s", last.Exec("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--cache-dir=/tmp/kubectl", "--request-timeout=5s", "get", "pods", "-A", "-o", "wide"))
	n.t.Logf("journal:\n%s", last.Sh("journalctl --no-pager -o cat -u kubelet -u containerd -n 400 | grep -v -e 'not registered yet' -e 'epoll wait' | tail -n 60 | cut -c 1-300").Out)
}

// Result is what a command printed and returned.
type Result struct {
	Command string
	Out     string
	Err     string
	Code    int
}

func (r Result) String() string {
	return fmt.Sprintf("%s: exit code %d\n%s%s", r.Command, r.Code, r.Out, r.Err)
}

// Has tells whether the output holds the text.
func (r Result) Has(text string) bool { return strings.Contains(r.Out+r.Err, text) }

// run runs the script of the node's kind.
func (n *Node) run(args ...string) Result { return n.runInput(nil, args...) }

func (n *Node) runInput(input []byte, args ...string) Result {
	n.t.Helper()
	cmd := exec.CommandContext(n.ctx, path(n.script), args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return finish(n.t, cmd, strings.Join(args, " "))
}

func finish(t *testing.T, cmd *exec.Cmd, name string) Result {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	r := Result{Command: name, Out: out.String(), Err: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", r, err)
	}
	return r
}

// Exec runs a command in the node.
func (n *Node) Exec(args ...string) Result {
	n.t.Helper()
	return n.run(append([]string{"exec", n.Name}, args...)...)
}

// Sh runs a shell script in the node.
func (n *Node) Sh(script string) Result {
	n.t.Helper()
	return n.Exec("bash", "-ec", script)
}

// MustExec is Exec, and the exit code is 0.
func (n *Node) MustExec(args ...string) string {
	n.t.Helper()
	return n.must(n.Exec(args...))
}

// MustSh is Sh, and the exit code is 0.
func (n *Node) MustSh(script string) string {
	n.t.Helper()
	return n.must(n.Sh(script))
}

func (n *Node) must(r Result) string {
	n.t.Helper()
	if r.Code != 0 {
		n.t.Fatal(r)
	}
	return r.Out
}

// Copy copies a file of the checkout (or with an absolute path) into the node.
func (n *Node) Copy(src, dst string) {
	n.t.Helper()
	if !filepath.IsAbs(src) {
		src = path(src)
	}
	n.must(n.run("cp", src, n.Name+":"+dst))
}

// Write makes a file in the node.
func (n *Node) Write(dst, content string) {
	n.t.Helper()
	n.must(n.runInput([]byte(content), "exec", n.Name, "sh", "-ec", `mkdir -p "$(dirname "$1")"; cat >"$1"`, "_", dst))
}

// Reboot shuts the node down and boots it again.
func (n *Node) Reboot() {
	n.t.Helper()
	n.must(n.run("reboot", n.Name))
}

// Bootstrap runs /root/bootstrap in the node.
func (n *Node) Bootstrap(args ...string) Result {
	n.t.Helper()
	n.log.Result = n.Exec(append([]string{"/root/bootstrap"}, args...)...)
	return n.log.Result
}

// MustBootstrap is Bootstrap, and the exit code is 0.
func (n *Node) MustBootstrap(args ...string) Result {
	n.t.Helper()
	r := n.Bootstrap(args...)
	n.must(r)
	return r
}

// Eventually polls until f returns nil, and fails with its last reason.
func (n *Node) Eventually(deadline time.Duration, what string, f func() error) {
	n.t.Helper()
	deadline *= n.slow
	end := time.Now().Add(deadline)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) || n.ctx.Err() != nil {
			n.t.Fatalf("%s: not within %s: %v", what, deadline, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Kubectl runs kubectl in the node as admin.
func (n *Node) Kubectl(args ...string) Result {
	n.t.Helper()
	// The cache stays out of root's home: reset is measured by what it leaves.
	return n.Exec(append([]string{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--cache-dir=/tmp/kubectl", "--request-timeout=20s"}, args...)...)
}

// MustKubectl is Kubectl, and the exit code is 0.
func (n *Node) MustKubectl(args ...string) string {
	n.t.Helper()
	return n.must(n.Kubectl(args...))
}

// get decodes what `kubectl get` gives.
func get[T any](n *Node, args ...string) (T, error) {
	n.t.Helper()
	var object T
	r := n.Kubectl(append([]string{"get", "-o", "json"}, args...)...)
	if r.Code != 0 {
		return object, errors.New(r.String())
	}
	return object, json.Unmarshal([]byte(r.Out), &object)
}

func mustGet[T any](n *Node, args ...string) T {
	n.t.Helper()
	object, err := get[T](n, args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return object
}

func (r Result) err() error {
	if r.Code == 0 {
		return nil
	}
	return errors.New(r.String())
}
