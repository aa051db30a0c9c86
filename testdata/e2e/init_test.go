package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInitFromBox makes a control plane from one file without a network; its
// subtests go on with that node, in this order.
func TestInitFromBox(t *testing.T) {
	n := Up(t, 9*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustSh("cd /proc/sys/net/ipv4; echo 0 >ip_forward; echo 0 >conf/all/accept_redirects") // as hardening guides want it
	fresh := n.survey()

	run := n.MustBootstrap("init")
	if !run.Has("containerd of the bundle: this machine has no container runtime") {
		t.Errorf("init does not say which runtime it chose and why: %s", run)
	}
	if run.Has("this may be why") {
		t.Errorf("a cause is named on a healthy node: %s", run)
	}
	n.noNetwork()
	n.Healthy(30 * time.Second)
	n.checkNode()
	n.checkFileModes()
	for _, c := range components {
		n.checkConfined(c)
	}

	for _, each := range []struct {
		name string
		run  func(*Node)
	}{
		{"SecondInit", testSecondInit},
		{"ServerDryRun", testServerDryRun},
		{"SystemdVerify", testSystemdVerify},
		{"LogsAndExec", testLogs},
		{"Pod", testPod},
		{"Network", testNetwork}, // before the API server goes: CoreDNS can take a minute to find it again
		{"EditedCorefile", testEditedCorefile},
		{"DeleteMirrorPod", testDeleteMirrorPod},
		{"Status", testStatus},
		{"RemoveManifest", testRemoveManifest},
		{"KillComponent", testKillComponent},
		{"ChangedConfig", testChangedConfig},
		{"Reboot", testReboot},
		{"Reset", func(n *Node) { testReset(n, fresh) }},
	} {
		ok := t.Run(each.name, func(t *testing.T) { each.run(n.In(t)) })
		if !ok {
			break // the node is not what the next subtest expects
		}
	}
}

// noNetwork proves that nothing can have come from elsewhere.
func (n *Node) noNetwork() {
	n.t.Helper()
	// An address of TEST-NET-1, which nobody has.
	if r := n.Exec("timeout", "2", "bash", "-c", "echo >/dev/tcp/192.0.2.1/443"); r.Code == 0 {
		n.t.Errorf("the node has a way out: %s", r)
	}
	registry, _, _ := strings.Cut(n.manifest("etcd").Spec.Containers[0].Image, "/")
	if r := n.Exec("getent", "hosts", registry); r.Code == 0 {
		n.t.Errorf("%s resolves: %s", registry, r)
	}
}

func (n *Node) checkNode() {
	n.t.Helper()
	if _, ok := mustGet[node](n, "node", n.Name).Metadata.Labels["node-role.kubernetes.io/control-plane"]; !ok {
		n.t.Error("the Node is not labelled as control plane")
	}
	if answer := n.MustKubectl("get", "--raw", "/readyz"); answer != "ok" {
		n.t.Errorf("/readyz: %s", answer)
	}
}

// checkFileModes: secrets are root's alone.
func (n *Node) checkFileModes() {
	n.t.Helper()
	files := strings.Split(strings.TrimSpace(n.MustExec("find", "/etc/kubernetes", "-type", "f", "-printf", "%m %U:%G %p\n")), "\n")
	if len(files) < 25 {
		n.t.Errorf("only %d files in /etc/kubernetes", len(files))
	}
	public := regexp.MustCompile(`^644 0:0 \S+\.crt$`)
	private := regexp.MustCompile(`^600 0:0 \S+\.(key|pub|conf|yaml)$`)
	for _, file := range files {
		if !public.MatchString(file) && !private.MatchString(file) {
			n.t.Errorf("mode, owner or name is wrong: %s", file)
		}
	}
}

// checkConfined looks at the process itself: what the kernel lets it do.
func (n *Node) checkConfined(component string) {
	n.t.Helper()
	pid := n.pid(component)
	status := n.MustExec("cat", "/proc/"+pid+"/status")
	caps := "0000000000000000"
	if component == "kube-apiserver" {
		caps = "0000000000000400" // CAP_NET_BIND_SERVICE
	}
	for _, want := range []string{"CapEff:\t" + caps, "CapBnd:\t" + caps, "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want+"\n") {
			n.t.Errorf("%s: no line %q in\n%s", component, want, status)
		}
	}
	mounts := n.MustExec("cat", "/proc/"+pid+"/mountinfo")
	if !regexp.MustCompile(`(?m)^\S+ \S+ \S+ \S+ / ro,`).MatchString(mounts) {
		n.t.Errorf("%s: its root is not mounted read-only:\n%s", component, mounts)
	}
}

// activeSince is when systemd started a unit.
func (n *Node) activeSince(unit string) string {
	n.t.Helper()
	since := strings.TrimSpace(n.MustExec("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit))
	if since == "" || since == "0" {
		n.t.Fatalf("%s is not active", unit)
	}
	return since
}

func (n *Node) containerIDs() []string {
	n.t.Helper()
	ids := strings.Fields(n.MustExec("ctr", "-n", "k8s.io", "containers", "ls", "-q"))
	slices.Sort(ids)
	return ids
}

// runningIDs leaves out what has ended: the kubelet removes that by itself, each minute.
func (n *Node) runningIDs() []string {
	n.t.Helper()
	ids := strings.Fields(n.MustSh(`ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" {print $1}'`))
	slices.Sort(ids)
	return ids
}

func testSystemdVerify(n *Node) {
	for _, unit := range []string{"kubelet.service", "containerd.service"} {
		if r := n.Exec("systemd-analyze", "verify", "/etc/systemd/system/"+unit); r.Code != 0 || r.Out+r.Err != "" {
			n.t.Error(r)
		}
		r := n.Exec("systemd-analyze", "security", "--offline=true", "--no-pager", "/etc/systemd/system/"+unit)
		score := regexp.MustCompile(`Overall exposure level for \S+: \S+ \S+`).FindString(r.Out)
		if r.Code != 0 || score == "" {
			n.t.Error(r)
		}
		n.t.Log(score)
	}
}

func testLogs(n *Node) {
	// The API server must reach the kubelet, and be let in.
	n.Eventually(30*time.Second, "logs of kube-scheduler", func() error {
		r := n.Kubectl("logs", "-n", "kube-system", "kube-scheduler-"+n.Name)
		if r.Code != 0 || !r.Has("lease") {
			return errors.New(r.String())
		}
		return nil
	})
	r := n.Kubectl("exec", "-n", "kube-system", "etcd-"+n.Name, "--", "etcd", "--version")
	if r.Code != 0 || !r.Has("etcd Version") {
		n.t.Error(r)
	}
}

// pauseImage is the name that the bundle gives to its pause image.
func (n *Node) pauseImage() string {
	n.t.Helper()
	list := n.MustExec("/root/bootstrap", "bundle", "inspect")
	m := regexp.MustCompile(`(?m)^image +(\S+/pause:\S+) `).FindStringSubmatch(list)
	if m == nil {
		n.t.Fatalf("no pause image in the bundle:\n%s", list)
	}
	return m[1]
}

const plainPod = `apiVersion: v1
kind: Pod
metadata:
  name: plain
spec:
  automountServiceAccountToken: false
  containers:
  - name: plain
    image: %s
    imagePullPolicy: IfNotPresent
`

func testPod(n *Node) {
	n.Write("/tmp/pod.yaml", fmt.Sprintf(plainPod, n.pauseImage()))
	n.Eventually(30*time.Second, "pod is accepted", func() error {
		// Until the controller manager has made the default service account.
		if r := n.Kubectl("apply", "-f", "/tmp/pod.yaml"); r.Code != 0 {
			return errors.New(r.String())
		}
		return nil
	})
	n.Eventually(time.Minute, "pod is ready", func() error {
		p, err := get[pod](n, "pod", "plain")
		if err != nil {
			return err
		}
		return p.ready()
	})
	ip := mustGet[pod](n, "pod", "plain").Status.PodIP
	if a, err := netip.ParseAddr(ip); err != nil || !netip.MustParsePrefix("10.244.0.0/16").Contains(a) {
		n.t.Errorf("the pod's address is %q", ip)
	}
	n.MustExec("ping", "-c", "1", "-W", "2", ip)
}

// process is a component's PID and when it started, in ticks since boot.
func (n *Node) process(component string) string {
	n.t.Helper()
	pid := n.pid(component)
	return pid + " " + n.MustExec("cut", "-d", " ", "-f", "22", "/proc/"+pid+"/stat")
}

// task is what containerd itself says of a container.
func (n *Node) task(id string) string {
	n.t.Helper()
	for line := range strings.Lines(n.MustExec("ctr", "-n", "k8s.io", "tasks", "ls")) {
		if strings.HasPrefix(line, id) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return "none"
}

// retried is how long a mirror pod may take that the API server refuses once: a kubelet
// tries again after up to 90 s.
const retried = 2 * time.Minute

func testDeleteMirrorPod(n *Node) {
	before, err := n.mirrorPod("etcd")
	if err != nil {
		n.t.Fatal(err)
	}
	process, task := n.process("etcd"), n.task(before.containerID())
	n.MustKubectl("delete", "pod", "-n", "kube-system", "etcd-"+n.Name)
	owner, manifest := mustGet[node](n, "node", n.Name), n.manifest("etcd")
	var after pod
	n.Eventually(retried, "mirror pod is back", func() error {
		if after, err = n.mirrorPod("etcd"); err != nil {
			return err
		}
		if after.Metadata.UID == before.Metadata.UID {
			return errors.New("it is the old one")
		}
		return checkMirror(after, manifest, owner)
	})
	old, now := before.Status.ContainerStatuses[0], after.Status.ContainerStatuses[0]
	if old.ContainerID != now.ContainerID || !old.State.Running.StartedAt.Equal(now.State.Running.StartedAt) || now.RestartCount != old.RestartCount {
		n.t.Errorf("the container is %+v, was %+v", now, old)
	}
	if p := n.process("etcd"); p != process {
		n.t.Errorf("the process is %s, was %s", p, process)
	}
	if t := n.task(after.containerID()); t != task || !strings.HasSuffix(t, " RUNNING") {
		n.t.Errorf("the task is %s, was %s", t, task)
	}
}

func testRemoveManifest(n *Node) {
	const file = "/etc/kubernetes/manifests/kube-scheduler.yaml"
	name := "kube-scheduler-" + n.Name
	before, err := n.mirrorPod("kube-scheduler")
	if err != nil {
		n.t.Fatal(err)
	}
	n.MustExec("mv", file, "/root/kube-scheduler.yaml")
	n.Eventually(90*time.Second, "kube-scheduler is gone", func() error {
		if r := n.Exec("pgrep", "-x", "kube-scheduler"); r.Code == 0 {
			return fmt.Errorf("its process runs: %s", r.Out)
		}
		if r := n.Kubectl("get", "pod", "-n", "kube-system", name); !r.Has("NotFound") {
			return errors.New(r.String())
		}
		return nil
	})
	n.MustExec("mv", "/root/kube-scheduler.yaml", file)
	n.Healthy(retried)
	after, err := n.mirrorPod("kube-scheduler")
	if err != nil || after.containerID() == before.containerID() {
		n.t.Errorf("the container is the old one (%v)", err)
	}
}

func testKillComponent(n *Node) {
	for _, c := range components {
		n.t.Run(c, func(t *testing.T) {
			n := n.In(t)
			before, err := n.mirrorPod(c)
			if err != nil {
				t.Fatal(err)
			}
			manifest := n.manifest(c)
			n.MustExec("kill", "-9", n.pid(c))
			n.Eventually(2*time.Minute, c+" is back", func() error {
				after, err := n.mirrorPod(c)
				if err != nil {
					return err
				}
				if after.containerID() == before.containerID() {
					return errors.New("no new container yet")
				}
				owner, err := get[node](n, "node", n.Name)
				return errors.Join(err, checkMirror(after, manifest, owner))
			})
			n.Healthy(2 * time.Minute) // also what depends on it
		})
	}
}

func testReboot(n *Node) {
	boot := n.MustExec("journalctl", "--list-boots", "-q")
	ids := n.containerIDs()
	n.Reboot()
	if now := n.MustExec("journalctl", "--list-boots", "-q"); strings.Count(now, "\n") <= strings.Count(boot, "\n") {
		n.t.Fatalf("it did not boot again:\n%s", now)
	}
	manifests := map[string]pod{}
	for _, c := range components {
		manifests[c] = n.manifest(c)
	}
	n.Eventually(2*time.Minute, "control plane after the reboot", func() error {
		if err := n.healthy(manifests); err != nil {
			return err
		}
		for _, c := range components {
			// Ready may be what was true before.
			p, err := n.mirrorPod(c)
			if err != nil || slices.Contains(ids, p.containerID()) {
				return fmt.Errorf("%s: still the container of before (%w)", c, err)
			}
		}
		return nil
	})
	if v := strings.TrimSpace(n.MustExec("cat", "/proc/sys/net/ipv4/ip_forward")); v != "1" {
		n.t.Errorf("ip_forward is %s", v)
	}
}

// leftovers are also in the survey; here they are named.
var leftovers = []string{
	"/etc/kubernetes", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/run/containerd", "/var/lib/bootstrap",
	"/etc/containerd", "/etc/cni", "/opt/cni", "/opt/containerd", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
	"/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d", "/etc/systemd/system/containerd.service",
	"/usr/local/bin/kubelet", "/usr/local/bin/kubectl", "/usr/local/bin/containerd", "/usr/local/bin/runc",
	"/etc/sysctl.d/99-bootstrap.conf", "/etc/modules-load.d/bootstrap.conf",
}

func testReset(n *Node, fresh survey) {
	n.MustReset("/root/bootstrap")
	if r := n.Exec(append([]string{"ls", "-d"}, leftovers...)...); r.Out != "" {
		n.t.Errorf("left over by reset:\n%s", r.Out)
	}
	n.SameSurvey("after reset", fresh)
	if r := n.MustBootstrap("reset", "--force"); !r.Has("Nothing to undo") {
		n.t.Errorf("second reset: %s", r)
	}
}
