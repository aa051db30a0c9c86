package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// exactCases are states of a machine from which reset must lead back to where it
// was before init.
var exactCases = []exactCase{
	{"Workload", func(n *Node) {
		n.initWithWorkload()
	}},
	{"ContainerdStopped", func(n *Node) {
		n.initWithWorkload()
		n.MustExec("systemctl", "stop", "containerd")
	}},
	{"KubeletStopped", func(n *Node) {
		n.initWithWorkload()
		n.MustExec("systemctl", "stop", "kubelet")
	}},
	{"BothStopped", func(n *Node) {
		n.initWithWorkload()
		n.MustExec("systemctl", "stop", "kubelet", "containerd")
	}},
	{"BrokenAPIServer", func(n *Node) {
		n.initWithWorkload()
		n.breakAPIServer()
	}},
	{"RuntimeKilled", func(n *Node) {
		n.initWithWorkload()
		n.MustSh("systemctl kill -s KILL kubelet containerd") // shims too
	}},
	{"FailedInit", func(n *Node) {
		n.Write("/tmp/e2e/broken.yaml", brokenConfig)
		r := n.Bootstrap("init", "--config", "/tmp/e2e/broken.yaml", "--timeout", "15s")
		if r.Code != 1 {
			n.t.Fatalf("it should have failed: %s", r)
		}
	}},
	{"KilledInRuntime", killedAt("runtime              containerd of the bundle")},
	{"KilledInImages", killedAt("runtime              done")},
	{"KilledInKubelet", killedAt("kubelet              kubelet /usr/local/bin/kubelet")},
	{"KilledInWait", killedAt("the control plane must be healthy within")},
	{"KilledAtTheEnd", killedAt("control-plane        done")},
	{"BundleGone", func(n *Node) {
		n.initWithWorkload()
	}},
	{"Rebooted", func(n *Node) {
		n.initWithWorkload()
		n.Reboot()
	}},
}

type exactCase struct {
	name    string
	prepare func(*Node)
}

// program is what does the reset.
func (c exactCase) program() string {
	if c.name == "BundleGone" {
		return "/opt/bootstrap"
	}
	return "/root/bootstrap"
}

func (c exactCase) String() string { return c.name }

func killedAt(text string) func(*Node) {
	return func(n *Node) {
		if r := n.StartInit().Kill("KILL", text); r.Code != 137 {
			n.t.Fatalf("it was not killed in time: %s", r)
		}
	}
}

// TestExact: after reset the machine is what it was before init, whatever state it
// was in.
func TestExact(t *testing.T) {
	n := exactNode(t)
	cases := selected(t, exactCases, exactCases[:2]...)
	for _, c := range cases {
		if ok := t.Run(c.name, func(t *testing.T) { n.In(t).exact(c) }); !ok {
			n.down() // it may not be what the next case expects
			n = exactNode(t)
		}
	}
}

func exactNode(t *testing.T) *Node {
	n := Up(t, 20*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Copy("bin/bootstrap", "/opt/bootstrap")
	n.MustSh("mkdir -p /srv/data && echo theirs >/srv/data/file")
	n.setKernel()
	n.survey() // where the kernel has modules, the first one loads some by looking
	return n
}

func (n *Node) exact(c exactCase) {
	n.t.Helper()
	before := n.survey()
	c.prepare(n)
	n.MustReset(c.program())
	n.SameSurvey("after reset", before)
	n.checkKernel()
}

// MustReset is reset, and its verdict is clean.
func (n *Node) MustReset(program string, args ...string) Result {
	n.t.Helper()
	r := n.Exec(append([]string{program, "reset", "--force"}, args...)...)
	n.log.Result = r
	if r.Code != 0 || !strings.Contains("\n"+r.Out, "\nclean") {
		n.t.Errorf("not clean: %s", r)
	}
	return r
}

// workload has a volume of every kind that needs no storage of its own, and a
// port of the host.
const workload = `apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {key: value}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {key: value}
---
apiVersion: v1
kind: Service
metadata: {name: all}
spec:
  selector: {app: all}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: all, labels: {app: all}}
spec:
  containers:
  - name: all
    image: %s
    imagePullPolicy: IfNotPresent
    ports: [{containerPort: 80, hostPort: 8080}]
    volumeMounts:
    - {name: config, mountPath: /config}
    - {name: config, mountPath: /config-key, subPath: key}
    - {name: secret, mountPath: /secret}
    - {name: disk, mountPath: /disk}
    - {name: disk, mountPath: /disk-sub, subPath: a/b}
    - {name: memory, mountPath: /memory}
    - {name: projected, mountPath: /projected}
    - {name: downward, mountPath: /downward}
    - {name: host, mountPath: /host, mountPropagation: Bidirectional}
    securityContext: {privileged: true}
  volumes:
  - {name: config, configMap: {name: config}}
  - {name: secret, secret: {secretName: secret}}
  - {name: disk, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory}}
  - name: projected
    projected:
      sources:
      - serviceAccountToken: {path: token}
      - configMap: {name: config}
      - secret: {name: secret}
  - name: downward
    downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
  - {name: host, hostPath: {path: /srv/data, type: Directory}}
`

func (n *Node) initWithWorkload() {
	n.t.Helper()
	n.MustBootstrap("init")
	n.startWorkload()
}

// startWorkload returns when all that the workload needs is mounted and forwarded.
func (n *Node) startWorkload() {
	n.t.Helper()
	n.Write("/tmp/e2e/workload.yaml", fmt.Sprintf(workload, n.pauseImage()))
	n.Eventually(30*time.Second, "workload is accepted", func() error {
		// Until the controller manager has made the default service account.
		return n.Kubectl("apply", "-f", "/tmp/e2e/workload.yaml").err()
	})
	n.Eventually(time.Minute, "workload runs", func() error {
		p, err := get[pod](n, "pod", "all")
		if err != nil {
			return err
		}
		return p.ready()
	})
	mounts := n.MustExec("cat", "/proc/self/mountinfo")
	for _, part := range []string{"/volume-subpaths/config/all/", "/volume-subpaths/disk/all/", "kubernetes.io~secret/secret ", "kubernetes.io~projected/projected ", "kubernetes.io~empty-dir/memory "} {
		if !strings.Contains(mounts, part) {
			n.t.Errorf("the workload mounts no %s:\n%s", part, mounts)
		}
	}
	if rules := n.MustSh("iptables-nft-save; nft list ruleset"); !strings.Contains(rules, "8080") {
		n.t.Errorf("no rule for the host's port:\n%s", rules)
	}
}

// breakAPIServer is a mistake in its manifest. Of a static pod with a fixed UID the
// kubelet takes a new image, but no new argument.
func (n *Node) breakAPIServer() {
	n.t.Helper()
	n.MustSh(`sed -i -E 's|(image: .*kube-apiserver:)[^"]*|\1broken|' /etc/kubernetes/manifests/kube-apiserver.yaml
		grep -q kube-apiserver:broken /etc/kubernetes/manifests/kube-apiserver.yaml`)
	n.Eventually(time.Minute, "the API server is down", func() error {
		if n.Exec("curl", "-sk", "--max-time", "2", "https://127.0.0.1:6443/livez").Code == 0 {
			return errors.New("it answers")
		}
		return nil
	})
}

// kernelSettings are what a kubelet changes for the whole machine, with the
// kernel's own values. They are not in the survey: nodes share one kernel.
var kernelSettings = []struct{ file, value string }{
	{"/proc/sys/vm/overcommit_memory", "0"},
	{"/proc/sys/kernel/panic", "0"},
	{"/proc/sys/kernel/panic_on_oops", "0"},
}

// setKernel gives the kernel its own values until the test ends.
func (n *Node) setKernel() {
	n.t.Helper()
	for _, s := range kernelSettings {
		was := n.MustExec("cat", s.file)
		n.t.Cleanup(func() { // not by the node, which may be gone: it is this machine's kernel
			if err := os.WriteFile(s.file, []byte(was), 0o644); err != nil {
				n.t.Error(err)
			}
		})
		n.MustSh("echo " + s.value + " >" + s.file)
	}
}

func (n *Node) checkKernel() {
	n.t.Helper()
	for _, s := range kernelSettings {
		if now := strings.TrimSpace(n.MustExec("cat", s.file)); now != s.value {
			n.t.Errorf("after reset %s is %s, was %s", s.file, now, s.value)
		}
	}
}
