package kill

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const lockFile = "/run/bootstrap.lock"

// point is one call of a stage and what is done to it.
type point struct {
	*stage
	index int
	what  string
}

func (p point) String() string {
	return fmt.Sprintf("%s: %s at call %d, %s", p.name, p.what, p.index, p.calls[p.index])
}

// tries is how often a point is aimed at: goroutines change threads at will, and then
// strace counts another call.
const tries = 500

// strike runs the stage's command, struck at the point. The root is the caller's to
// remove.
func (l *lab) strike(p point) (root string, got outcome, err error) {
	inject := injection{call: p.calls[p.index], what: p.what}
	for range tries {
		if root, err = l.machine(p.start); err != nil {
			return "", got, err
		}
		if got, err = trace(root, l.line(root, p.command), inject); err != nil {
			return "", got, err
		}
		var at int
		at, err = hit(got.calls, p.calls)
		if at == p.index && got.injected <= 1 { // each thread that comes so far is struck
			return root, got, nil
		}
		os.RemoveAll(root)
		inject.nth = p.aim(at, got)
	}
	return "", got, errors.Join(fmt.Errorf("not hit in %d tries", tries), err)
}

// aim is the count to try next. A run that went past the point shows where it lay in
// its threads.
func (p point) aim(at int, got outcome) int {
	if (at < 0 || at > p.index) && p.index < len(got.calls) {
		return got.calls[p.index].nth
	}
	return p.calls[p.index].nth
}

// judge says what is wrong after a strike.
func (l *lab) judge(p point) []string {
	root, got, err := l.strike(p)
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(root)
	struck, err := readTree(root)
	if err != nil {
		return []string{err.Error()}
	}
	found := struck.oldOrNew(p.start, p.last)
	if strings.HasPrefix(p.what, "signal=") {
		found = append(found, wantKilled(got)...)
	} else {
		found = append(found, p.checkError(got, struck)...)
	}
	if !p.isReset() {
		found = append(found, l.checkReset(p, struck)...)
	}
	return append(found, l.checkAgain(p, root)...)
}

func wantKilled(got outcome) []string {
	if got.code != -1 {
		return []string{fmt.Sprintf("was not killed, exit code %d", got.code)}
	}
	return nil
}

// checkReset: what is struck can also be undone at once, on a copy of it.
func (l *lab) checkReset(p point, struck tree) []string {
	root, err := l.machine(struck)
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(root)
	return prefix("reset instead of running again: ", l.undo(root, p.machine))
}

// undo resets the machine at root, which must be as before after it.
func (l *lab) undo(root string, before tree) []string {
	got, err := execute(l.line(root, reset()))
	if err != nil {
		return []string{err.Error()}
	}
	after, err := readTree(root)
	if err != nil {
		return []string{err.Error()}
	}
	found := after.exactly(before)
	if got.code != 0 && !leftAlone(got, before) {
		found = append(found, fmt.Sprintf("exit code %d: %s", got.code, got.stdout+got.stderr))
	}
	return found
}

// leftAlone: where there is no ledger (yet, or any more), a machine with files of a
// cluster that others made is refused.
func leftAlone(got outcome, before tree) bool {
	_, others := before["/etc/kubernetes"]
	return others && got.code == 2 && strings.Contains(got.stderr, "there is no ledger")
}

// checkAgain: the command run again, and the later ones, end as if nothing had been.
func (l *lab) checkAgain(p point, root string) []string {
	if p.isReset() {
		return prefix("again: ", l.undo(root, p.machine))
	}
	for _, args := range append([][]string{p.command}, p.later...) {
		if err := l.must(root, args); err != nil {
			return []string{"again: " + err.Error()}
		}
	}
	if err := l.must(root, []string{"ledger"}); err != nil {
		return []string{"again: " + err.Error()}
	}
	after, err := readTree(root)
	if err != nil {
		return []string{err.Error()}
	}
	found := prefix("again: ", after.converged(p.start, p.last))
	return append(found, prefix("again, then reset: ", l.undo(root, p.machine))...)
}

func prefix(with string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, with+line)
	}
	return all
}

// judgeAll judges a list, two at a time: judge says what is wrong with one.
func judgeAll[T fmt.Stringer](t *testing.T, list []T, judge func(T) []string) tally {
	queue := make(chan T)
	var workers sync.WaitGroup
	var passed atomic.Int64
	for range 2 {
		workers.Go(func() {
			for each := range queue {
				if found := judge(each); len(found) > 0 {
					t.Errorf("%s:\n  %s", each, strings.Join(found, "\n  "))
				} else {
					passed.Add(1)
				}
			}
		})
	}
	for _, each := range list {
		queue <- each
	}
	close(queue)
	workers.Wait()
	return tally{int(passed.Load()), len(list)}
}
