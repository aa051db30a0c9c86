package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const podFolder = "/etc/kubernetes/manifests"

// webPod serves a text at a port of the node, with a program of the node in the one image
// that every node has.
func (n *Node) webPod(name, text string, port int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: %s
    imagePullPolicy: Never
    command: [/opt/webpod, ":8080", %q]
    ports: [{containerPort: 8080, hostPort: %d}]
    volumeMounts: [{name: program, mountPath: /opt/webpod, readOnly: true}]
  volumes: [{name: program, hostPath: {path: /opt/webpod, type: File}}]
`, name, n.pauseImage(), text, port)
}

// standaloneCases are what holds of a standalone kubelet; each leaves it with the pod web
// that answers "one" at port 8088.
var standaloneCases = []nodeCase{
	{"File", (*Node).standaloneFile},
	{"ControlPlane", (*Node).standaloneControlPlane},
	{"Closed", (*Node).standaloneClosed},
	{"Network", (*Node).standaloneNetwork},
	{"URL", (*Node).standaloneURL},
	{"Broken", (*Node).standaloneBroken},
	{"KilledReset", (*Node).standaloneKilledReset},
	{"Once", (*Node).standaloneOnce},
}

// nodeCase is a subtest that goes on with the node of the ones before.
type nodeCase struct {
	name string
	run  func(*Node)
}

func (c nodeCase) String() string { return c.name }

// TestStandalone: static pods without an API server, then beside a control plane; and after
// the last reset, of both, the machine is as it was.
func TestStandalone(t *testing.T) {
	n := standaloneNode(t)
	before := n.survey()
	n.MustBootstrap("init", "--standalone")
	n.Write(podFolder+"/web.yaml", n.webPod("web", "one", 8088))
	n.serves(8088, "one")
	for _, c := range selected(t, standaloneCases, standaloneCases[:2]...) {
		if ok := t.Run(c.name, func(t *testing.T) { c.run(n.In(t)) }); !ok {
			return // it may not be what the next case expects
		}
	}
	n.leavesManifests(before)
}

func standaloneNode(t *testing.T) *Node {
	n := Up(t, 15*time.Minute)
	build := exec.Command("go", "build", "-o", path(".cache/webpod"), "./testdata/e2e/webpod")
	build.Dir, build.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n.Copy(".cache/webpod", "/opt/webpod")
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	return n
}

// serves waits until the node answers with a text at a port.
func (n *Node) serves(port int, text string) {
	n.t.Helper()
	n.Eventually(time.Minute, fmt.Sprintf("%q at port %d", text, port), func() error {
		if r := n.ask(port, "/"); r.Out != text {
			return errors.New(r.String())
		}
		return nil
	})
}

func (n *Node) silent(port int) {
	n.t.Helper()
	n.Eventually(time.Minute, fmt.Sprintf("nobody at port %d", port), func() error {
		if r := n.ask(port, "/"); r.Code == 0 {
			return errors.New(r.String())
		}
		return nil
	})
}

func (n *Node) ask(port int, page string) Result {
	n.t.Helper()
	return n.Exec("curl", "-sS", "-f", "--noproxy", "*", "-m", "5", fmt.Sprintf("http://%s:%d%s", n.IP, port, page))
}

// container is the id and the process of a pod's only container.
func (n *Node) container(pod string) string {
	n.t.Helper()
	return n.MustSh(`for id in $(ctr -n k8s.io containers ls -q 'labels."io.kubernetes.pod.name"=="` + pod + "-" + n.Name + `",labels."io.kubernetes.container.name"=="web"'); do
		ctr -n k8s.io tasks ls | grep "^$id .*RUNNING" || true
	done`)
}

func (n *Node) standaloneFile() {
	if r := n.MustBootstrap("init", "--standalone"); !r.Has("Nothing to change: all was so already.") {
		n.t.Errorf("again it changes something: %s", r)
	}
	if r := n.MustBootstrap("status", "--wait"); !r.Has("Standalone kubelet") || !r.Has("default/web-"+n.Name) {
		n.t.Errorf("status: %s", r)
	}
	first := n.container("web")
	n.ask(8088, "/exit") // a server that fails
	n.Eventually(time.Minute, "another container", func() error {
		if now := n.container("web"); now == "" || now == first {
			return fmt.Errorf("containers: %s", now)
		}
		return nil
	})
	n.serves(8088, "one")
	n.Write(podFolder+"/web.yaml", n.webPod("web", "two", 8088))
	n.serves(8088, "two")
	n.MustExec("mv", podFolder+"/web.yaml", "/root/web.yaml")
	n.silent(8088)
	n.MustExec("mv", "/root/web.yaml", podFolder+"/web.yaml")
	n.serves(8088, "two")
	n.Write(podFolder+"/web.yaml", n.webPod("web", "one", 8088))
	n.serves(8088, "one")
}

// standaloneOnce: a pod that has done what it was to do is ready, and the kubelet stops its sandbox.
func (n *Node) standaloneOnce() {
	n.Write(podFolder+"/once.yaml", strings.Replace(n.webPod("once", "once", 8087), "spec:\n", "spec:\n  restartPolicy: OnFailure\n", 1))
	n.serves(8087, "once")
	n.ask(8087, "/done")
	n.Eventually(time.Minute, "the pod to end", func() error {
		if r := n.MustBootstrap("pods"); r.Has("once-" + n.Name) {
			return errors.New(r.String())
		}
		return nil
	})
	n.MustBootstrap("static-pod", "wait", "once", "--timeout", "20s")
	if r := n.MustBootstrap("status", "--wait", "--timeout", "20s"); !r.Has("default/once-" + n.Name) {
		n.t.Errorf("status: %s", r)
	}
	n.MustExec("rm", podFolder+"/once.yaml")
}

// standaloneControlPlane: init makes a control plane beside the pod, whose container runs
// throughout, and reset takes both away.
func (n *Node) standaloneControlPlane() {
	pod := n.container("web")
	n.MustBootstrap("init")
	// The kubelet may ask before there is a namespace default, and then again after a minute.
	n.Eventually(2*time.Minute, "the mirror pod to run", func() error {
		if r := n.Kubectl("get", "pod", "web-"+n.Name, "-o", "jsonpath={.status.phase}"); r.Code != 0 || r.Out != "Running" {
			return errors.New(r.String())
		}
		return nil
	})
	if r := n.MustBootstrap("init"); !r.Has("Nothing to change: all was so already.") {
		n.t.Errorf("again it changes something: %s", r)
	}
	if r := n.Bootstrap("init", "--standalone"); r.Code != 2 || !r.Has("there is a control plane") || !r.Has("bootstrap reset") {
		n.t.Errorf("standalone with a control plane: %s", r)
	}
	n.MustBootstrap("status", "--wait")
	if now := n.container("web"); now != pod {
		n.t.Errorf("with a control plane the container is %s, want %s", now, pod)
	}
	n.removesBoth()
}

// removesBoth resets a control plane and the standalone kubelet that was there before, and
// makes the kubelet again.
func (n *Node) removesBoth() {
	n.t.Helper()
	r := n.MustReset("/root/bootstrap")
	if !r.Has(podFolder + "/web.yaml") {
		n.t.Errorf("it does not say what stays: %s", r)
	}
	n.silent(8088)
	n.MustSh("! systemctl is-active -q kubelet && ! ls -d /etc/kubernetes/pki /var/lib/kubelet /var/lib/bootstrap")
	n.MustBootstrap("init", "--standalone")
	n.serves(8088, "one")
}

// standaloneClosed: nobody is let in at the kubelet's port.
func (n *Node) standaloneClosed() {
	for _, page := range []string{"/pods", "/metrics", "/run/default/web-" + n.Name + "/web", "/healthz"} {
		code := n.MustExec("curl", "-sSk", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "https://"+n.IP+":10250"+page)
		if code != "401" {
			n.t.Errorf("%s answers %s", page, code)
		}
	}
	if r := n.Exec("curl", "-sS", "-m", "5", "http://"+n.IP+":10255/pods"); r.Code == 0 {
		n.t.Errorf("the read-only port answers: %s", r)
	}
}

// standaloneNetwork: a pod's port is reached from outside, it finds names by the node's
// resolver, and what it sends has the node's address; so with the node's network.
func (n *Node) standaloneNetwork() {
	n.Copy(".cache/components/coredns/coredns", "/root/coredns")
	n.Write("/root/Corefile", "answer.test {\n bind "+n.IP+"\n hosts {\n 192.0.2.7 answer.test\n }\n}\n")
	n.MustSh("cp /etc/resolv.conf /root/resolv.conf; echo nameserver " + n.IP + " >/etc/resolv.conf; systemd-run --unit=names /root/coredns -conf /root/Corefile")
	host := strings.Replace(n.webPod("host", "host", 8089), "spec:\n", "spec:\n  hostNetwork: true\n", 1)
	n.Write(podFolder+"/host.yaml", strings.ReplaceAll(host, "8080", "8089"))
	n.MustSh("mv " + podFolder + "/web.yaml /root/") // a pod has the resolver that was there when it began
	n.silent(8088)
	n.MustSh("mv /root/web.yaml " + podFolder)
	n.fromOutside(`test "$(curl -sS -m 5 http://` + n.IP + `:8088/)" = one; test "$(curl -sS -m 5 http://` + n.IP + `:8089/)" = host`)
	for _, port := range []int{8088, 8089} {
		if r := n.ask(port, "/lookup?name=answer.test"); r.Out != "192.0.2.7" {
			n.t.Errorf("a pod asks for a name: %s", r)
		}
	}
	// At the other end of the cable nobody knows where a pod's address is.
	gateway := strings.TrimSpace(n.MustSh("ip -4 route show default | cut -d' ' -f3"))
	server := exec.CommandContext(n.ctx, "nsenter", "--net="+path(".cache/nodes/.net/ns"), path(".cache/webpod"), gateway+":8090", "outside")
	if err := server.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.Eventually(10*time.Second, "a pod that reaches what is outside", func() error {
		if r := n.ask(8088, "/dial?to="+gateway+":8090"); r.Out != "reached" {
			return errors.New(r.String())
		}
		return nil
	})
	_ = server.Process.Kill()
	_ = server.Wait()
	n.MustSh("rm " + podFolder + "/host.yaml /root/coredns /root/Corefile; cp /root/resolv.conf /etc/resolv.conf; rm /root/resolv.conf; systemctl stop names")
	n.silent(8089)
}

const (
	podsKey   = "a-key-that-nobody-may-see"
	urlConfig = `apiVersion: bootstrap/v1alpha1
kind: BoxConfiguration
standalone: true
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
httpCheckFrequency: 1s
staticPodURL: http://%s:9000/pods.yaml
staticPodURLHeader: {X-Pods-Key: [` + podsKey + `]}
`
)

// standaloneURL: what a server gives runs, also what it gives later, and goes on while it
// gives nothing; its key is seen nowhere.
func (n *Node) standaloneURL() {
	n.Write("/root/url.yaml", fmt.Sprintf(urlConfig, n.IP))
	init := []string{"init", "--config", "/root/url.yaml"}
	var said []Result
	run := func(code int, has string, args ...string) {
		n.t.Helper()
		r := n.Bootstrap(args...)
		said = append(said, r)
		if r.Code != code || !r.Has(has) {
			n.t.Fatalf("want exit code %d and %q: %s", code, has, r)
		}
	}
	start := func() {
		n.MustSh("systemd-run --unit=pods /opt/webpod " + n.IP + ":9000 /srv/pods " + podsKey)
		n.Eventually(10*time.Second, "the server", func() error { return n.Sh("ss -ltn | grep -q :9000").err() })
	}
	run(2, "pod-url-unreachable", init...)
	n.Write("/srv/pods/pods.yaml", "kind: Deployment\n")
	start()
	run(2, "pod-url-no-pod", init...)
	n.Write("/srv/pods/pods.yaml", n.webPod("fetched", "first", 8091))
	run(0, "pod-url-plain", init...)
	n.serves(8091, "first")
	run(0, "serves default/fetched-"+n.Name, "status", "--wait")

	n.Write("/srv/pods/pods.yaml", n.webPod("fetched", "second", 8091))
	n.serves(8091, "second")
	n.MustExec("systemctl", "stop", "pods")
	fetched := n.container("fetched")
	n.Write("/srv/pods/pods.yaml", n.webPod("fetched", "third", 8091))
	n.MustExec("systemctl", "restart", "kubelet")
	run(0, "gives nothing", "status", "--wait")
	run(0, "of what it served last runs: default/fetched-"+n.Name, "status")
	run(0, "pod-url-unreachable", init...)
	n.serves(8091, "second")
	if now := n.container("fetched"); now != fetched {
		n.t.Errorf("while the server is down the container is %s, want %s", now, fetched)
	}
	start()
	n.serves(8091, "third")
	run(0, "of what it served last runs: default/fetched-"+n.Name, "status", "--wait")

	run(0, "MANIFEST.json", "support", "--output-file", "/tmp/support.tar.gz")
	for _, r := range said {
		if r.Has(podsKey) {
			n.t.Errorf("the key is shown: %s", r)
		}
	}
	if r := n.Sh("zcat /tmp/support.tar.gz | grep -a -c " + podsKey); strings.TrimSpace(r.Out) != "0" {
		n.t.Errorf("the key is in the archive: %s", r)
	}
	if r := n.Sh("journalctl -u kubelet | grep -q " + podsKey); r.Code != 0 {
		n.t.Errorf("the kubelet does not log it any more: %s", r) // else this proves nothing
	}
	if r := n.MustBootstrap("init", "--standalone"); !r.Has("with what this machine was made with, as no --config is given") {
		n.t.Errorf("without its config file: %s", r)
	}
	n.MustBootstrap("init", "--standalone", "--config", "")
	n.silent(8091)
	n.MustSh("systemctl stop pods; rm -r /srv/pods /root/url.yaml /tmp/support.tar.gz")
}

// standaloneBroken: a pod that can't run is named, with the reason, and is no reason to
// begin anew.
func (n *Node) standaloneBroken() {
	n.Write(podFolder+"/gone.yaml", strings.Replace(n.webPod("gone", "x", 8092), "/pause:", "/nosuch:", 1))
	if r := n.Bootstrap("init", "--standalone", "--timeout", "1m"); r.Code != 1 || !r.Has("image-missing") || !r.Has("default/gone-"+n.Name) {
		n.t.Errorf("an image that nobody has: %s", r)
	}
	if r := n.Bootstrap("status"); r.Code != 1 || !r.Has("not ready: default/gone-"+n.Name) {
		n.t.Errorf("status: %s", r)
	}
	n.Write(podFolder+"/gone.yaml", strings.Replace(n.webPod("gone", "x", 8092), `":8080"`, `"nowhere"`, 1))
	if r := n.Bootstrap("init", "--standalone", "--timeout", "30s"); r.Code != 1 || !r.Has("exit code 1") || !r.Has("missing port in address") {
		n.t.Errorf("a server that ends: %s", r)
	}
	n.MustExec("rm", podFolder+"/gone.yaml")
	n.MustBootstrap("init", "--standalone")
	n.Eventually(time.Minute, "the kubelet to forget the pod", func() error {
		return n.Sh(`test "$(ls /var/lib/kubelet/pods | wc -l)" = 1`).err()
	})
}

// standaloneKilledReset: a reset of the control plane and the kubelet that is killed is run
// again, and takes the rest away.
func (n *Node) standaloneKilledReset() {
	killed := 0
	for _, after := range []string{"0.1", "0.3", "0.5", "0.8", "1.2"} {
		n.MustBootstrap("init")
		if r := n.Sh("timeout -s KILL " + after + " /root/bootstrap reset --force || echo killed"); r.Has("killed") {
			killed++
			n.removesBoth()
		}
	}
	if killed < 3 {
		n.t.Errorf("only %d resets were killed in time", killed)
	}
}

// leavesManifests: reset of the standalone kubelet leaves the user's manifest, byte for
// byte, and nothing else.
func (n *Node) leavesManifests(before survey) {
	n.t.Helper()
	if r := n.MustReset("/root/bootstrap"); !r.Has(podFolder + "/web.yaml") {
		n.t.Errorf("it does not say what stays: %s", r)
	}
	if left := n.MustSh("cat " + podFolder + "/*"); left != n.webPod("web", "one", 8088) {
		n.t.Errorf("the manifest is now: %s", left)
	}
	n.silent(8088)
	n.MustBootstrap("init", "--standalone") // and with it, the pod
	n.serves(8088, "one")
	n.MustBootstrap("init")
	n.MustReset("/root/bootstrap", "--static-pods")
	n.MustExec("rmdir", podFolder, "/etc/kubernetes") // the user's since the reset before
	n.SameSurvey("after reset", before)
}
