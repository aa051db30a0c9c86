package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mutating is every system call that could change a file. Those that bootstrap does
// not make are named too: if it begins to, they become points by themselves.
var mutating = []string{
	"openat", "openat2", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2",
	"copy_file_range", "sendfile", "splice", "truncate", "ftruncate", "fallocate",
	"mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink", "unlinkat",
	"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
	"chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat", "utimensat",
	"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
	"fsync", "fdatasync", "sync_file_range", "syncfs",
}

// call is one mutating system call on a file below the root.
type call struct {
	name string
	path string // seen from the root; of a rename both
	// nth is its place among all calls of that name in its thread: so strace counts.
	nth    int
	thread string
	result string // as strace prints it; empty or "?" if the process died in it
}

func (c call) String() string { return c.name + " " + c.path }

func (c call) injected() bool { return strings.Contains(c.result, "(INJECTED)") }

func (c call) cutShort() bool { return c.result == "" || strings.HasPrefix(c.result, "?") }

// outcome is what a command left of itself.
type outcome struct {
	code           int // -1 if it was killed
	stdout, stderr string
	calls          []call   // of a traced command, on files
	astray         []string // calls that change or reach something outside of the root
	injected       int      // how many calls were struck, on files or not
}

const tooLong = time.Minute // for any one command: it hangs

// execute runs a command to its end, however it ends.
func execute(command []string) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 10 * time.Second // a busy machine reads slowly
	err := cmd.Run()
	if ctx.Err() != nil {
		return outcome{}, fmt.Errorf("%v did not end within %s", command, tooLong)
	}
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return outcome{}, err
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}, nil
}

// injection is what strace does to one call; the zero value does nothing.
type injection struct {
	call
	what string // signal=KILL, error=EIO
}

// options are strace's. Its filter by seccomp makes a traced command nearly as fast as
// any other, but it swallows signals that are to be injected at a call's entry.
func (i injection) options() []string {
	var options []string
	if i.what != "" {
		options = append(options, "-e", fmt.Sprintf("inject=%s:%s:when=%d", i.name, i.what, i.nth))
	}
	if !strings.HasPrefix(i.what, "signal=") {
		options = append(options, "--seccomp-bpf")
	}
	return options
}

// trace runs a command on a tree below strace. Goroutines move between threads, and
// strace counts in each thread: without a collector, preemption and delays they move less.
func trace(root string, command []string, inject injection) (outcome, error) {
	file := root + ".trace"
	defer os.Remove(file)
	line := slices.Concat([]string{
		"nice", "-n", "-10", "strace", "-f", "-y", "-qq", "-o", file, "-e", "trace=connect,?" + strings.Join(mutating, ",?"), "-e", "signal=none",
		"-E", "GOMAXPROCS=2", "-E", "GOGC=off", "-E", "GODEBUG=asyncpreemptoff=1",
	}, inject.options(), command)
	result, err := execute(line)
	if err != nil {
		return outcome{}, err
	}
	log, err := os.ReadFile(file)
	result.calls, result.astray = parseTrace(string(log), root)
	result.injected = bytes.Count(log, []byte("(INJECTED)"))
	return result, err
}

var (
	begunLine   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	resultOf    = regexp.MustCompile(`\) += (.*)$`)
)

// parseTrace reads the mutating calls below root out of strace's log, in their order,
// and lines of such as are not below root.
func parseTrace(log, root string) (calls []call, astray []string) {
	counts := map[string]int{}  // per thread and name
	pending := map[string]int{} // per thread, the call that has no result yet
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			if i, ok := pending[m[1]]; ok {
				calls[i].result = result(m[2])
			}
			delete(pending, m[1])
			continue
		}
		m := begunLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		thread, name, args := m[1], m[2], m[3]
		counts[thread+name]++
		path, below := target(args, name, root)
		if !below {
			if isAstray(name, args) {
				astray = append(astray, line)
			}
			continue
		}
		if strings.HasSuffix(args, "<unfinished ...>") {
			pending[thread] = len(calls)
		}
		calls = append(calls, call{name, path, counts[thread+name], thread, result(args)})
	}
	return calls, astray
}

// isAstray tells whether a call that is not below the root is more than talk to the
// parent, the kernel or its own threads.
func isAstray(name, args string) bool {
	if name == "connect" {
		return !strings.Contains(args, "AF_NETLINK")
	}
	return changes(name, args) && slices.ContainsFunc(named(args, name), func(path string) bool {
		return strings.HasPrefix(path, "/") && path != os.DevNull
	})
}

func result(rest string) string {
	if m := resultOf.FindStringSubmatch(rest); m != nil {
		return m[1]
	}
	return ""
}

var (
	fdArg   = regexp.MustCompile(`^(?:AT_FDCWD|\d+)<([^>]*)>`)
	atArg   = regexp.MustCompile(`(?:AT_FDCWD|\d+)<([^>]*)>, "([^"]*)"`)
	nameArg = regexp.MustCompile(`"([^"]*)"`)
	twoFDs  = regexp.MustCompile(`\d+<([^>]*)>`)
)

// changes is false for opening without making or emptying.
func changes(name, args string) bool {
	return !strings.HasPrefix(name, "open") || strings.Contains(args, "O_CREAT") || strings.Contains(args, "O_TRUNC")
}

// target is what a call changes, and whether that lies below root.
func target(args, name, root string) (path string, below bool) {
	if !changes(name, args) {
		return "", false
	}
	var paths []string
	for _, p := range named(args, name) {
		if p == root || strings.HasPrefix(p, root+"/") {
			paths = append(paths, "/"+strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
		}
	}
	return strings.Join(paths, " to "), len(paths) > 0
}

func named(args, name string) []string {
	var paths []string
	switch {
	case name == "copy_file_range" || name == "sendfile" || name == "splice":
		for _, m := range twoFDs.FindAllStringSubmatch(args, 2) {
			paths = append(paths, m[1])
		}
	case strings.HasSuffix(strings.TrimSuffix(name, "2"), "at") && atArg.MatchString(args):
		for _, m := range atArg.FindAllStringSubmatch(args, 2) {
			paths = append(paths, join(m[1], m[2]))
		}
	case fdArg.MatchString(args):
		paths = append(paths, fdArg.FindStringSubmatch(args)[1])
	default:
		for _, m := range nameArg.FindAllStringSubmatch(args, 2) {
			paths = append(paths, m[1])
		}
	}
	return paths
}

func join(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return filepath.Join(dir, name)
}

// threads is in how many threads the calls were made.
func threads(calls []call) int {
	seen := map[string]bool{}
	for _, c := range calls {
		seen[c.thread] = true
	}
	return len(seen)
}

// hit is which of the undisturbed run's calls was struck: the last one if the process
// was killed, else the one that is marked. It is -1 if none was.
func hit(struck, undisturbed []call) (int, error) {
	i := slices.IndexFunc(struck, call.injected)
	if i < 0 && len(struck) > 0 && struck[len(struck)-1].cutShort() {
		i = len(struck) - 1
	}
	for n := range i + 1 {
		if n >= len(undisturbed) || struck[n].String() != undisturbed[n].String() {
			return -1, fmt.Errorf("call %d is %s, not as in the undisturbed run", n, strconv.Quote(struck[n].String()))
		}
	}
	return i, nil
}
