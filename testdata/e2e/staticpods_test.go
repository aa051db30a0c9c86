package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// staticPods is what of static-pod list -o json is looked at here.
type staticPods struct {
	Path string
	Pods []listedPod
}

type listedPod struct {
	Namespace, Name, Pod, File, Hash, State, Problem string
	Containers                                       []struct{ ID, State string }
	Mirror                                           *struct {
		Name, Hash string
		Ready      bool
	}
}

func (n *Node) staticPods() staticPods {
	n.t.Helper()
	var list staticPods
	if err := json.Unmarshal([]byte(n.MustBootstrap("static-pod", "list", "-o", "json").Out), &list); err != nil {
		n.t.Fatal(err)
	}
	return list
}

// staticPod is the one of a name; zero without.
func (n *Node) staticPod(name string) listedPod {
	n.t.Helper()
	for _, p := range n.staticPods().Pods {
		if p.Name == name {
			return p
		}
	}
	return listedPod{}
}

// sleeper is a pod that needs no network and runs for ever.
const sleeper = `apiVersion: v1
kind: Pod
metadata:
  name: sleeper
  labels: {app: sleeper}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: sleeper
    image: %s
    imagePullPolicy: Never
`

var staticPodCases = []nodeCase{
	{"Refused", testRefusedManifests},
	{"Page", testStaticPodsPage},
	{"Mirror", testMirrorPod},
	{"NotAdmitted", testNotAdmitted},
	{"Drift", testStaticPodDrift},
	{"Causes", testStaticPodCauses},
	{"Accepted", testAcceptedManifests},
	{"Namespace", testMissingNamespace},
	{"Labels", testNodeLabels},
}

// TestStaticPods is about a user's static pods beside those of a control plane. Its
// subtests go on with one node, in this order.
func TestStaticPods(t *testing.T) {
	n := Up(t, 16*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustBootstrap("init")
	for _, each := range selected(t, staticPodCases, staticPodCases[:4]...) {
		if ok := t.Run(each.name, func(t *testing.T) { each.run(n.In(t)) }); !ok {
			break
		}
	}
}

// testRefusedManifests: each bad manifest is refused with its reason, and the directory
// is as it was, down to its times.
func testRefusedManifests(n *Node) {
	files, err := filepath.Glob(path("testdata/staticpod/bad-*.yaml"))
	if err != nil || len(files) < 25 {
		n.t.Fatalf("%d files, %v", len(files), err)
	}
	n.MustExec("mkdir", "-p", "/root/bad")
	const listing = "stat -c '%n %i %z %s' /etc/kubernetes/manifests /etc/kubernetes/manifests/* /etc/kubernetes/manifests/.[!.]* 2>/dev/null || true"
	before := n.MustSh(listing)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			n.t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(data), "# want: ")
		n.Copy(file, "/root/bad/pod.yaml")
		r := n.Sh("cd /root/bad; /root/bootstrap static-pod apply -f pod.yaml")
		want = "bootstrap: error: " + strings.ReplaceAll(want, "# want: ", "bootstrap: error: ")
		if r.Code != 2 || r.Err != want || r.Out != "" {
			n.t.Errorf("%s: want\n%sgot %s", filepath.Base(file), want, r)
		}
	}
	for port, holder := range map[string]string{"10250": "(kubelet)", "6443": "the static pod kube-apiserver"} {
		n.Write("/root/bad/taken.yaml", fmt.Sprintf(sleeper, "example.test/x:1")+"    ports: [{containerPort: "+port+"}]\n")
		if r := n.Bootstrap("static-pod", "apply", "-f", "/root/bad/taken.yaml"); r.Code != 2 || !r.Has("port "+port+"/TCP of this machine is taken by ") || !r.Has(holder) {
			n.t.Errorf("port %s is taken: %s", port, r)
		}
	}
	if now := n.MustSh(listing); now != before {
		n.t.Errorf("the directory was\n%sand is\n%s", before, now)
	}
	n.t.Logf("%d bad manifests refused", len(files))
}

// testAcceptedManifests: what a kubelet takes is not refused, and what it does otherwise than people expect is told.
// The images are nowhere, so that no pod comes up.
func testAcceptedManifests(n *Node) {
	files, err := filepath.Glob(path("testdata/staticpod/[gw]*.yaml"))
	if err != nil || len(files) < 8 {
		n.t.Fatalf("%d files, %v", len(files), err)
	}
	n.MustExec("mkdir", "-p", "/root/good")
	for _, file := range files {
		n.Copy(file, "/root/good/accepted.yaml")
		r := n.Sh("cd /root/good; /root/bootstrap static-pod apply -f accepted.yaml --timeout 1s")
		warned := strings.HasPrefix(filepath.Base(file), "warned-")
		if r.Code == 2 || warned != r.Has("warning: accepted.yaml:") {
			n.t.Errorf("%s: want it taken, and warned of: %t: %s", filepath.Base(file), warned, r)
			continue
		}
		var pod struct {
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(n.MustExec("cat", "/etc/kubernetes/manifests/accepted.yaml")), &pod); err != nil {
			n.t.Fatal(err)
		}
		n.MustBootstrap("static-pod", "delete", pod.Metadata.Name, "-n", cmp.Or(pod.Metadata.Namespace, "default"))
	}
}

// testStaticPodsPage runs every command of the page, block by block, as a reader would.
func testStaticPodsPage(n *Node) {
	page, err := os.ReadFile(path("cmd/bootstrap/help/static-pods.md"))
	if err != nil {
		n.t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(string(page), -1)
	if len(blocks) < 6 {
		n.t.Fatalf("only %d blocks of commands", len(blocks))
	}
	script := "sudo() { \"$@\"; }\nbootstrap() { /root/bootstrap \"$@\"; }\nexport KUBECONFIG=/etc/kubernetes/admin.conf\ncd /root\nset -x\n"
	for _, block := range blocks {
		script += regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, "")
	}
	out := n.MustSh(script + "exec 2>&1\n")
	for _, want := range []string{
		"/etc/kubernetes/manifests\n", "default/web runs, from /etc/kubernetes/manifests/web.yaml\n", "OK", "default/web runs, from /etc/kubernetes/manifests/web.yaml; nothing was changed",
		"web-" + n.Name + " ready", "default/web is gone, as is /etc/kubernetes/manifests/web.yaml\n",
	} {
		if !strings.Contains(out, want) {
			n.t.Errorf("the commands of the page do not print %q:\n%s", want, out)
		}
	}
}

func (n *Node) mirror() pod {
	n.t.Helper()
	return mustGet[pod](n, "pod", "sleeper-"+n.Name)
}

// testMirrorPod: what the API has of a static pod, and what it can do to it.
func testMirrorPod(n *Node) {
	n.Write("/root/sleeper.yaml", fmt.Sprintf(sleeper, n.pauseImage()))
	n.MustBootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml")
	p, owner := n.mirror(), mustGet[node](n, "node", n.Name)
	owners, a := p.Metadata.OwnerReferences, p.Metadata.Annotations
	if len(owners) != 1 || owners[0].Kind != "Node" || owners[0].Name != n.Name || owners[0].UID != owner.Metadata.UID {
		n.t.Errorf("its owners are %v", owners)
	}
	if p.Metadata.Labels["app"] != "sleeper" || a["kubernetes.io/config.source"] != "file" || a["kubernetes.io/config.mirror"] == "" {
		n.t.Errorf("its labels are %v, its annotations %v", p.Metadata.Labels, a)
	}
	if err := p.ready(); err != nil {
		n.t.Errorf("apply came to its end, and %v", err)
	}
	ran := p.containerID()
	if shown := n.staticPod("sleeper"); shown.Hash != a["kubernetes.io/config.hash"] || shown.Mirror == nil || !shown.Mirror.Ready || shown.Problem != "" {
		n.t.Errorf("list has %+v", shown)
	}

	n.MustKubectl("delete", "pod", "sleeper-"+n.Name, "--wait=false")
	n.isMirroredAnew(p.Metadata.UID)
	n.MustBootstrap("static-pod", "wait", "sleeper-"+n.Name)

	n.checkEdits()
	n.MustKubectl("drain", n.Name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--disable-eviction", "--timeout=60s")
	after := n.mirror()
	n.MustKubectl("uncordon", n.Name)
	if after.containerID() != ran || after.ready() != nil {
		n.t.Errorf("after deletes, edits and a drain the container is %s, was %s: %v", after.containerID(), ran, after.ready())
	}
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml"); r.Code != 0 || !r.Has("nothing was changed") {
		n.t.Error(r)
	}
}

// isMirroredAnew waits for a mirror pod with another UID.
func (n *Node) isMirroredAnew(before string) {
	n.t.Helper()
	n.Eventually(retried, "another mirror pod", func() error {
		p, err := get[pod](n, "pod", "sleeper-"+n.Name)
		if err == nil && p.Metadata.UID == before {
			err = errors.New("it is still the one before")
		}
		return err
	})
}

// checkEdits: an edit is refused, or undone, or shows in the mirror alone until that goes.
func (n *Node) checkEdits() {
	n.t.Helper()
	name := "sleeper-" + n.Name
	patch := func(text string) Result { return n.Kubectl("patch", "pod", name, "--type=merge", "-p", text) }
	for _, text := range []string{
		`{"spec":{"hostNetwork":false}}`, `{"spec":{"containers":[{"name":"sleeper","image":"x","command":["/x"]}]}}`,
		`{"metadata":{"annotations":{"kubernetes.io/config.mirror":"x"}}}`,
	} {
		if r := patch(text); r.Code == 0 {
			n.t.Errorf("%s was let pass: %s", text, r)
		}
	}
	before := n.mirror().Metadata.UID
	n.must(n.Kubectl("set", "image", "pod/"+name, "sleeper=example.test/other:1"))
	if p := n.staticPod("sleeper"); p.State != "running" || !strings.Contains(p.Problem, "differs from the file: spec.containers[0].image") {
		n.t.Errorf("list does not tell of the edited mirror: %+v", p)
	}
	n.must(patch(`{"metadata":{"annotations":{"kubernetes.io/config.hash":"x"}}}`))
	if p := n.staticPod("sleeper"); !strings.Contains(p.Problem, "of another content") {
		n.t.Errorf("list does not tell of the edited hash: %+v", p)
	}
	if r := n.MustBootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml"); !r.Has("the mirror pod is not as the file has it") {
		n.t.Error(r)
	}
	if p := n.staticPod("sleeper"); p.Problem != "" || p.Mirror == nil || !p.Mirror.Ready || n.mirror().Metadata.UID == before {
		n.t.Errorf("apply does not undo the edits: %+v", p)
	}
}

// testStaticPodDrift: list tells of files that are gone, changed or broken while nobody
// reads them; and what the kubelet then makes of them is waited for.
func testStaticPodDrift(n *Node) {
	const file = "/etc/kubernetes/manifests/sleeper.yaml"
	n.MustSh(`systemctl stop kubelet; mv ` + file + ` /root/away.yaml`)
	if p := n.staticPod("sleeper"); p.File != "" || p.Problem != "its file is gone, and it still runs" || p.Mirror == nil {
		n.t.Errorf("its file is gone: %+v", p)
	}
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml"); r.Code != 2 || !r.Has("the kubelet does not run") || !r.Has("systemctl start kubelet") {
		n.t.Errorf("the kubelet is stopped: %s", r)
	}
	n.MustSh(`sed 's/app: sleeper/app: changed/' /root/away.yaml >` + file + `; echo 'kind: Deployment' >` + file + `.bak`)
	if p := n.staticPod("sleeper"); !strings.Contains(p.Problem, "differs from the file: metadata.labels.app") {
		n.t.Errorf("its file was changed: %+v", p)
	}
	broken := func(p listedPod) bool { return p.File == file+".bak" && p.State == "refused" }
	if list := n.staticPods(); !slices.ContainsFunc(list.Pods, broken) {
		n.t.Errorf("the broken file is not listed: %+v", list)
	}
	n.MustSh(`rm ` + file + `.bak; systemctl start kubelet`)
	n.Eventually(time.Minute, "the pod of the changed file", func() error {
		if p := n.staticPod("sleeper"); p.Problem != "" || p.State != "running" || p.Mirror == nil {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	ran := n.runningIDs()
	n.MustBootstrap("static-pod", "delete", "sleeper")
	if len(n.runningIDs()) >= len(ran) {
		n.t.Errorf("delete came to its end, and its containers run: %v", n.runningIDs())
	}
	if r := n.Bootstrap("static-pod", "delete", "kube-scheduler", "-n", "kube-system"); r.Code != 2 || !r.Has("bootstrap reset") {
		n.t.Errorf("delete of the control plane: %s", r)
	}
}

// podFaults are pods that can't run, each with the ID of the cause that apply must name.
var podFaults = []struct{ name, edit, id string }{
	{"image", `s#image: .*#image: example.test/none:1#; s#Never#IfNotPresent#`, "image-missing"},
	{"command", `s#imagePullPolicy#command: [/no/such]\n    imagePullPolicy#`, "image-cannot-run"},
	{"folder", `s#^spec:#spec:\n  volumes: [{name: x, hostPath: {path: /srv/none, type: Directory}}]#; s#imagePullPolicy#volumeMounts: [{name: x, mountPath: /x}]\n    imagePullPolicy#`, "host-path-missing"},
	{"user", `s#imagePullPolicy#securityContext: {runAsNonRoot: true, runAsUser: 0}\n    imagePullPolicy#`, "container-not-created"},
	{"processors", `s#imagePullPolicy#resources: {requests: {cpu: 1000}}\n    imagePullPolicy#`, "pod-not-admitted"},
	{"file in no folder", `s#^spec:#spec:\n  volumes: [{name: x, hostPath: {path: /srv/none/file, type: FileOrCreate}}]#; s#imagePullPolicy#volumeMounts: [{name: x, mountPath: /x}]\n    imagePullPolicy#`, "host-path-missing"},
	{"refused by the kubelet", `s#imagePullPolicy#resizePolicy: [{resourceName: gpu, restartPolicy: NotRequired}]\n    imagePullPolicy#`, "manifest-refused"},
}

// testStaticPodCauses: apply ends with the cause, and the pod is as it was asked for.
func testStaticPodCauses(n *Node) {
	for _, f := range podFaults {
		n.MustSh(`mkdir -p /root/faulty; sed '` + f.edit + `' /root/sleeper.yaml >/root/faulty/sleeper.yaml`)
		r := n.Bootstrap("static-pod", "apply", "-f", "/root/faulty/sleeper.yaml", "--timeout", "90s")
		if r.Code != 1 || !r.Has("bootstrap explain "+f.id+"\n") || !r.Has("bootstrap static-pod delete sleeper") {
			n.t.Errorf("%s: want %s, got %s", f.name, f.id, r)
		}
	}
	n.MustBootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml")
	n.MustBootstrap("static-pod", "delete", "sleeper")
}

// testMissingNamespace: apply ends soon, with the namespace in its error; once that is there, wait succeeds.
func testMissingNamespace(n *Node) {
	n.Write("/root/agent.yaml", strings.Replace(fmt.Sprintf(sleeper, n.pauseImage()), "name: sleeper\n", "name: agent\n  namespace: monitoring\n", 1))
	began := time.Now()
	r := n.Bootstrap("static-pod", "apply", "-f", "/root/agent.yaml")
	if took := time.Since(began); r.Code != 1 || !r.Has("the namespace monitoring is not there") || !r.Has("kubectl create namespace monitoring") || took > 20*time.Second {
		n.t.Errorf("after %s: %s", took, r)
	}
	n.MustKubectl("create", "namespace", "monitoring")
	n.MustBootstrap("static-pod", "wait", "agent", "-n", "monitoring")
	n.MustBootstrap("static-pod", "delete", "agent", "-n", "monitoring")
	n.MustKubectl("delete", "namespace", "monitoring", "--wait=false")
}

// testNodeLabels: a nodeSelector that does not match the Node is refused; what does, and a fixed UID, is
// let pass with a warning, and is no problem in the list.
func testNodeLabels(n *Node) {
	pod := strings.Replace(fmt.Sprintf(sleeper, n.pauseImage()), "name: sleeper\n", "name: sleeper\n  uid: 2f1b6a0e9d4c8b7a6f5e4d3c2b1a0f9e\n", 1)
	n.Write("/root/labels/sleeper.yaml", pod+"  nodeSelector: {disk: ssd}\n")
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/labels/sleeper.yaml"); r.Code != 2 || !r.Has("has no label disk=ssd") {
		n.t.Errorf("a label that is not there: %s", r)
	}
	n.Write("/root/labels/sleeper.yaml", pod+"  nodeSelector: {kubernetes.io/os: linux}\n")
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/labels/sleeper.yaml"); r.Code != 0 || !r.Has("warning: /root/labels/sleeper.yaml:") {
		n.t.Error(r)
	}
	if p := n.staticPod("sleeper"); p.Problem != "" || p.State != "running" {
		n.t.Errorf("%+v", p)
	}
	n.MustBootstrap("static-pod", "delete", "sleeper")
}

// testNotAdmitted: what the kubelet did not admit is listed so, and comes up when its file is applied
// again after there is room.
func testNotAdmitted(n *Node) {
	request := "resources: {requests: {memory: " + n.mostMemory() + "}}\n    imagePullPolicy"
	half := func(name string) string {
		pod := strings.ReplaceAll(fmt.Sprintf(sleeper, n.pauseImage()), "sleeper", name)
		return strings.Replace(pod, "imagePullPolicy", request, 1)
	}
	n.Write("/root/one.yaml", half("one"))
	n.Write("/root/two.yaml", half("two"))
	n.MustBootstrap("static-pod", "apply", "-f", "/root/one.yaml")
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/two.yaml", "--timeout", "30s"); r.Code != 1 || !r.Has("explain pod-not-admitted") {
		n.t.Error(r)
	}
	if p := n.staticPod("two"); p.State != "refused" || !strings.Contains(p.Problem, "no set of running pods found to reclaim resources: [(res: memory") {
		n.t.Errorf("%+v", p)
	}
	n.MustBootstrap("static-pod", "delete", "one")
	if r := n.Bootstrap("static-pod", "wait", "two", "--timeout", "30s"); r.Code != 1 || !r.Has("explain pod-not-admitted") {
		n.t.Errorf("nobody has made it look again: %s", r)
	}
	n.MustBootstrap("static-pod", "apply", "-f", "/root/two.yaml")
	if p := n.staticPod("two"); p.State != "running" || p.Problem != "" {
		n.t.Errorf("%+v", p)
	}
	n.MustBootstrap("static-pod", "delete", "two")
}

// mostMemory is a little more than half of what pods may request on this node.
func (n *Node) mostMemory() string {
	allocatable := strings.TrimSuffix(n.MustKubectl("get", "node", n.Name, "-o", "jsonpath={.status.allocatable.memory}"), "Ki")
	kib, err := strconv.Atoi(allocatable)
	if err != nil {
		n.t.Fatal(err)
	}
	return fmt.Sprintf("%dKi", kib*55/100)
}

// kubeletBase is what any kubelet on this kind of node needs.
const kubeletBase = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: systemd
failCgroupV1: false
featureGates: {KubeletInUserNamespace: true}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
`

// kubeletWay is one in which somebody has told a kubelet where its static pods are.
type kubeletWay struct {
	name string
	set  string // a script that does it
	path string // what static-pod path must say; empty: there is none
	from string
}

const theirConfig = "/etc/their/kubelet.yaml"

func (w kubeletWay) String() string { return w.name }

var kubeletWays = []kubeletWay{
	{"Flag", `sed -i "s#^ExecStart=.*#ExecStart=/usr/bin/kubelet --config=` + theirConfig + ` --pod-manifest-path=/srv/flag#" /etc/systemd/system/kubelet.service`,
		"/srv/flag", "--pod-manifest-path of the kubelet that runs"},
	{"Config", `echo "staticPodPath: /srv/config" >>` + theirConfig, "/srv/config", "staticPodPath in " + theirConfig},
	{"DropInDir", `echo "staticPodPath: /srv/config" >>` + theirConfig + `; mkdir -p /etc/their/kubelet.d
		printf "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: /srv/drop-in\n" >/etc/their/kubelet.d/10-pods.conf
		sed -i "s#^ExecStart=.*#& --config-dir=/etc/their/kubelet.d#" /etc/systemd/system/kubelet.service`,
		"/srv/drop-in", "staticPodPath in /etc/their/kubelet.d/10-pods.conf:3"},
	{"EnvironmentFile", `mkdir -p /etc/systemd/system/kubelet.service.d; echo "EXTRA=\"--v=1 --pod-manifest-path=/srv/env\"" >/etc/default/kubelet
		printf "[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=\nExecStart=/usr/bin/kubelet --config=` + theirConfig + ` \$EXTRA\n" >/etc/systemd/system/kubelet.service.d/10-extra.conf`,
		"/srv/env", "by EXTRA in /etc/default/kubelet"},
	{"None", `true`, "", "none is set of --pod-manifest-path"},
}

// TestStaticPodPaths: on kubelets that others have set up, each in another way and none
// with an API server, the directory is found, and a pod in it applied and removed.
func TestStaticPodPaths(t *testing.T) {
	n := Up(t, 6*time.Minute)
	n.InstallContainerd()
	n.installKubelet()
	n.Copy("bin/bootstrap", "/root/bootstrap")
	n.Copy(filepath.Join(bundleImages(t), "pause.tar"), "/root/pause.tar")
	image := strings.TrimSpace(n.MustSh(`ctr -n k8s.io images import /root/pause.tar >/dev/null
		image=$(ctr -n k8s.io images ls -q | grep /pause: | head -1)
		default=$(containerd config dump | sed -n "s/^ *sandbox = ['\"]\(.*\)['\"]$/\1/p")
		test "$image" = "$default" || ctr -n k8s.io images tag "$image" "$default" >/dev/null
		echo "$image"`))
	n.Write("/root/sleeper.yaml", fmt.Sprintf(sleeper, image))
	for _, w := range selected(t, kubeletWays, kubeletWays[0], kubeletWays[2]) {
		t.Run(w.name, func(t *testing.T) { n.In(t).testKubeletWay(w) })
	}
	if r := n.Exec("ls", "/var/lib/bootstrap", "/run/bootstrap.lock"); r.Out != "" {
		t.Errorf("on a machine of others it leaves %s", r.Out)
	}
}

func (n *Node) testKubeletWay(w kubeletWay) {
	n.t.Helper()
	n.MustSh(`systemctl stop kubelet; rm -rf /etc/their /etc/default/kubelet /etc/systemd/system/kubelet.service.d /srv/*; mkdir -p /etc/their`)
	n.Write(theirConfig, kubeletBase)
	n.Write("/etc/systemd/system/kubelet.service", strings.Replace(debUnit, "/usr/bin/kubelet", "/usr/bin/kubelet --config="+theirConfig, 1))
	n.MustSh(w.set)
	r := n.Bootstrap("static-pod", "path") // before it runs, by its unit
	if w.path != "" && (r.Code != 0 || r.Out != w.path+"\n" || !r.Has("which does not run") && !strings.HasPrefix(w.from, "staticPodPath")) {
		n.t.Errorf("stopped: %s", r)
	}
	n.MustSh(`systemctl daemon-reload; systemctl start kubelet`)
	r = n.Bootstrap("static-pod", "path")
	if w.path == "" {
		if r.Code != 2 || r.Out != "" || !r.Has(w.from) || !r.Has("staticPodPath: /etc/kubernetes/manifests") {
			n.t.Error(r)
		}
		return
	}
	if r.Code != 0 || r.Out != w.path+"\n" || !strings.Contains(r.Err, w.from) {
		n.t.Errorf("want %s, from %q: %s", w.path, w.from, r)
	}
	if r := n.Bootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml"); r.Code != 2 || !r.Has("mkdir -m 700 -p "+w.path) {
		n.t.Errorf("without the directory: %s", r)
	}
	n.MustExec("mkdir", "-m", "700", "-p", w.path)
	n.MustBootstrap("static-pod", "apply", "-f", "/root/sleeper.yaml", "--timeout", "1m")
	if p := n.staticPod("sleeper"); p.File != w.path+"/sleeper.yaml" || p.State != "running" || p.Mirror != nil {
		n.t.Errorf("%+v", p)
	}
	n.MustBootstrap("static-pod", "delete", "sleeper", "--timeout", "1m")
	if ids := n.runningIDs(); len(ids) > 0 {
		n.t.Errorf("it is deleted, and %v run", ids)
	}
}
