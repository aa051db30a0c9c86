package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// nodeTrial is a command in a checkout on a machine that makes nodes, and what it prints.
type nodeTrial struct{ command, wants string }

// nodeTrials make a node with `make try`'s script, do to it what scripts/node can do, and
// leave nothing of it.
var nodeTrials = []nodeTrial{
	{"scripts/try", `(?m)^try +Ready `},
	{"scripts/node exec try stat -fc %T /sys/fs/cgroup", `^cgroup2fs$`},
	{"diff /sys/fs/cgroup/cgroup.controllers <(scripts/node exec try cat /sys/fs/cgroup/cgroup.controllers)", `^$`},
	{"scripts/node exec try grep -rnE 'failCgroupV1|InUserNamespace|restrict_oom_score_adj|oomScoreAdj' " +
		"/etc/kubernetes /etc/containerd /etc/systemd/system /var/lib/kubelet/config.yaml || (($? == 1))", `^$`},
	{"scripts/node limit try 50; cat /sys/fs/cgroup/*-try/cpu.max", `^50000 100000$`},
	{"scripts/node limit try 0; cat /sys/fs/cgroup/*-try/cpu.max", `^max 100000$`},
	{"scripts/node reboot --hard try; scripts/node exec try systemctl is-active containerd kubelet", `^active\nactive$`},
	{"scripts/node reboot try; scripts/node list", `^try\t10\.77\.0\.\d+\tup$`},
	// As after an accident: neither who keeps the node nor its nspawn tidies up.
	{"kill -9 $(cat .cache/nodes/try/{keeper,nspawn}); scripts/node down try; scripts/node list", `^$`},
	{"find /sys/fs/cgroup /run/systemd .cache/nodes -name '*-try' -o -path '*/nodes/try'", `^$`},
}

// tryNodes runs the trials in order, each by bash after the words of the prefix.
func (n *Node) tryNodes(prefix ...string) {
	n.t.Helper()
	for _, trial := range nodeTrials {
		start := time.Now()
		script := "export HOME=/root NODE_SLOW=12; cd " + checkout + "\n" + trial.command
		out := n.MustExec(slices.Concat(prefix, []string{"bash", "-ec", script})...)
		n.t.Logf("%s (%s)\n%s", trial.command, since(start), out)
		if !regexp.MustCompile(trial.wants).MatchString(strings.TrimSpace(out)) {
			n.t.Fatalf("%s: want %s:\n%s", trial.command, trial.wants, out)
		}
	}
}

// TestVMTry: on a machine with cgroup v2 and systemd, nodes are what they are on this one,
// and so are reset and what is said of a fault on them. An hour is enough for all.
func TestVMTry(t *testing.T) {
	for _, distribution := range selected(t, distributions, distributions[0]) {
		t.Run(distribution, func(t *testing.T) {
			n := upVMForNodes(t, distribution+"-nodes")
			n.Run("Try", t, func(n *Node) { n.tryNodes() })
			for _, test := range []string{"TestExact/Workload", "TestFaults/cluster/kubelet-stopped"} {
				n.Run(test, t, func(n *Node) { n.inner(test) })
			}
		})
	}
}

// TestVMContainer: the same in a privileged container of Docker's, made of what the
// virtual machine itself is made of, as there is no network to have an image from.
func TestVMContainer(t *testing.T) {
	n := upVMForNodes(t, "debian-13-docker")
	n.MustSh("tar -C / --one-file-system --exclude=./{var/lib/docker,boot,usr/lib/modules,root} --exclude=." + checkout +
		" -c . | docker import - debian")
	n.MustSh("docker run --detach --init --name maker --privileged --network none --volume /lib/modules:/lib/modules:ro " +
		"--volume /root:/root --volume " + checkout + ":" + checkout + " debian sleep infinity")
	n.tryNodes("docker", "exec", "maker")
}

// upVMForNodes boots a machine that has what scripts/node needs, with what was built here:
// compiling takes hours there.
func upVMForNodes(t *testing.T, distribution string) *Node {
	t.Helper()
	rootfs := finish(t, exec.CommandContext(t.Context(), path(nodeScript), "rootfs"), "rootfs")
	image := finish(t, exec.CommandContext(t.Context(), path("scripts/vm"), "image", distribution), "image")
	if rootfs.Code != 0 || image.Code != 0 {
		t.Fatal(rootfs, image)
	}
	start := time.Now()
	n := up(t, time.Hour, "scripts/vm", distribution)
	n.slow = emulated
	dir := strings.TrimSpace(rootfs.Out)
	n.unpack(filepath.Dir(dir), "/root/.cache/bootstrap/rootfs", filepath.Base(dir))
	n.unpack(checkout, checkout, "scripts", "testdata/faults", "bin/bootstrap", "bin/bootstrap-box", surveyProgram)
	tests, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.Copy(tests, path(testProgram))
	t.Logf("%s is up, with all that was built, after %s", distribution, since(start))
	return n
}

// testProgram is where these tests are in the machine.
const testProgram = "bin/e2e.test"

// unpack copies some folders and files of this machine into the node.
func (n *Node) unpack(from, to string, names ...string) {
	n.t.Helper()
	const script = `set -o pipefail
		from=$1 name=$2 to=$3; shift 3
		keep=(--xattrs --xattrs-include='*' --numeric-owner)
		tar "${keep[@]}" -C "$from" -c "$@" |
			scripts/vm exec "$name" sh -ec 'mkdir -p "$1"; tar -x -C "$@"' _ "$to" "${keep[@]}"`
	cmd := exec.CommandContext(n.ctx, "bash", append([]string{"-ec", script, "_", from, n.Name, to}, names...)...)
	cmd.Dir = checkout
	n.must(finish(n.t, cmd, "copy "+strings.Join(names, " ")))
}

// inner runs a test of these in the machine, on nodes there.
func (n *Node) inner(test string) {
	n.t.Helper()
	start := time.Now()
	exactly := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	r := n.Exec("env", "HOME=/root", path(testProgram), "-in-guest", "-name", "in-guest", "-test.v", "-test.run", exactly)
	n.t.Logf("%s (%s)", r, since(start))
	if r.Code != 0 || !r.Has("--- PASS: "+test+" ") {
		n.t.Errorf("%s does not pass", test)
	}
}
