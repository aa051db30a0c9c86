package e2e

import (
	"strings"
	"testing"
	"time"
)

// upstreamUnit is containerd's own, in what matters.
const upstreamUnit = `[Unit]
Description=containerd container runtime
After=network.target

[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
LimitNPROC=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`

// nodeConfig is what this kind of node needs, and nothing else: the image that
// pods are started with is containerd's default.
const nodeConfig = `version = 3

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = true
`

// theirs are the files of a containerd that somebody else installed.
var theirs = []string{
	"/usr/bin/containerd", "/usr/bin/containerd-shim-runc-v2", "/usr/bin/ctr", "/usr/bin/runc",
	"/etc/containerd/config.toml", "/etc/systemd/system/containerd.service",
}

// InstallContainerd does what a distribution's package would.
func (n *Node) InstallContainerd() {
	n.t.Helper()
	for _, program := range []string{"containerd/containerd", "containerd/containerd-shim-runc-v2", "containerd/ctr", "runc/runc"} {
		n.Copy(".cache/components/"+program, "/usr/bin/"+program[strings.Index(program, "/")+1:])
	}
	n.Write("/etc/containerd/config.toml", nodeConfig)
	n.Write("/etc/systemd/system/containerd.service", upstreamUnit)
	n.MustSh("chmod 644 /etc/containerd/config.toml /etc/systemd/system/containerd.service; systemctl daemon-reload; systemctl enable --now -q containerd")
	n.MustExec("ctr", "version") // it makes a file of its own once anybody asks for its status
}

// state is a listing with times and hashes.
func (n *Node) state(files []string) string {
	n.t.Helper()
	return n.MustExec(append([]string{"stat", "-c", "%n %i %Y %a %U:%G %s"}, files...)...) +
		n.MustExec(append([]string{"sha256sum"}, files...)...)
}

func TestExistingContainerd(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.InstallContainerd()
	n.MustExec("systemctl", "disable", "-q", "containerd") // as Fedora's package leaves it
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	fresh := n.survey()
	files, since := n.state(theirs), n.activeSince("containerd")
	untouched := func(when string) {
		t.Helper()
		if now := n.state(theirs); now != files {
			t.Errorf("after %s containerd's files are\n%swere\n%s", when, now, files)
		}
		if now := n.activeSince("containerd"); now != since {
			t.Errorf("%s restarted containerd", when)
		}
	}

	run := n.MustBootstrap("init", "--timeout", "90s")
	if !run.Has("/run/containerd/containerd.sock: it is there already, and stays as it is") {
		t.Errorf("init does not say which runtime it chose and why: %s", run)
	}
	n.Healthy(30 * time.Second)
	untouched("init")
	n.MustExec("systemctl", "is-enabled", "containerd")
	n.checkPinned()
	n.checkPods()
	if r := n.Exec("ls", "/usr/local/bin/containerd", "/usr/local/bin/runc"); r.Out != "" {
		t.Errorf("a second runtime is installed: %s", r.Out)
	}
	n.MustSh(`image=` + n.pauseImage() + `
		ctr -n k8s.io images export --local /tmp/pause.tar $image
		ctr -n other images import /tmp/pause.tar
		ctr -n other run --null-io -d $image theirs
		rm /tmp/pause.tar`)

	n.MustBootstrap("reset", "--force")
	untouched("reset")
	if ids := n.containerIDs(); len(ids) > 0 {
		t.Errorf("containers of Kubernetes are left: %v", ids)
	}
	if tasks := n.MustExec("ctr", "-n", "other", "tasks", "ls"); !strings.Contains(tasks, "RUNNING") {
		t.Errorf("another user's container is gone:\n%s", tasks)
	}
	n.MustSh(`ctr -n other tasks delete -f theirs; ctr -n other containers delete theirs
		find /sys/fs/cgroup -depth -type d -path '/sys/fs/cgroup*/other*' -exec rmdir {} ';'`) // runc leaves it
	// Its store and what it makes at run time are its own.
	n.SameSurvey("after reset", fresh, "/var/lib/containerd", "/opt/containerd", "/run/containerd")
}
