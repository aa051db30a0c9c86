// Package e2e drives the built executables on real nodes: systemd, containerd,
// kubelet, etcd and API server, nothing mocked. Nodes are reached through
// scripts/node only, and clusters are judged by kubectl, never by product code.
package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
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
	if err := buildSurvey(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		os.Exit(1)
	}
	start := time.Now()
	code := m.Run()
	if err := tally.write(time.Since(start)); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		code = 1
	}
	os.Exit(code)
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
