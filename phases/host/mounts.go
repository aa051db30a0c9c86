package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootstrap/phases/machine"

	"golang.org/x/sys/unix"
)

// mountPoint is one mount of this process's view.
type mountPoint struct {
	ID     int
	Parent int
	Path   string
	Type   string
	Super  string // options of the file system
}

const mountList = "/proc/self/mountinfo"

// readMounts gives all mounts, as the kernel lists them.
func readMounts() ([]mountPoint, error) {
	data, err := os.ReadFile(mountList)
	if err != nil {
		return nil, err
	}
	return parseMounts(string(data))
}

// parseMounts reads the format of proc_pid_mountinfo(5).
func parseMounts(text string) ([]mountPoint, error) {
	var all []mountPoint
	ids := map[int]bool{}
	for line := range strings.Lines(text) {
		m, err := parseMount(strings.TrimSuffix(line, "\n"))
		if err == nil && ids[m.ID] {
			err = errors.New("an id twice") // the mounts would be no tree
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %q: %w", mountList, line, err)
		}
		all, ids[m.ID] = append(all, m), true
	}
	return all, nil
}

func parseMount(line string) (mountPoint, error) {
	fields := strings.Split(line, " ")
	end := slices.Index(fields, "-") // before it: any number of optional fields
	if end < 6 || len(fields) < end+4 {
		return mountPoint{}, errors.New("too few fields")
	}
	id, err := strconv.Atoi(fields[0])
	if err != nil {
		return mountPoint{}, err
	}
	parent, err := strconv.Atoi(fields[1])
	return mountPoint{
		ID: id, Parent: parent, Path: unescapeOctal(fields[4]),
		Type: unescapeOctal(fields[end+1]), Super: fields[end+3],
	}, err
}

// unescapeOctal undoes the kernel's \040 for space, \012 for newline and the like.
func unescapeOctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// matchPath tells whether an absolute path matches a pattern: in each element * and ?
// are as in a shell; ** is one element or more.
func matchPath(pattern, path string) bool {
	return matchElements(strings.Split(pattern, "/"), strings.Split(path, "/"))
}

func matchElements(pattern, path []string) bool {
	switch {
	case len(pattern) == 0 || len(path) == 0:
		return len(pattern) == len(path)
	case pattern[0] == "**":
		return matchElements(pattern[1:], path[1:]) || matchElements(pattern, path[1:])
	}
	ok, err := filepath.Match(pattern[0], path[0])
	return ok && err == nil && matchElements(pattern[1:], path[1:])
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchPath(p, path) })
}

// mountCounts is how many mounts there are at each path that matches. Taken before
// daemons come, it says which are not theirs: mount ids don't outlive a reboot.
func mountCounts(mounts []mountPoint, patterns []string) map[string]int {
	counts := map[string]int{}
	for _, m := range mounts {
		if matchAny(patterns, m.Path) {
			counts[m.Path]++
		}
	}
	return counts
}

// heldMount is a mount of the daemons that must stay, because of one of others.
type heldMount struct {
	Path string
	By   string // path of the other mount
	Over bool   // the other one covers it; else it lies below
}

func (h *heldMount) Error() string {
	if h.Over {
		return fmt.Sprintf("%q stays mounted: it is covered by the mount at %q", h.Path, h.By)
	}
	return fmt.Sprintf("%q stays mounted: something else is mounted below, at %q", h.Path, h.By)
}

// Where is what the error is about.
func (h *heldMount) Where() string { return h.Path }

// Hint is what the user can do.
func (h *heldMount) Hint() string { return "umount " + shellQuote(h.By) }

// pickMounts gives the mounts that must go, in this order, and those that can't. A
// mount matches one of the patterns and is not among those of before.
func pickMounts(mounts []mountPoint, patterns []string, before map[string]int) ([]mountPoint, []*heldMount) {
	p := picker{below: map[int][]mountPoint{}, byID: map[int]mountPoint{}, ours: map[int]bool{}, picked: map[int]bool{}}
	seen := map[string]int{}
	for _, m := range mounts {
		p.byID[m.ID] = m
		if m.ID != m.Parent {
			p.below[m.Parent] = append(p.below[m.Parent], m)
		}
		seen[m.Path]++
		p.ours[m.ID] = matchAny(patterns, m.Path) && seen[m.Path] > before[m.Path]
	}
	for _, m := range mounts {
		if _, there := p.byID[m.Parent]; !there || m.ID == m.Parent {
			p.visit(m)
		}
	}
	return p.gone, p.held
}

// picker walks the tree of mounts. One mounted over another is below it in the tree.
type picker struct {
	byID   map[int]mountPoint
	below  map[int][]mountPoint // oldest first
	ours   map[int]bool
	picked map[int]bool
	gone   []mountPoint
	held   []*heldMount
}

// visit picks what is below m, newest first, and then m. It gives the path of a mount
// that stays, if there is one.
func (p *picker) visit(m mountPoint) (stays string) {
	for _, child := range slices.Backward(p.below[m.ID]) {
		if left := p.visit(child); left != "" && stays == "" {
			stays = left
		}
	}
	if !p.ours[m.ID] {
		return m.Path
	}
	over, covered := p.cover(m)
	switch {
	case stays != "":
		p.held = append(p.held, &heldMount{Path: m.Path, By: stays})
	case covered:
		p.held = append(p.held, &heldMount{Path: m.Path, By: over, Over: true})
		stays = m.Path
	default:
		p.gone, p.picked[m.ID] = append(p.gone, m), true
	}
	return stays
}

// cover finds a mount that hides m, so that m's path leads somewhere else.
func (p *picker) cover(m mountPoint) (path string, covered bool) {
	for {
		parent, ok := p.byID[m.Parent]
		if !ok || parent.ID == m.ID {
			return "", false
		}
		for _, other := range p.below[parent.ID] {
			if other.ID != m.ID && !p.picked[other.ID] && isAtOrBelow(m.Path, other.Path) {
				return other.Path, true
			}
		}
		m = parent
	}
}

func isAtOrBelow(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// BusyMountError says that a mount is in use.
type BusyMountError struct {
	Path  string
	Users []string // processes that stand in it; may be empty
}

func (e *BusyMountError) Error() string {
	if len(e.Users) == 0 {
		return fmt.Sprintf("%q stays mounted: it is in use", e.Path)
	}
	return fmt.Sprintf("%q stays mounted: it is in use by %s", e.Path, strings.Join(e.Users, ", "))
}

// Where is what the error is about.
func (e *BusyMountError) Where() string { return e.Path }

// Hint is what the user can do.
func (e *BusyMountError) Hint() string { return "fuser -vm " + shellQuote(e.Path) }

const (
	unmountTimeout = 5 * time.Second
	busyAttempts   = 10 // a process that was just killed holds its mounts for a moment
	busyPause      = 100 * time.Millisecond
)

// unmount takes the topmost mount at path away. It is no error if there is none.
func unmount(ctx context.Context, path string) error {
	return unmountWithin(ctx, path, unix.Unmount)
}

// unmountWithin does not wait longer for the kernel than unmountTimeout. What it
// leaves waiting is a thread that changes nothing else.
func unmountWithin(ctx context.Context, path string, call func(string, int) error) error {
	done := make(chan error, 1)
	go func() { done <- unmountBusy(ctx, path, call) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("unmount %q: %w", path, context.Cause(ctx))
	case <-time.After(unmountTimeout):
		return fmt.Errorf("unmount %q: the kernel does not answer for %v: is it of a network file system whose server is gone?", path, unmountTimeout)
	}
}

func unmountBusy(ctx context.Context, path string, call func(string, int) error) error {
	for attempt := 1; ; attempt++ {
		err := call(path, unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EBUSY) && attempt < busyAttempts:
			select {
			case <-time.After(busyPause):
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case errors.Is(err, unix.EBUSY):
			return &BusyMountError{Path: path, Users: mountUsers(path)}
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
			return stillMounted(path, err)
		case err != nil:
			return fmt.Errorf("unmount %q: %w", path, err)
		}
		return nil
	}
}

// stillMounted: the kernel says that there is no mount; if it lists one, that is an
// error.
func stillMounted(path string, cause error) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(mounts, func(m mountPoint) bool { return m.Path == path }) {
		return fmt.Errorf("unmount %q: %w", path, cause)
	}
	return nil
}

// mountUsers names up to three processes that stand in a mount, or run from it.
func mountUsers(path string) []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	var users []string
	for _, dir := range dirs {
		if len(users) == 3 {
			break
		}
		if standsIn(dir, path) {
			users = append(users, machine.ReadProcess(filepath.Base(dir)).String())
		}
	}
	return users
}

func standsIn(proc, path string) bool {
	for _, name := range []string{"cwd", "root", "exe"} {
		link, err := os.Readlink(filepath.Join(proc, name))
		if err == nil && isAtOrBelow(link, path) {
			return true
		}
	}
	return false
}
