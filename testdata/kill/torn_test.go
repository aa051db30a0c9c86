package kill

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// torn is a machine whose ledger ends too early.
type torn struct {
	*stage
	name     string
	tree     tree // with the whole ledger
	size     int  // of what is left of it
	commands [][]string
	resets   bool // a crash can leave it so: what is cut off was not yet synced
}

func (c torn) String() string {
	return fmt.Sprintf("%s: ledger of %d bytes cut to %d", c.name, len(c.tree[ledger].data), c.size)
}

func (l *lab) testTorn(t *testing.T, stages []*stage) tally {
	sum := judgeAll(t, some(l.cuts(t, stages), 12), l.judgeCut)
	fmt.Printf("torn ledger: %s\n", sum)
	return sum
}

// cuts are all of the last three records: of a machine that is done, of one where a
// file was about to get its name, and of one where the ledger was about to be synced.
func (l *lab) cuts(t *testing.T, stages []*stage) []torn {
	t.Helper()
	s := stageNamed(stages, "fresh: init phase write-kubeconfig")
	rename := slices.IndexFunc(s.calls, func(c call) bool {
		return strings.HasPrefix(c.name, "renameat") && strings.HasSuffix(c.path, "/root/.kube/config")
	})
	create := slices.IndexFunc(s.calls, func(c call) bool {
		return c.name == "unlinkat" && strings.HasSuffix(c.path, "/home/ann/.kube/.config.bootstrap")
	})
	var cuts []torn
	for _, c := range []torn{
		{stage: s, name: "done", tree: s.last, commands: l.initPhases("cluster")},
		{stage: s, name: "half", tree: l.struckAt(t, s, rename), commands: [][]string{s.command}},
		{stage: s, name: "begun", tree: l.struckAt(t, s, create-1), commands: [][]string{s.command}},
	} {
		cuts = append(cuts, c.lastRecords()...)
	}
	return cuts
}

// lastRecords are all cuts in the last three.
func (c torn) lastRecords() []torn {
	lines := bytes.SplitAfter(bytes.TrimSuffix(c.tree[ledger].data, []byte("\n")), []byte("\n"))
	total, n := len(c.tree[ledger].data), len(lines)
	lastLine := len(slices.Concat(lines[:n-1]...))
	var cuts []torn
	for c.size = len(slices.Concat(lines[:n-3]...)); c.size < total; c.size++ {
		c.resets = c.name == "begun" && c.size >= lastLine
		cuts = append(cuts, c)
	}
	return cuts
}

func stageNamed(stages []*stage, name string) *stage {
	i := slices.IndexFunc(stages, func(s *stage) bool { return s.name == name })
	return stages[i]
}

// struckAt is the machine after a kill at one of the stage's calls.
func (l *lab) struckAt(t *testing.T, s *stage, index int) tree {
	t.Helper()
	root, _, err := l.strike(point{s, index, "signal=KILL"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	struck, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return struck
}

// judgeCut says what is wrong when bootstrap goes on with what is left of a ledger.
func (l *lab) judgeCut(c torn) []string {
	root, err := l.machine(c.tree.with(ledger, c.tree[ledger].data[:c.size]))
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(root)
	var found []string
	if c.resets {
		struck, err := readTree(root)
		if err != nil {
			return []string{err.Error()}
		}
		found = l.checkReset(point{stage: c.stage}, struck)
	}
	for _, args := range append(c.commands, []string{"ledger"}) {
		if err := l.must(root, args); err != nil {
			return append(found, err.Error())
		}
	}
	after, err := readTree(root)
	if err != nil {
		return []string{err.Error()}
	}
	return append(found, after.converged(c.start, c.last)...)
}

// with is the tree with other content in one file.
func (t tree) with(path string, data []byte) tree {
	changed := tree{}
	for p, e := range t {
		if p == path {
			e.data = data
		}
		changed[p] = e
	}
	return changed
}

// damage is what a disk or a hand does to one line of a ledger, its newline included.
var damage = []struct {
	name   string
	change func(line []byte) []byte
}{
	{"a bit flipped", func(line []byte) []byte { line[len(line)/2] ^= 1; return line }},
	{"zeroes", func(line []byte) []byte { clear(line); return line }},
	{"half of it lost", func(line []byte) []byte { return append(line[:len(line)/2], '\n') }},
	{"the line break lost", func(line []byte) []byte { return line[:len(line)-1] }},
}

// damaged is a machine with damage to a ledger's line.
type damaged struct {
	line int // from 1
	name string
	tree tree
}

func (d damaged) String() string { return fmt.Sprintf("line %d of the ledger, %s", d.line, d.name) }

// testDamaged wants damage with good lines after it refused. At the last two lines it
// cannot be told from a torn end.
func (l *lab) testDamaged(t *testing.T, stages []*stage) tally {
	whole := stages[0].last
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole[ledger].data, []byte("\n")), []byte("\n"))
	var list []damaged
	for _, d := range damage {
		for i := range len(lines) - 2 {
			changed := slices.Clone(lines)
			changed[i] = d.change(bytes.Clone(lines[i]))
			data := append(bytes.Join(changed, nil), '\n')
			list = append(list, damaged{i + 1, d.name, whole.with(ledger, data)})
		}
	}
	sum := judgeAll(t, some(list, 8), l.judgeDamage)
	fmt.Printf("damaged ledger: %s\n", sum)
	return sum
}

// judgeDamage says which command works with a damaged ledger, or changes anything.
func (l *lab) judgeDamage(d damaged) []string {
	root, err := l.machine(d.tree)
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(root)
	var found []string
	for _, args := range [][]string{l.initPhases("changed")[3], reset(), {"ledger"}} {
		got, err := execute(l.line(root, args))
		if err != nil {
			return []string{err.Error()}
		}
		if got.code == 0 || !strings.Contains(got.stderr, ledger) || !strings.Contains(got.stderr, "damaged") {
			found = append(found, fmt.Sprintf("%s: exit code %d: %s", label(args), got.code, got.stderr))
		}
	}
	after, err := readTree(root)
	if err != nil {
		return []string{err.Error()}
	}
	return append(found, after.exactly(d.tree)...)
}
