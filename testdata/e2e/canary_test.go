package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// canaryShell is what the scripts of layouts are written in.
const canaryShell = `set -o pipefail
# plant makes foreign data in directories: files with modes and owners of their
# own, one that is closed, links, an empty directory.
plant() {
	local dir
	for dir; do
		mkdir -p "$dir/deep/er" "$dir/empty"
		echo "canary $dir" >"$dir/data"
		head -c 70000 /dev/urandom >"$dir/deep/er/blob"
		echo closed >"$dir/deep/closed"
		ln -s ../data "$dir/deep/link"
		ln "$dir/data" "$dir/deep/twin"
		chown -hR 4242:4343 "$dir/deep"
		chmod 2750 "$dir/deep"
		chmod 000 "$dir/deep/closed"
		chmod 0604 "$dir/deep/er/blob"
		mkdir -m 000 "$dir/closed"
	done
}
# tell prints all there is of paths, and what is mounted at them.
tell() {
	find "$@" -printf '%p\t%y %m %U:%G %l ' \( -type f -printf '%n %T@\n' -o -printf '\n' \) | sort
	find "$@" -type f -exec sha256sum {} + | sort
	local path
	for path; do mounts "$path"; done
}
# mounts prints the mounts at a path, the one below first.
mounts() { findmnt --raw --noheadings --output TARGET,FSTYPE,FSROOT --mountpoint "$1" || true; }
# ram mounts a disk made of memory.
ram() {
	mkdir -p "$1"
	mount -t tmpfs canary "$1"
}
# ext4 is ram with what mkfs.ext4 leaves in every disk.
ext4() {
	ram "$1"
	mkdir -m 700 "$1/lost+found"
}
# run keeps a command running as a unit, in the place given.
run() { # UNIT DIR COMMAND...
	systemd-run --quiet --unit="$1" --working-directory="$2" "${@:3}"
}
# alive prints which process a unit has, since when, where and in which cgroups.
alive() {
	local pid
	pid=$(systemctl show -P MainPID "$1")
	echo "$1 $pid $(cut -d' ' -f22 "/proc/$pid/stat") $(readlink "/proc/$pid/cwd") $(cat "/proc/$pid/comm")"
	cat "/proc/$pid/cgroup"
}
# link prints a network link's number, name, peer and address.
link() { ip -o link show dev "$1" | grep -o -e '^[^<]*' -e 'link/ether [^ ]*'; }
# same_content is tell without times, links and mounts.
same_content() { stat -c '%n %a %U:%G' "$@"; sha256sum "$@"; }
# until_ok waits for a command, 30 s at most.
until_ok() { timeout 30 bash -c 'until "$@" >/dev/null 2>&1; do sleep 0.2; done' _ "$@"; }
`

// canaryFile is where a node has canaryShell.
const canaryFile = "/tmp/e2e/canary.sh"

// canary runs a script of a layout.
func (n *Node) canary(script string) Result {
	n.t.Helper()
	return n.Sh(". " + canaryFile + "\n" + script)
}

// layout is something foreign on a node, and what reset must make of it.
type layout struct {
	name string
	// before and after make it: before init, after init.
	before, after string
	// proof prints the canary; reset must not change what it prints. Without one
	// nothing of the layout is foreign.
	proof string
	// gone prints something before reset, and must print nothing after it.
	gone string
	// left is what reset must say it left, and why. Without it nothing of this
	// layout keeps reset from ending clean.
	left []leftover
	// remove takes away what was left, so that the next reset ends clean.
	remove string
}

// leftover is one thing in the verdict of reset: parts of its name, and of the
// reason.
type leftover struct{ what, why string }

// in finds the leftover in a line of its own.
func (l leftover) in(r Result) bool {
	for line := range strings.Lines(r.Out + r.Err) {
		if strings.Contains(line, l.what) && strings.Contains(strings.ToLower(line), l.why) {
			return true
		}
	}
	return false
}

// trial is a layout on a node.
type trial struct {
	layout
	was string // what its proof printed first
	err error  // why it could not be made
}

// step runs a script of the layout. After an error, none is run.
func (c *trial) step(n *Node, script string) string {
	n.t.Helper()
	if c.err != nil || script == "" {
		return ""
	}
	r := n.canary(script)
	c.err = r.err()
	return r.Out
}

// prove keeps what the proof prints.
func (c *trial) prove(n *Node) {
	n.t.Helper()
	if c.was = c.step(n, c.proof); c.proof != "" && c.err == nil && strings.TrimSpace(c.was) == "" {
		c.err = fmt.Errorf("the proof prints nothing: %s", c.proof)
	}
}

func (c *trial) setUpBefore(n *Node) {
	n.t.Helper()
	if c.before == "" {
		return
	}
	c.step(n, c.before)
	if c.after == "" {
		c.prove(n)
	}
}

func (c *trial) setUpAfter(n *Node) {
	n.t.Helper()
	if c.after != "" {
		c.step(n, c.after)
		c.prove(n)
	}
	if c.gone != "" && c.err == nil && c.step(n, c.gone) == "" && c.err == nil {
		c.err = fmt.Errorf("not there before reset: %s", c.gone)
	}
}

// check judges the layout after the first reset.
func (c *trial) check(n *Node, reset Result) {
	n.t.Helper()
	if c.err != nil {
		n.t.Fatalf("the layout is not made: %v", c.err)
	}
	if r := n.canary(c.proof); r.Code != 0 || r.Out != c.was {
		n.t.Errorf("the canary is\n%s%swas\n%s", r.Out, r.Err, c.was)
	}
	if left := c.step(n, c.gone); left != "" || c.err != nil {
		n.t.Errorf("still there: %s (%v)", left, c.err)
	}
	for _, l := range c.left {
		if !l.in(reset) {
			n.t.Errorf("no line of reset names %q with the reason %q", l.what, l.why)
		}
	}
}

// layoutGroup is layouts that do not disturb each other, on one node.
type layoutGroup struct {
	name    string
	prepare func(*Node)
	layouts []layout
	others  []string // folders of daemons that are not ours, not compared
}

func (g layoutGroup) String() string { return g.name }

func (g layoutGroup) endsClean() bool {
	for _, l := range g.layouts {
		if len(l.left) > 0 {
			return false
		}
	}
	return true
}

func (g layoutGroup) run(t *testing.T) {
	n := Up(t, 6*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write(canaryFile, canaryShell)
	if g.prepare != nil {
		g.prepare(n)
	}
	trials, fresh := g.setUp(n)
	reset := n.Bootstrap("reset", "--force")
	defer func() {
		if t.Failed() {
			t.Logf("the first reset: %s", reset)
		}
	}()
	again := n.Bootstrap("reset", "--force", "-o", "json")
	for _, c := range trials {
		t.Run(c.name, func(t *testing.T) { c.check(n.In(t), reset) })
	}
	if g.endsClean() {
		t.Run("Clean", func(t *testing.T) {
			n := n.In(t)
			n.removeAll(trials)
			g.checkClean(n, reset, fresh)
		})
		return
	}
	t.Run("Left", func(t *testing.T) { n.In(t).checkLeft(reset) })
	t.Run("NothingElseLeft", func(t *testing.T) { g.checkOnly(n.In(t), again) })
	t.Run("CleanAtLast", func(t *testing.T) { g.cleanAtLast(n.In(t), trials, fresh) })
}

// setUp makes the layouts around an init, and gives what the node was before it.
func (g layoutGroup) setUp(n *Node) ([]*trial, survey) {
	n.t.Helper()
	trials := make([]*trial, len(g.layouts))
	for i, l := range g.layouts {
		trials[i] = &trial{layout: l}
		trials[i].setUpBefore(n)
	}
	fresh := n.survey()
	init := n.Bootstrap("init")
	if init.Code != 0 {
		n.t.Errorf("with one of these layouts there is no init: %s", init)
	}
	for _, c := range trials {
		if init.Code != 0 {
			c.err = errors.Join(c.err, errors.New("init failed"))
		}
		c.setUpAfter(n)
	}
	return trials, fresh
}

// checkLeft: the verdict is not clean, and the exit code says so.
func (n *Node) checkLeft(reset Result) {
	n.t.Helper()
	if reset.Code != 1 || !hasLine(reset, "left:") || hasLine(reset, "clean") {
		n.t.Errorf("want exit code 1 and a line that begins with left: %s", reset)
	}
}

// checkOnly: each thing that the result names is of a layout, or a directory above
// one. The reset before was as good, so this one finds the same.
func (g layoutGroup) checkOnly(n *Node, again Result) {
	n.t.Helper()
	lines := strings.Split(strings.TrimSpace(again.Out), "\n")
	var result struct {
		Event string
		Left  []struct{ What, Why string }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil || result.Event != "result" {
		n.t.Fatalf("no result (%v): %s", err, again)
	}
	for _, left := range result.Left {
		if !g.expects(left.What) {
			n.t.Errorf("also left: %s: %s", left.What, left.Why)
		}
	}
}

func (g layoutGroup) expects(what string) bool {
	if what == "" {
		return false
	}
	quoted := strings.Trim(strconv.Quote(what), `"`)
	for _, l := range g.layouts {
		for _, left := range l.left {
			if strings.HasPrefix(left.what, what) || strings.Contains(what, left.what) || strings.Contains(quoted, left.what) {
				return true
			}
		}
	}
	return false
}

// cleanAtLast: without the foreign things reset says clean, and all is as it was
// before init.
func (g layoutGroup) cleanAtLast(n *Node, trials []*trial, fresh survey) {
	n.t.Helper()
	n.removeAll(trials)
	g.checkClean(n, n.Bootstrap("reset", "--force"), fresh)
}

func (g layoutGroup) checkClean(n *Node, reset Result, fresh survey) {
	n.t.Helper()
	if reset.Code != 0 || !hasLine(reset, "clean") {
		n.t.Errorf("want exit code 0 and a line that begins with clean: %s", reset)
	}
	n.SameSurvey("after reset", fresh, g.others...)
}

func (n *Node) removeAll(trials []*trial) {
	n.t.Helper()
	for _, c := range trials {
		if r := n.canary(c.remove); r.Code != 0 {
			n.t.Errorf("%s is not removed: %s", c.name, r)
		}
	}
}

func hasLine(r Result, prefix string) bool {
	for line := range strings.Lines(r.Out) {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
