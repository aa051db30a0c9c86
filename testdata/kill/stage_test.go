package kill

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// stage is one command on one machine, as it goes when nothing disturbs it.
type stage struct {
	name    string
	command []string
	later   [][]string // commands that follow it
	machine tree       // before bootstrap came
	start   tree       // before the command
	end     tree       // after it
	last    tree       // after the later ones too
	calls   []call     // the points at which it can be struck
}

func (s *stage) isReset() bool { return s.command[0] == "reset" }

// journey is commands on a machine, one after the other.
type journey struct {
	name     string
	machine  tree
	start    tree
	commands [][]string
}

// record goes the journey undisturbed and remembers each stage.
func (l *lab) record(j journey) ([]*stage, error) {
	var stages []*stage
	start := j.start
	for i, command := range j.commands {
		s := &stage{
			name: j.name + ": " + label(command), command: command, later: j.commands[i+1:],
			machine: j.machine, start: start,
		}
		if err := l.recordStage(s); err != nil {
			return nil, fmt.Errorf("%s, undisturbed: %w", s.name, err)
		}
		stages = append(stages, s)
		start = s.end
	}
	for _, s := range stages {
		s.last = start
	}
	return stages, nil
}

func label(command []string) string {
	if command[0] == "init" {
		return strings.Join(command[:3], " ")
	}
	return strings.Join(command, " ")
}

// recordStage prefers all calls in one thread, since strace will count them in each.
func (l *lab) recordStage(s *stage) error {
	for range 10 {
		root, err := l.machine(s.start)
		if err != nil {
			return err
		}
		got, err := trace(root, l.line(root, s.command), injection{})
		if err != nil {
			return err
		}
		if err := undisturbed(got); err != nil {
			return err
		}
		if s.end, err = readTree(root); err != nil {
			return err
		}
		os.RemoveAll(root)
		if s.calls = got.calls; threads(s.calls) == 1 {
			break
		}
	}
	return nil
}

// undisturbed says what is wrong with a run that nothing struck.
func undisturbed(got outcome) error {
	if got.code != 0 {
		return fmt.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if len(got.astray) > 0 {
		return fmt.Errorf("it does not stay below --root:\n%s", strings.Join(got.astray, "\n"))
	}
	return nil
}

// stages are all that can be struck: init on a fresh machine, on one where files were
// there before, with a changed config, and with etcd's data in directories that it
// makes; and reset after each.
func (l *lab) stages(t *testing.T) (all []*stage, undisturbed tally) {
	t.Helper()
	add := func(j journey) []*stage {
		stages, err := l.record(j)
		if err != nil {
			t.Error(err)
		}
		all = append(all, stages...)
		undisturbed.add(tally{len(stages), len(j.commands)})
		return stages
	}
	fresh := add(journey{"fresh", freshMachine(), freshMachine(), l.initPhases("cluster")})
	if len(fresh) == 0 {
		t.FailNow() // all others begin where it ends
	}
	made := fresh[0].last
	used := usedMachine(made)
	taken := add(journey{"taken", used, used, l.initPhases("cluster")})
	changed := add(journey{"changed", freshMachine(), made, l.initPhases("changed")})
	elsewhere := add(journey{"elsewhere", freshMachine(), freshMachine(), l.initPhases("elsewhere")[2:3]})
	for _, ended := range [][]*stage{fresh, taken, changed, elsewhere} {
		if len(ended) > 0 {
			name, _, _ := strings.Cut(ended[0].name, ":")
			add(journey{name, ended[0].machine, ended[0].last, [][]string{reset()}})
		}
	}
	fmt.Printf("undisturbed: %s\n", undisturbed)
	return all, undisturbed
}

func dir(mode fs.FileMode) entry { return entry{mode: fs.ModeDir | mode} }

func file(mode fs.FileMode, text string) entry { return entry{mode: mode, data: []byte(text)} }

// ann is a user who has a kubeconfig of another cluster.
const ann = 1000

const annsKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://192.0.2.1:6443"}}]
contexts: [{name: other, context: {cluster: other, user: ""}}]
current-context: other
`

// freshMachine is as little as a machine has, and files of others.
func freshMachine() tree {
	t := tree{}
	for _, path := range []string{
		"/", "/etc", "/opt", "/proc", "/proc/sys", "/proc/sys/kernel", "/run", "/srv", "/usr", "/usr/local", "/usr/local/bin",
		"/var", "/var/lib", "/var/lib/others", "/var/log", "/home",
	} {
		t[path] = dir(0o755)
	}
	t["/etc/fstab"] = file(0o644, "# none\n")
	t["/etc/passwd"] = file(0o644, fmt.Sprintf("root:x:0:0::/root:/bin/sh\nann:x:%d:%d::/home/ann:/bin/sh\n", ann, ann))
	t["/root"] = dir(0o700)
	t["/home/ann"] = entry{mode: fs.ModeDir | 0o750, uid: ann, gid: ann}
	t["/home/ann/.kube"] = entry{mode: fs.ModeDir | 0o750, uid: ann, gid: ann}
	t["/home/ann/.kube/config"] = entry{mode: 0o600, uid: ann, gid: ann, data: []byte(annsKubeconfig)}
	t["/proc/sys/kernel/hostname"] = file(0o644, "node-1\n")
	t["/var/lib/others/data"] = entry{mode: 0o640, uid: 1000, gid: 1000, data: []byte("theirs")}
	return t
}

// usedMachine has a CA that the user brought, files that init replaces, and
// directories that it closes.
func usedMachine(made tree) tree {
	t := freshMachine()
	for _, path := range []string{"/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki", "/var/lib/etcd"} {
		t[path] = dir(0o755)
	}
	for _, name := range []string{"ca.crt", "ca.key"} {
		t[pkiDir+name] = made[pkiDir+name]
	}
	t["/etc/kubernetes/others.conf.d"] = dir(0o750)
	t["/etc/kubernetes/notes"] = file(0o644, "theirs")
	t["/etc/kubernetes/scheduler.conf"] = file(0o600, string(made["/etc/kubernetes/admin.conf"].data))
	t["/etc/kubernetes/manifests/kube-scheduler.yaml"] = file(0o644, "# theirs\n")
	return t
}
