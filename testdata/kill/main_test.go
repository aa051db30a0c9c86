// Package kill strikes bootstrap at every system call that changes a file, by death
// and by errors, and has it go on from there. Machines are directories (--root).
package kill

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var all = flag.Bool("all", false, "strike at every point, not at a selection of them")

var executable = flag.String("bootstrap", "", "the executable to strike at (default: bin/bootstrap)")

// TestOffline is one test: what its parts strike at is recorded once.
func TestOffline(t *testing.T) {
	start := time.Now()
	l := newLab(t)
	stages, sum := l.stages(t)
	t.Run("kill", func(t *testing.T) { sum.add(l.testKill(t, stages)) })
	for _, errno := range []string{"ENOSPC", "EIO", "EDQUOT", "EROFS"} {
		t.Run(errno, func(t *testing.T) { sum.add(l.testError(t, stages, errno)) })
	}
	t.Run("torn-ledger", func(t *testing.T) { sum.add(l.testTorn(t, stages)) })
	t.Run("damaged-ledger", func(t *testing.T) { sum.add(l.testDamaged(t, stages)) })
	if err := sum.write("kill-offline", time.Since(start)); err != nil {
		t.Error(err)
	}
}

func (l *lab) testKill(t *testing.T, stages []*stage) tally {
	var inInit, inReset []point
	for _, p := range points(stages, "signal=KILL") {
		if p.isReset() {
			inReset = append(inReset, p)
		} else {
			inInit = append(inInit, p)
		}
	}
	inInit, inReset = some(inInit, 20), some(inReset, 10)
	sum := judgeAll(t, append(inInit, inReset...), l.judge)
	fmt.Printf("kill: %s (%d in init, %d in reset)\n", sum, len(inInit), len(inReset))
	return sum
}

// rare are errors that are tried at every fifth call only: they take the ways of others.
var rare = map[string]bool{"EDQUOT": true, "EROFS": true}

func (l *lab) testError(t *testing.T, stages []*stage, errno string) tally {
	struck := points(stages, "error="+errno)
	if rare[errno] {
		struck = some(every(5, struck), 3)
	}
	struck = some(struck, 8)
	sum := judgeAll(t, struck, l.judge)
	fmt.Printf("%s: %s\n", errno, sum)
	return sum
}

func points(stages []*stage, what string) []point {
	var list []point
	for _, s := range stages {
		for i := range s.calls {
			list = append(list, point{s, i, what})
		}
	}
	return list
}

// some is all of a list, or about n spread over it.
func some[T any](list []T, n int) []T {
	if *all || len(list) <= n {
		return list
	}
	return every((len(list)+n-1)/n, list)
}

func every[T any](k int, list []T) []T {
	var chosen []T
	for i := k / 2; i < len(list); i += k {
		chosen = append(chosen, list[i])
	}
	return chosen
}

// tally is how many were right, of how many.
type tally struct{ passed, total int }

func (s tally) String() string { return fmt.Sprintf("%d of %d", s.passed, s.total) }

func (s *tally) add(other tally) {
	s.passed += other.passed
	s.total += other.total
}

func (s tally) write(name string, took time.Duration) error {
	fmt.Printf("%s: %s\n", name, s)
	data, err := json.Marshal(map[string]any{
		"name": name, "passed": s.passed, "total": s.total, "seconds": int(took.Seconds() + 0.5),
	})
	if err != nil {
		return err
	}
	results := filepath.Join(checkout(), ".cache/results")
	if err := os.MkdirAll(results, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(results, name+".json"), append(data, '\n'), 0o644)
}
