package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// distributions are those of scripts/vms/distributions, the first in the fast selection.
var distributions = []string{"debian-13", "debian-12"}

// emulated is how much longer than on a node things may take in a machine whose CPU
// is emulated.
const emulated = 12

// folder is where a provisioner puts its files.
const folder = "/home/admin/cluster"

// vm is a virtual machine and what its tests compare with.
type vm struct {
	before, rebooted survey // without anything of bootstrap's; the same after another boot
	made             tree
}

type vmStep struct {
	name string
	run  func(*vm, *Node)
}

// vmSteps go on with one machine, in this order. The fast selection ends with the first
// reboot.
func vmSteps(distribution string) []vmStep {
	steps := []vmStep{{"Init", (*vm).init}, {"Reboot", (*vm).reboot}}
	if !*runAll {
		return steps
	}
	steps = append(steps, vmStep{"PowerCut", (*vm).powerCut}, vmStep{"Reset", (*vm).reset}, vmStep{"RebootAfterReset", (*vm).rebootAfterReset})
	if distribution == distributions[0] {
		for _, point := range cutPoints {
			steps = append(steps, vmStep{"Cut in " + point.phase(), cutAt(point)})
		}
	} else {
		steps = append(steps, vmStep{"CutFiveTimes", cutAt(cutPoints...)})
	}
	return append(steps, vmStep{"CIJob", (*vm).ciJob})
}

// cutPoint is what init prints when its power is cut.
type cutPoint struct {
	text   string
	served bool // the API server had made what it begins with
}

var cutPoints = []cutPoint{
	{"runtime              containerd of the bundle", false},
	{"images               waiting: ", false},
	{"kubelet-start        done", false},
	{"control-plane        done", true},
	{"wait-addons          waiting: ", true},
}

func (c cutPoint) phase() string { return strings.Fields(c.text)[0] }

// TestVM: on a machine with a kernel of its own, plain Debian and no network, init makes
// a cluster that survives reboots and power cuts, and reset takes it away.
func TestVM(t *testing.T) {
	for _, distribution := range selected(t, distributions, distributions[0]) {
		t.Run(distribution, func(t *testing.T) {
			n, m := upVM(t, distribution), &vm{}
			if *runAll {
				m.look(n)
			}
			for _, step := range vmSteps(distribution) {
				if !t.Run(step.name, func(t *testing.T) { step.run(m, n.In(t)) }) {
					break // the machine is not what the next step expects
				}
			}
		})
	}
}

func upVM(t *testing.T, distribution string) *Node {
	t.Helper()
	start := time.Now()
	n := up(t, 2*time.Hour, "scripts/vm", distribution)
	n.slow = emulated
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustSh("mkdir " + folder + "; ln /root/bootstrap " + folder + "/bootstrap")
	n.Copy("scripts/vms/provision", folder+"/provision")
	n.MustExec("sync")
	t.Logf("%s is up, with the program in it, after %s", distribution, since(start))
	t.Logf("%s", n.MustSh("uname -sr; systemctl --version | head -n 1; stat -fc '%T' /sys/fs/cgroup; nproc; free -m | head -n 2"))
	return n
}

func since(start time.Time) time.Duration { return time.Since(start).Round(100 * time.Millisecond) }

// look surveys the machine. The first boot does things that no other does, and the first
// survey loads modules by looking.
func (m *vm) look(n *Node) {
	n.t.Helper()
	n.Reboot()
	n.survey()
	m.before = n.survey()
	n.Reboot()
	n.survey()
	m.rebooted = n.survey()
	n.t.Logf("two boots of a machine that nothing was done to differ in: %s", strings.Join(m.before.diff(m.rebooted), "\n"))
}

// init makes a control plane in the way of scripts/vms/Vagrantfile.
func (m *vm) init(n *Node) {
	before := n.memory()
	start := time.Now()
	r := n.Sh(strings.ReplaceAll(peakMemory, "PROVISION", folder+"/provision control-plane "+n.IP))
	n.log.Result = r
	n.must(r)
	n.t.Logf("init took %s; %s; memory in use: before %s, after %s MiB", since(start), lastLine(r.Out), before, n.memory())
	if r.Has("this may be why") {
		n.t.Errorf("a cause is named on a healthy machine: %s", r)
	}
	n.noNetwork()
	m.healthy(n)
	m.made = n.made()
	n.kernelAsAsked()
	n.nothingOfContainers()
}

// memory is what is in use, in MiB.
func (n *Node) memory() string {
	n.t.Helper()
	return strings.Fields(n.MustExec("free", "-m"))[8]
}

// peakMemory runs a command and tells, as the last line, how much memory bootstrap had
// at most.
const peakMemory = `
PROVISION & run=$!
while kill -0 $run 2>/dev/null; do
	now=$(grep -hs ^VmHWM: /proc/$(pgrep -x bootstrap | head -n 1)/status) || true
	peak=${now:-$peak}
	sleep 2
done
wait $run
echo "peak memory of bootstrap: $peak"`

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndex(text, "\n")+1:]
}

// healthy waits until all pods are ready, without a hand on the machine, in other
// containers than before.
func (m *vm) healthy(n *Node, before ...string) {
	n.t.Helper()
	n.Healthy(time.Minute)
	n.podsReadyAnew(before, "-n", "kube-system")
}

// again runs init as it was run first.
func (m *vm) again(n *Node) Result {
	n.t.Helper()
	return n.MustBootstrap("init", "--config", folder+"/init.yaml")
}

// kernelAsAsked: what containers need of the kernel is there.
func (n *Node) kernelAsAsked() {
	n.t.Helper()
	if kind := strings.TrimSpace(n.MustExec("stat", "-fc", "%T", "/sys/fs/cgroup")); kind != "cgroup2fs" {
		n.t.Errorf("/sys/fs/cgroup is %s", kind)
	}
	group := n.MustExec("cat", "/proc/"+n.pid("kube-apiserver")+"/cgroup")
	if !regexp.MustCompile(`^0::/kubepods\.slice/kubepods-burstable\.slice/kubepods-burstable-pod\w+\.slice/cri-containerd-\w+\.scope\n$`).MatchString(group) {
		n.t.Errorf("kube-apiserver is not in a cgroup of systemd's making: %s", group)
	}
	modules := n.MustExec("cat", "/proc/modules")
	for _, module := range []string{"overlay", "br_netfilter"} {
		if !regexp.MustCompile(`(?m)^` + module + ` `).MatchString(modules) {
			n.t.Errorf("no module %s", module)
		}
	}
	waits := n.MustExec("systemctl", "show", "--property", "TimeoutStopUSec", "--value", "cri-containerd-*.scope")
	if left := strings.ReplaceAll(waits, "30s", ""); waits == "" || strings.TrimSpace(left) != "" {
		n.t.Errorf("a shutdown waits for containers as long as %q", waits)
	}
	for _, setting := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if value := strings.TrimSpace(n.MustExec("cat", "/proc/sys/"+setting)); value != "1" {
			n.t.Errorf("%s is %s", setting, value)
		}
	}
}

// nothingOfContainers: no setting is there that only nodes in containers need.
func (n *Node) nothingOfContainers() {
	n.t.Helper()
	found := n.Sh("grep -rnE 'failCgroupV1|InUserNamespace|restrict_oom_score_adj|oomScoreAdj' /etc/kubernetes /etc/containerd /etc/systemd/system /var/lib/kubelet/config.yaml /etc/sysctl.d")
	if found.Code != 1 {
		n.t.Errorf("settings for nodes in containers: %s", found)
	}
	proxy := n.MustKubectl("get", "configmap", "kube-proxy", "-n", "kube-system", "-o", "yaml")
	if regexp.MustCompile(`(maxPerCore|min): 0\b`).MatchString(proxy) {
		n.t.Errorf("kube-proxy may not count connections: %s", proxy)
	}
}

// remember makes an object that must be there later, and returns once etcd has it.
func (n *Node) remember(name string) {
	n.t.Helper()
	n.MustKubectl("create", "configmap", name, "--from-literal=it=is")
}

// remembers: etcd is whole, and has what was made.
func (n *Node) remembers(name string) {
	n.t.Helper()
	if value := n.MustKubectl("get", "configmap", name, "-o", "jsonpath={.data.it}"); value != "is" {
		n.t.Errorf("%s is %q", name, value)
	}
	n.etcdWhole()
}

func (n *Node) etcdWhole() {
	n.t.Helper()
	n.t.Logf("etcd: %s", n.MustSh(`cd /etc/kubernetes/pki/etcd
		etcdctl --endpoints https://127.0.0.1:2379 --cacert ca.crt --cert healthcheck-client.crt --key healthcheck-client.key endpoint health
		etcdctl --endpoints https://127.0.0.1:2379 --cacert ca.crt --cert healthcheck-client.crt --key healthcheck-client.key endpoint hashkv`))
}

func (m *vm) reboot(n *Node) {
	n.remember("before-reboot")
	ids := n.containerIDs()
	start := time.Now()
	n.Reboot()
	booted := since(start)
	m.healthy(n, ids...)
	n.t.Logf("booted again after %s, all pods ready after %s", booted, since(start))
	n.remembers("before-reboot")
	n.kernelAsAsked()
	n.SameTree("a reboot changes files", m.made, n.made())
}

// cut cuts the power and turns the machine on again.
func (n *Node) cut() {
	n.t.Helper()
	n.must(n.run("cut", n.Name))
	n.must(n.run("up", n.Name))
}

func (m *vm) powerCut(n *Node) {
	n.remember("before-cut")
	ids := n.containerIDs()
	start := time.Now()
	n.cut()
	m.healthy(n, ids...)
	n.t.Logf("all pods ready %s after the power was cut", since(start))
	n.noTornFiles()
	n.remembers("before-cut")
	n.SameTree("a power cut changes files", m.made, n.made())
	start = time.Now()
	again := n.events(n.Bootstrap("init", "--config", folder+"/init.yaml", "-o", "json"))
	if len(again.changes) > 0 {
		n.t.Errorf("after a power cut, init changes %v", again.changes)
	}
	n.t.Logf("init again took %s, and changed nothing", since(start))
}

func (m *vm) reset(n *Node) {
	start := time.Now()
	r := n.MustReset("/root/bootstrap")
	n.t.Logf("reset took %s: %s", since(start), lastLine(r.Out))
	n.SameSurvey("after reset", m.before.butModules())
	n.checkKernel()
}

func (m *vm) rebootAfterReset(n *Node) {
	n.Reboot()
	n.survey()
	n.SameSurvey("after reset and a reboot", m.rebooted)
}

// TestVMClock makes a cluster while the clock is ahead. Once it is right, status says when the certificates
// will be valid, and init ends at once. Nodes can't have a clock of their own.
func TestVMClock(t *testing.T) {
	n := upVM(t, distributions[0])
	n.Write("/root/init.yaml", "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: "+n.IP+"}\n")
	n.MustExec("date", "-s", "+2 hours")
	n.MustBootstrap("init", "--config", "/root/init.yaml")
	n.MustExec("date", "-s", "-2 hours")
	if r := n.Bootstrap("status"); r.Code != 1 || !r.Has("not valid yet: the last will be from") || !r.Has("bootstrap reset, then bootstrap init") {
		n.t.Errorf("status: %s", r)
	}
	start := time.Now()
	r := n.Bootstrap("init", "--config", "/root/init.yaml")
	if r.Code != 2 || !r.Has("/ca.crt: it is not valid before") || time.Since(start) > emulated*20*time.Second {
		n.t.Errorf("init again, after %s: %s", since(start), r)
	}
	n.MustReset("/root/bootstrap")
}

// cutAt cuts the power in the middle of init, as soon as it has printed a text; with more
// texts, also in the runs that go on with it. Run once more, init makes what it would have
// made, and reset takes it away.
func cutAt(points ...cutPoint) func(*vm, *Node) {
	return func(m *vm, n *Node) {
		booted := ""
		for _, point := range points {
			boot := n.cutInit(point.text)
			if booted == "" && point.served {
				booted = boot
			}
		}
		start := time.Now()
		r := m.again(n)
		n.t.Logf("init again took %s", since(start))
		if !r.Has("going on") {
			n.t.Errorf("it does not say that it goes on: %s", r)
		}
		m.healthy(n)
		n.noTornFiles()
		n.SameTree("init differs from an undisturbed one", m.made, n.made())
		n.etcdWhole()
		if booted != "" {
			n.etcdKept(booted)
		}
		m.reset(n)
	}
}

// cutInit gives the time of the next boot, in UTC as Kubernetes writes it.
func (n *Node) cutInit(moment string) string {
	n.t.Helper()
	s := n.StartInit("--config", folder+"/init.yaml")
	s.await(moment)
	n.cut()
	if <-s.done; s.err == nil {
		n.t.Fatalf("init had ended before the power was cut: %s", s)
	}
	found := n.Sh("/root/bootstrap ledger | tail -n 3; find /etc/kubernetes /var/lib/bootstrap /usr/local/bin -type f -size 0 -printf 'empty: %p\\n'")
	n.t.Logf("the power was cut at %q; after that there is:\n%s", moment, found.Out)
	return strings.TrimSpace(n.MustSh("date -u -d @$(awk '/^btime/ {print $2}' /proc/stat) +%FT%TZ"))
}

// etcdKept: what the API server had made before the machine booted is there, not made anew.
func (n *Node) etcdKept(booted string) {
	n.t.Helper()
	made := n.MustKubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.creationTimestamp}")
	if made >= booted {
		n.t.Errorf("etcd lost what it had: kube-system is of %s, the machine booted at %s", made, booted)
	}
}

// joinToken is of the form that Vagrantfile makes.
const joinToken = "abcdef.0123456789abcdef"

// TestVMWorker: two machines become a cluster in the way of scripts/vms/Vagrantfile.
func TestVMWorker(t *testing.T) {
	server, worker := upVM(t, distributions[0]), upVM(t, distributions[0])
	worker.Copy(".cache/components/kubeadm/kubeadm", folder+"/kubeadm")
	server.MustExec(folder+"/provision", "control-plane", server.IP, joinToken)
	start := time.Now()
	worker.MustExec(folder+"/provision", "worker", worker.IP, joinToken, server.IP)
	server.Eventually(time.Minute, "the worker is ready", func() error {
		joined, err := get[node](server, "node", worker.Name)
		if err != nil {
			return err
		}
		return isTrue(joined.Status.Conditions, "Ready")
	})
	server.podsReady("-n", "kube-system")
	t.Logf("the worker was ready %s after its provisioning began", since(start))
	if r := worker.MustExec(folder+"/provision", "worker", worker.IP, joinToken, server.IP); r != "" {
		t.Errorf("provisioned again, a worker does %s", r)
	}
}
