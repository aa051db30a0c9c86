package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// provers ask the programs that a "# proof:" line may name about a file that lies in the node.
var provers = map[string]func(*Node, peopleFile) Result{
	"kubeadm config validate": func(n *Node, f peopleFile) Result {
		return n.Exec("kubeadm", "config", "validate", "--config", f.path())
	},
	"kubeadm init": (*Node).kubeadmDryRun,
	// It is patient with its API server: for a minute.
	"kubeadm init phase mark-control-plane": func(n *Node, f peopleFile) Result {
		return n.Exec("kubeadm", "init", "phase", "mark-control-plane", "--config", f.path())
	},
	"etcd": rendered("etcd"),
	"etcd elsewhere": rendered("etcd", "--data-dir=/root/etcd-elsewhere", "--listen-peer-urls=https://127.0.0.1:3380",
		"--listen-client-urls=https://127.0.0.1:3379", "--listen-metrics-urls=http://127.0.0.1:3381"), // beside the other
	"kube-apiserver":          rendered("kube-apiserver", "--secure-port=7443", "--etcd-prefix=/proof"), // beside the other
	"kube-controller-manager": (*Node).tryControllerManager,
	"kube-scheduler":          rendered("kube-scheduler"),
	"kubelet":                 (*Node).tryKubelet,
	"kube-proxy":              (*Node).tryProxy,
	"pod kube-apiserver":      (*Node).tryPod,
	"image kube-proxy":        (*Node).tryProxyImage,
	"image ipset":             func(n *Node, _ peopleFile) Result { return n.inProxyImage("ipset", "--version") },
	"flanneld":                (*Node).tryFlannel,
}

// TestPeopleRefused: a file that bootstrap refuses is refused by a real program too, with the words
// that its "# proof:" line quotes. All are asked on one node, which has a runtime, images, etcd and an API
// server, and no kubelet.
func TestPeopleRefused(t *testing.T) {
	n := proofNode(t)
	for _, f := range readPeople(t, "invalid-*.yaml") {
		t.Run(strings.TrimSuffix(f.name, ".yaml"), func(t *testing.T) { n.In(t).refuses(f) })
	}
}

func (n *Node) refuses(f peopleFile) {
	n.t.Helper()
	n.place(f)
	judged := n.validated(f)
	if judged.Code != 2 {
		n.t.Errorf("bootstrap does not refuse it: %s", judged)
	}
	for _, want := range f.wants {
		if !judged.Has(want) {
			n.t.Errorf("bootstrap does not say %q: %s", want, judged)
		}
	}
	if len(f.proofs) == 0 {
		n.t.Error("no # proof: line")
	}
	if slices.ContainsFunc(f.proofs, proof.byComponent) {
		n.must(n.kubeadmDryRun(f)) // kubeadm takes it, and renders what the components are run by
	}
	for _, p := range f.proofs {
		n.proves(f, p)
	}
}

func (n *Node) proves(f peopleFile, p proof) {
	n.t.Helper()
	ask, known := provers[p.program]
	if !known {
		n.t.Errorf("nobody knows how to ask %q", p.program)
		return
	}
	r := ask(n, f)
	if r.Code == 0 || p.running != (r.Code == timedOut) {
		n.t.Errorf("%s: want a failure, and that it goes on meanwhile: %t: %s", p.program, p.running, r)
	}
	if !p.says(r) {
		n.t.Errorf("%s does not say %q: %s", p.program, p.words, r)
	}
}

// timedOut is how timeout(1) tells that a program went on until its time was up.
const timedOut = 124

// patience is how long a program may take until it ends, in seconds: of a controller manager's the most
// goes by until it leads.
const patience = "40"

func (n *Node) try(program string, args ...string) Result {
	n.t.Helper()
	return n.Exec(append([]string{"timeout", "-k", "3", patience, program}, args...)...)
}

// rendered runs a component with the arguments of the manifest of kubeadm's dry run, and more.
func rendered(component string, more ...string) func(*Node, peopleFile) Result {
	return func(n *Node, _ peopleFile) Result {
		n.t.Helper()
		command := n.command(filepath.Join(dryDir, component+".yaml"))
		return n.try(command[0], append(command[1:], more...)...)
	}
}

// command is what a static pod's container runs.
func (n *Node) command(manifest string) []string {
	n.t.Helper()
	var p struct {
		Spec struct{ Containers []struct{ Command []string } }
	}
	if err := yaml.Unmarshal([]byte(n.MustExec("cat", manifest)), &p); err != nil || len(p.Spec.Containers) != 1 {
		n.t.Fatalf("%s: %v, %d containers", manifest, err, len(p.Spec.Containers))
	}
	return p.Spec.Containers[0].Command
}

// tryControllerManager: the one before may have died with its lease, which another would wait for.
func (n *Node) tryControllerManager(f peopleFile) Result {
	n.t.Helper()
	n.Kubectl("delete", "lease", "-n", "kube-system", "kube-controller-manager")
	return rendered("kube-controller-manager")(n, f)
}

// kubeletArgs are those of kubeadm's unit, and what a kubelet needs on the tests' nodes.
func (n *Node) kubeletArgs() []string {
	n.t.Helper()
	env := strings.TrimSpace(n.MustExec("cat", dryDir+"/kubeadm-flags.env"))
	_, quoted, _ := strings.Cut(env, "=")
	flags, err := strconv.Unquote(quoted)
	if err != nil {
		n.t.Fatalf("%s: %v", env, err)
	}
	args := []string{
		"--kubeconfig=/etc/kubernetes/kubelet.conf", "--config=" + dryDir + "/config.yaml",
		"--fail-cgroupv1=false", "--feature-gates=KubeletInUserNamespace=true",
	}
	return append(args, strings.Fields(flags)...)
}

func (n *Node) tryKubelet(peopleFile) Result {
	n.t.Helper()
	return n.try("kubelet", n.kubeletArgs()...)
}

// tryPod puts kubeadm's manifest before a kubelet, which goes on whatever it thinks of the pod. What counts is its
// word, or that of the container which it started.
func (n *Node) tryPod(peopleFile) Result {
	n.t.Helper()
	n.MustSh("sed s/--secure-port=6443/--secure-port=7443/ " + dryDir + "/kube-apiserver.yaml >/etc/kubernetes/manifests/kube-apiserver.yaml")
	r := n.tryKubelet(peopleFile{})
	r.Out += n.Sh("tail -n 50 /var/log/pods/kube-system_kube-apiserver-*/*/*.log").Out
	n.MustSh(`rm -f /etc/kubernetes/manifests/*
		ctr -n k8s.io tasks ls -q | xargs -r -n 1 ctr -n k8s.io tasks kill -s KILL || true
		rm -rf /var/log/pods/*`)
	return r
}

// proxyConfig has kubeadm write kube-proxy's config, for a process outside of a pod.
func (n *Node) proxyConfig(f peopleFile) string {
	n.t.Helper()
	const file = dryDir + "/kube-proxy.yaml"
	objects := n.MustExec("kubeadm", "init", "phase", "addon", "kube-proxy", "--print-manifest", "--config", f.path())
	for object := range strings.SplitSeq(objects, "\n---\n") {
		var configMap struct {
			Kind string
			Data map[string]string
		}
		if err := yaml.Unmarshal([]byte(object), &configMap); err != nil || configMap.Kind != "ConfigMap" {
			continue
		}
		config := configMap.Data["config.conf"] + "\nconntrack: {maxPerCore: 0}\n" // which a node may not set
		n.Write(file, strings.ReplaceAll(config, "/var/lib/kube-proxy/kubeconfig.conf", "/etc/kubernetes/admin.conf"))
		return file
	}
	n.t.Fatalf("no ConfigMap in what kubeadm prints:\n%s", objects)
	return ""
}

func (n *Node) tryProxy(f peopleFile) Result {
	n.t.Helper()
	return n.try("kube-proxy", "--config="+n.proxyConfig(f), "--hostname-override="+n.Name)
}

func (n *Node) tryProxyImage(f peopleFile) Result {
	n.t.Helper()
	return n.inProxyImage("/usr/local/bin/kube-proxy", "--config="+n.proxyConfig(f), "--hostname-override="+n.Name)
}

// inProxyImage runs a program in the bundle's image of kube-proxy, in the network of the node.
func (n *Node) inProxyImage(command ...string) Result {
	n.t.Helper()
	image := strings.TrimSpace(n.MustSh("ctr -n k8s.io images ls -q | grep /kube-proxy: | head -n 1"))
	args := []string{"-n", "k8s.io", "run", "--rm", "--net-host", "--privileged"}
	for _, dir := range []string{"/etc/kubernetes", dryDir} {
		args = append(args, "--mount", fmt.Sprintf("type=bind,src=%[1]s,dst=%[1]s,options=rbind:ro", dir))
	}
	r := n.try("ctr", slices.Concat(args, []string{image, "proof"}, command)...)
	n.Sh("ctr -n k8s.io tasks kill -s KILL proof; ctr -n k8s.io containers rm proof")
	return r
}

const flannelNet = `{"Network": "192.168.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}}`

// tryFlannel lets the controller manager of the file run first: it is the one that gives a Node its range.
func (n *Node) tryFlannel(f peopleFile) Result {
	n.t.Helper()
	if r := n.tryControllerManager(f); r.Code != timedOut {
		n.t.Errorf("kube-controller-manager does not run: %s", r)
	}
	n.Write("/root/net-conf.json", flannelNet)
	return n.try("env", "NODE_NAME="+n.Name, "flanneld", "--kube-subnet-mgr", "--kubeconfig-file=/etc/kubernetes/admin.conf",
		"--net-config-path=/root/net-conf.json", "--iface=eth0")
}

// proofPrograms are run on the node of TestPeopleRefused.
var proofPrograms = []string{
	"kubeadm/kubeadm", "etcd/etcd", "flannel/flanneld", "kubernetes/kube-apiserver", "kubernetes/kube-controller-manager",
	"kubernetes/kube-scheduler", "kubernetes/kube-proxy", "kubernetes/kubelet", "kubernetes/kubectl",
}

// plainConfig is what etcd and the API server of that node are run by.
const plainConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: %s}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16}
`

// plainNode is the Node object for whom there is no kubelet.
const plainNode = `{"apiVersion": "v1", "kind": "Node",
"metadata": {"name": %[1]q, "labels": {"kubernetes.io/hostname": %[1]q}},
"status": {"addresses": [{"type": "InternalIP", "address": %[2]q}, {"type": "Hostname", "address": %[1]q}]}}
`

// proofNode has a runtime and images, and etcd and an API server as kubeadm would run them, as units of systemd.
func proofNode(t *testing.T) *Node {
	t.Helper()
	n := boot(t, 50*time.Minute, nodeScript)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, phase := range []string{"runtime", "images", "addon-images"} {
		n.MustBootstrap("init", "phase", phase)
	}
	for _, program := range proofPrograms {
		n.Copy(filepath.Join(".cache/components", program), "/usr/local/bin/"+filepath.Base(program))
	}
	n.Write("/root/plain.yaml", fmt.Sprintf(plainConfig, n.IP))
	for _, phase := range []string{"certs all", "kubeconfig all", "etcd local", "control-plane apiserver"} {
		n.MustSh("kubeadm init phase " + phase + " --config /root/plain.yaml")
	}
	for _, component := range []string{"etcd", "kube-apiserver"} {
		command := n.command("/etc/kubernetes/manifests/" + component + ".yaml")
		n.MustExec(append([]string{"systemd-run", "--unit=plain-" + component}, command...)...)
	}
	n.MustSh("rm /etc/kubernetes/manifests/*")
	n.Eventually(time.Minute, "the API server is ready", func() error { return n.Kubectl("get", "--raw", "/readyz").err() })
	n.Eventually(time.Minute, "its admin is let in, as by kubeadm", func() error {
		r := n.Sh(`kubectl --kubeconfig=/etc/kubernetes/super-admin.conf create clusterrolebinding kubeadm:cluster-admins \
			--clusterrole=cluster-admin --group=kubeadm:cluster-admins`)
		if r.Has("already exists") {
			return nil
		}
		return r.err()
	})
	n.Write("/root/node.json", fmt.Sprintf(plainNode, n.Name, n.IP))
	n.Eventually(time.Minute, "the Node is there", func() error { return n.Kubectl("apply", "-f", "/root/node.json").err() })
	room := `{"cpu":"2","memory":"4Gi","pods":"110"}` // a kubelet that begins goes by what the Node says
	n.must(n.Kubectl("patch", "node", n.Name, "--subresource=status", "-p", `{"status":{"capacity":`+room+`,"allocatable":`+room+`}}`))
	return n
}
