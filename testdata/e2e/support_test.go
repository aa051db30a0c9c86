package e2e

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The canaries of TestSupport, each planted in a source of its own.
const (
	canarySecret = "zq7-secret-object-value-41"
	canaryLogged = "zq7.loggedBearerValue.42"
	canaryEnv    = "zq7-environment-value-43"
	canaryDaemon = "zq7-journal-line-value-44"
	canaryProxy  = "zq7-proxy-password-45"
	canaryToken  = "zq7zq7.zq7bootstraptokn"
)

const supportConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- token: ` + canaryToken + `
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
scheduler:
  extraEnvs:
  - {name: CANARY_PASSWORD, value: ` + canaryEnv + `}
`

// TestSupport: the archive of a real node has what helps, and none of its secrets; also
// with the API server, and then everything, down.
func TestSupport(t *testing.T) {
	n := Up(t, 8*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write("/root/cluster.yaml", supportConfig)
	_, tokenSecret, _ := strings.Cut(canaryToken, ".")
	n.Write("/root/secrets", tokenSecret+"\n"+canaryEnv+"\n") // those of the config
	n.Run("Fresh", t, func(n *Node) {
		n.support("fresh", "machine/etc/os-release", "versions/bootstrap.txt", "diagnosis/evidence.json")
	})

	run := n.MustBootstrap("init", "--config", "/root/cluster.yaml", "--upload-certs")
	certKey := regexp.MustCompile(`--certificate-key ([0-9a-f]{64})`).FindStringSubmatch(run.Out)
	if certKey == nil {
		t.Fatalf("init tells no certificate key: %s", run)
	}
	n.plantSecrets(certKey[1])
	running := []string{"journal/kubelet.log", "journal/containerd.log", "files/etc/kubernetes/manifests/etcd.yaml", "files/var/lib/kubelet/config.yaml",
		"files/etc/containerd/config.toml", "files/etc/cni/net.d/10-bootstrap.conflist", "certificates/certificates.json", "ledger/records.json",
		"machine/routes.txt", "units/kubelet.txt", "config/given.yaml", "diagnosis/causes.json", "versions/kubelet.txt"}
	n.Run("Running", t, func(n *Node) {
		dir := n.support("running", append(running, "runtime/pods.json", "runtime/images.json")...)
		n.MustSh("grep -q kube-system " + dir + "/runtime/pods.json; grep -q 'Started kubelet' " + dir + "/journal/kubelet.log")
		n.MustSh("grep -rq . " + dir + "/logs/kube-system_kube-apiserver-*/kube-apiserver; grep -q 'CN=kubernetes' " + dir + "/certificates/certificates.json")
		n.MustSh("grep -rq 'open .*Authorization' " + dir + "/logs/kube-system_canary-*") // else the pod has logged nothing
		n.MustSh("grep -q 'canary line' " + dir + "/journal/kubelet.log")
	})
	n.MustSh("mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/")
	n.Eventually(time.Minute, "the API server ends", func() error {
		if r := n.Kubectl("get", "--raw", "/livez"); r.Code == 0 {
			return fmt.Errorf("it answers: %s", r)
		}
		return nil
	})
	n.Run("WithoutAPIServer", t, func(n *Node) { n.support("api", append(running, "runtime/pods.json")...) })
	n.MustSh("systemctl stop kubelet containerd")
	n.Run("AllDown", t, func(n *Node) { n.support("down", running...) })
}

// Run is a subtest on the node.
func (n *Node) Run(name string, t *testing.T, f func(*Node)) {
	t.Run(name, func(t *testing.T) { f(n.In(t)) })
}

// plantSecrets plants the canaries, and writes all that must not be in an archive to
// /root/secrets, one a line: of real secrets each line of a key, and tokens.
func (n *Node) plantSecrets(certKey string) {
	n.t.Helper()
	n.MustKubectl("create", "secret", "generic", "canary", "-n", "kube-system", "--from-literal=any="+canarySecret)
	image := mustGet[struct {
		Spec struct{ Template pod } `json:"spec"`
	}](n, "deployment", "coredns", "-n", "kube-system").Spec.Template.Spec.Containers[0].Image
	n.Write("/etc/kubernetes/manifests/canary.yaml", `apiVersion: v1
kind: Pod
metadata: {name: canary, namespace: kube-system}
spec:
  hostNetwork: true
  containers:
  - name: canary
    image: `+image+`
    args: [-conf, "/Authorization: Bearer `+canaryLogged+`"]
    env: [{name: CANARY_TOKEN, value: `+canaryEnv+`}]
`)
	n.Write("/etc/systemd/system/kubelet.service.d/90-proxy.conf", "[Service]\nEnvironment=HTTPS_PROXY=http://bob:"+canaryProxy+"@192.0.2.1:3128\n")
	n.MustSh(`printf 'MESSAGE=canary line password=` + canaryDaemon + `\nOBJECT_PID=%s\n' "$(systemctl show -P MainPID kubelet)" | logger --journald`)
	n.MustSh(`printf 'MESSAGE=canary line ` + base64.StdEncoding.EncodeToString([]byte("x"+canaryProxy)) + ` certificate-key ` + certKey + `\nOBJECT_PID=%s\n' "$(systemctl show -P MainPID kubelet)" | logger --journald`)
	n.Eventually(time.Minute, "the canary's log", func() error {
		return n.Sh("grep -q Bearer /var/log/pods/kube-system_canary-*/canary/*.log").err()
	})
	_, tokenSecret, _ := strings.Cut(canaryToken, ".")
	n.Write("/root/secrets", strings.Join([]string{canarySecret, base64.StdEncoding.EncodeToString([]byte(canarySecret)), canaryLogged, canaryEnv, canaryDaemon,
		canaryProxy, tokenSecret, certKey, base64.StdEncoding.EncodeToString([]byte("x" + canaryProxy))[4:24], ""}, "\n"))
	n.MustSh(`{ find /etc/kubernetes/pki -name '*.key' -exec cat {} +; sed -n '/PRIVATE KEY/,$p' /var/lib/kubelet/pki/*.pem; } | grep -v -e - -e '^$' | grep -E '.{10}' >>/root/secrets
		grep -ho 'client-key-data: .*' /etc/kubernetes/*.conf | cut -d' ' -f2 >>/root/secrets
		cat /var/lib/kubelet/pods/*/volumes/kubernetes.io~projected/*/token | sed 's/$/\n/' | grep . >>/root/secrets
		for key in $(grep -ho 'client-key-data: .*' /etc/kubernetes/*.conf | cut -d' ' -f2); do base64 -d <<<"$key" | grep -v -e - | grep -E '.{10}' >>/root/secrets; done`)
	// What is looked for is where it was planted: else finding none of it would prove nothing.
	for _, source := range []string{"/var/log/pods", "/etc/kubernetes/pki", "/etc/kubernetes/manifests", "/etc/kubernetes/admin.conf", "/etc/systemd/system", "/var/lib/kubelet/pki"} {
		n.MustExec("grep", "-rqFf", "/root/secrets", source)
	}
	n.MustSh("journalctl -u kubelet --no-pager | grep -qFf /root/secrets")
}

// support runs bootstrap support, wants these files in the archive, and no secret in it
// or in what is printed. It gives the folder of the unpacked archive.
func (n *Node) support(name string, files ...string) string {
	n.t.Helper()
	start := time.Now()
	run := n.MustBootstrap("support", "--config", "/root/cluster.yaml", "--output-file", "/root/"+name+".tar.gz")
	n.t.Logf("%s in %s: %s", name, time.Since(start).Round(100*time.Millisecond), run)
	dir := "/root/unpacked-" + name
	n.MustSh("mkdir " + dir + "; tar xf /root/" + name + ".tar.gz --strip-components=1 -C " + dir + "; test $(stat -c %a /root/" + name + ".tar.gz) = 600")
	n.Write("/root/unpacked-"+name+"/printed", run.Out+run.Err)
	for _, file := range files {
		if r := n.Exec("test", "-s", dir+"/"+file); r.Code != 0 {
			n.t.Errorf("%s is not in the archive, or is empty: %s", file, n.MustExec("cat", dir+"/MANIFEST.json"))
		}
	}
	n.MustExec("touch", "/root/secrets")
	if r := n.Exec("grep", "-rnFf", "/root/secrets", dir); r.Code != 1 {
		n.t.Errorf("secrets are in the archive: %s", r)
	}
	return dir
}
