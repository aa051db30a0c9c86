// Package e2e drives the built executables on real nodes: systemd, containerd,
// kubelet, etcd and API server, nothing mocked. Nodes are reached through
// scripts/node only, and clusters are judged by kubectl, never by product code.
package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What the tests need, and how it is built.
var needed = map[string]string{
	"bin/bootstrap":                        "make build",
	"bin/bootstrap-box":                    "make box",
	".cache/bundle.tar.zst":                "make bundle",
	".cache/components/containerd/ctr":     "make bundle",
	".cache/components/etcd/etcd":          "make bundle",
	".cache/components/runc/runc":          "make bundle",
	".cache/components/cni/bridge":         "make bundle",
	".cache/components/kubernetes/kubectl": "make bundle",
	".cache/components/kubernetes/kubelet": "make bundle",
}

// checkout is the folder of go.mod.
var checkout = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}()

func path(name string) string { return filepath.Join(checkout, name) }

// Without -all a test runs a selection that is fast enough for every change.
var (
	runAll     = flag.Bool("all", false, "run everything, not a fast selection")
	resultName = flag.String("name", "e2e", "what the result is called, in .cache/results too")
	inGuest    = flag.Bool("in-guest", false, "this machine is the guest of TestVMTry: slow, and what is needed was copied")
)

// selected gives the fast selection, or with -all everything, and logs which.
func selected[T any](t *testing.T, everything []T, fast ...T) []T {
	t.Helper()
	if *runAll {
		t.Logf("all %d selected", len(everything))
		return everything
	}
	t.Logf("%d of %d selected (-all runs all): %v", len(fast), len(everything), fast)
	return fast
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *inGuest {
		needed = nil
	}
	missing := false
	for file, target := range needed {
		if _, err := os.Stat(path(file)); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: no %s: run `%s` first\n", file, target)
			missing = true
		}
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e: not root, and nodes need it")
		missing = true
	}
	if missing {
		os.Exit(1)
	}
	if err := prepare(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(1)
	}
	if err := downLeftOver(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(1)
	}
	go downWhenInterrupted()
	start := time.Now()
	code := m.Run()
	if err := tally.write(time.Since(start)); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// prepare builds what is put into the nodes, and tells scripts/node how slow the machine is.
func prepare() error {
	if *inGuest {
		return os.Setenv("NODE_SLOW", strconv.Itoa(int(slowness())))
	}
	return buildSurvey()
}

// slowness is how much longer than on a plain machine things take on this one.
func slowness() time.Duration {
	if *inGuest {
		return emulated
	}
	return 1
}

// downWhenInterrupted takes down the machines of the tests: their cleanups do not run then.
func downWhenInterrupted() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	booting.Lock()
	names := []string{"down"}
	for number := range numbers.Load() {
		names = append(names, nodeName(number+1))
	}
	for _, script := range []string{"scripts/node", "scripts/vm"} {
		if out, err := exec.Command(path(script), names...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %s: %v: %s\n", script, err, out)
		}
	}
	os.Exit(1)
}

// ofTests is a machine's name, with the process of its tests.
var ofTests = regexp.MustCompile(`(?m)^e2e-(\d+)-\d+`)

// downLeftOver takes down the machines of tests that were killed or timed out: no cleanup
// ran then, and they would run beside these.
func downLeftOver() error {
	for _, script := range []string{"scripts/node", "scripts/vm"} {
		list, err := exec.Command(path(script), "list").Output()
		if err != nil {
			return fmt.Errorf("%s list: %w", script, err)
		}
		for _, m := range ofTests.FindAllStringSubmatch(string(list), -1) {
			if _, err := os.Stat("/proc/" + m[1]); err == nil {
				continue
			}
			if out, err := exec.Command(path(script), "down", m[0]).CombinedOutput(); err != nil {
				return fmt.Errorf("%s down %s: %w: %s", script, m[0], err, out)
			}
		}
	}
	return nil
}

// tally counts what ran: tests, and subtests on a node that they share.
var tally counter

type counter struct {
	mu            sync.Mutex
	passed, total int
}

// count makes a test or subtest one of the N in "N of N".
func count(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		tally.mu.Lock()
		defer tally.mu.Unlock()
		tally.total++
		if !t.Failed() {
			tally.passed++
		}
	})
}

func (c *counter) write(took time.Duration) error {
	fmt.Printf("%s: %d of %d\n", *resultName, c.passed, c.total)
	data, err := json.Marshal(map[string]any{
		"name": *resultName, "passed": c.passed, "total": c.total, "seconds": int(took.Seconds() + 0.5),
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path(".cache/results"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path(".cache/results/"+*resultName+".json"), append(data, '\n'), 0o644)
}

// TestNothingLeft: tests that are ended leave no node behind.
func TestNothingLeft(t *testing.T) {
	count(t)
	tests := exec.Command(os.Args[0], "-test.run=^TestInitFromBox$")
	if err := tests.Start(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("e2e-%d-1", tests.Process.Pid)
	for end := time.Now().Add(time.Minute); !listed(t, name); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("no node came up")
			break
		}
	}
	if err := tests.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = tests.Wait() // that they failed is no news
	if listed(t, name) {
		t.Errorf("%s is left", name)
	}
}

// listed tells whether there is such a node.
func listed(t *testing.T, name string) bool {
	t.Helper()
	out, err := exec.Command(path("scripts/node"), "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), name)
}
