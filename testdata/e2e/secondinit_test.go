package e2e

import (
	"regexp"
	"strings"
)

// untouched are where a second init must not write, whatever it would write.
var untouched = regexp.MustCompile(`["<]/(etc|usr|opt|var/lib/(kubelet|etcd|containerd))[/">]`)

// mutating are system calls that change files, as strace prints them. Opening for
// reading is not among them; calls that failed changed nothing.
var mutating = regexp.MustCompile(`^\d+ +((open|openat|openat2)\(.*O_(WRONLY|RDWR|CREAT|TRUNC)|` +
	`(creat|rename|renameat|renameat2|unlink|unlinkat|rmdir|mkdir|mkdirat|mknodat|link|linkat|symlink|symlinkat|` +
	`chmod|fchmod|fchmodat|chown|fchown|lchown|fchownat|truncate|ftruncate|fallocate|utimensat|` +
	`write|pwrite64|writev|pwritev|copy_file_range|sendfile|setxattr|lsetxattr|fsetxattr|removexattr)\().* = \d+`)

// writes gives the system calls by which bootstrap changes what is not to be
// touched, and all that were seen.
func (n *Node) writes(args ...string) (bad []string, seen string, r Result) {
	n.t.Helper()
	trace := []string{"sh", "-ec", `mkdir -p /tmp/e2e; exec strace -f --seccomp-bpf -qq -y -s 200 -o /tmp/e2e/strace \
		-e trace=%file,write,pwrite64,writev,pwritev,fchmod,fchown,ftruncate,fallocate,copy_file_range,sendfile,fsetxattr \
		/root/bootstrap "$@"`, "_"}
	r = n.Exec(append(trace, args...)...)
	n.log.Result = r
	n.must(r)
	seen = n.MustSh("cat /tmp/e2e/strace; rm /tmp/e2e/strace")
	for line := range strings.Lines(seen) {
		if mutating.MatchString(line) && untouched.MatchString(line) {
			bad = append(bad, strings.TrimSpace(line))
		}
	}
	return bad, seen, r
}

// testSecondInit: init after init changes nothing, restarts nothing, and says so.
func testSecondInit(n *Node) {
	before := n.quiet()
	bad, seen, r := n.writes("init")
	if len(bad) > 0 {
		n.t.Errorf("it writes:\n%s", strings.Join(bad, "\n"))
	}
	if !strings.Contains(seen, `"/etc/kubernetes`) && !strings.Contains(seen, `</etc/kubernetes`) {
		n.t.Error("strace saw nothing of /etc/kubernetes")
	}
	if !r.Has("Nothing to change") {
		n.t.Errorf("it does not say that nothing was changed: %s", r)
	}
	n.stillQuiet("a second init", before)
	if !n.Sh("cat /etc/kubernetes/manifests/etcd.yaml").Has("--initial-cluster-state=existing") {
		n.t.Error("etcd would make a new cluster if its data were gone")
	}
	for _, p := range mustGet[podList](n, "pods", "-A").Items {
		if p.Status.ContainerStatuses[0].RestartCount != 0 {
			n.t.Errorf("%s was restarted", p.Metadata.Name)
		}
	}
	// The same eyes see a write when there is one.
	n.MustExec("rm", "/usr/local/bin/etcdutl")
	if bad, _, _ := n.writes("init", "phase", "tools"); len(bad) == 0 {
		n.t.Error("strace did not see how etcdutl was written")
	}
}

// quiet is what stays the same on a control plane to which nothing is done.
type quiet struct {
	files, containers, ledger string
	since                     map[string]string // per unit
}

func (n *Node) quiet() quiet {
	n.t.Helper()
	q := quiet{
		// Also times and inodes: a file may be written again with the same content.
		files:      n.MustExec("find", "/etc", "/opt", "/usr/local", "/var/lib/kubelet/config.yaml", "-not", "-name", "hosts", "-printf", "%p %i %T@ %m %U:%G %s\n"),
		containers: strings.Join(n.runningIDs(), "\n"),
		ledger:     n.MustSh("sha256sum /var/lib/bootstrap/ledger"),
		since:      map[string]string{},
	}
	for _, unit := range []string{"kubelet", "containerd"} {
		q.since[unit] = n.activeSince(unit)
	}
	return q
}

func (n *Node) stillQuiet(what string, before quiet) {
	n.t.Helper()
	now := n.quiet()
	if now.files != before.files {
		n.t.Errorf("files after %s:\n%s", what, strings.Join(diffLines(before.files, now.files), "\n"))
	}
	if now.containers != before.containers {
		n.t.Errorf("containers after %s:\n%s\nwere\n%s", what, now.containers, before.containers)
	}
	if now.ledger != before.ledger {
		n.t.Errorf("the ledger changed in %s", what)
	}
	for unit, since := range before.since {
		if now.since[unit] != since {
			n.t.Errorf("%s restarted %s", what, unit)
		}
	}
}

// containerOf is which container runs a component.
func (n *Node) containerOf(component string) string {
	n.t.Helper()
	p, err := n.mirrorPod(component)
	if err != nil {
		n.t.Fatal(err)
	}
	return p.containerID()
}

// containersBut is which container runs each of the other components.
func (n *Node) containersBut(component string) map[string]string {
	n.t.Helper()
	ids := map[string]string{}
	for _, c := range components {
		if c != component {
			ids[c] = n.containerOf(c)
		}
	}
	return ids
}
