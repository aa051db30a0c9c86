package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
)

// needs are what a "# needs:" line of a file of testdata/config/people may ask for, with its arguments.
var needs = map[string]func(n *Node, args []string){
	"host":           (*Node).knowsHost,                                      // NAME [ADDRESS]: in /etc/hosts; the node's address if none is given
	"folder":         (*Node).hasFolders,                                     // PATH...
	"audit-policy":   writes(auditPolicy),                                    // FILE
	"encryption":     writes(encryption),                                     // FILE
	"admission":      writes(admission),                                      // FILE
	"authentication": writes(authentication),                                 // FILE
	"authorization":  writes(authorization),                                  // FILE
	"cloud":          writes("[Global]\n"),                                   // FILE
	"egress":         writes(egress),                                         // FILE
	"scheduler":      writes(scheduler),                                      // FILE
	"tracing":        writes(tracing),                                        // FILE
	"patch":          writes(annotation),                                     // FILE
	"pod":            (*Node).hasStaticPod,                                   // FILE: a static pod of the user's
	"resolver":       (*Node).hasResolver,                                    // FILE: as of systemd-resolved
	"primary":        (*Node).hasPrimary,                                     // ADDRESS: in place of the node's own
	"balancer":       (*Node).hasBalancer,                                    // ADDRESS PORT TO: in front of the API server
	"etcd":           etcdWith(),                                             // CA CERTIFICATE KEY ADDRESS...: files for its clients, and where it answers
	"etcd-with-http": etcdWith("--listen-client-http-urls=http://[::]:2381"), // as well, and there alone what is not gRPC
}

func (n *Node) provide(what string, args []string) {
	n.t.Helper()
	give, known := needs[what]
	if !known {
		n.t.Fatalf("nobody knows how to provide %q", what)
	}
	give(n, args)
}

func writes(content string) func(*Node, []string) {
	return func(n *Node, args []string) {
		n.t.Helper()
		n.Write(args[0], content)
	}
}

// knowsHost writes above the names of nodes, which scripts/node writes anew.
func (n *Node) knowsHost(args []string) {
	n.t.Helper()
	address := n.IP
	if len(args) > 1 {
		address = args[1]
	}
	n.MustSh(fmt.Sprintf(`echo '%s %[2]s' | cat - /etc/hosts >/tmp/hosts
		cat /tmp/hosts >/etc/hosts; rm /tmp/hosts; getent hosts %[2]s`, address, args[0]))
}

func (n *Node) hasFolders(args []string) {
	n.t.Helper()
	n.MustExec(append([]string{"mkdir", "-p"}, args...)...)
}

func (n *Node) hasResolver(args []string) {
	n.t.Helper()
	n.Write(args[0], n.MustExec("cat", "/etc/resolv.conf"))
}

// hasStaticPod: cloud-init puts kube-vip there before init. This one does nothing.
func (n *Node) hasStaticPod(args []string) {
	n.t.Helper()
	name := strings.TrimSuffix(filepath.Base(args[0]), ".yaml")
	n.Write(args[0], fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: kube-system}
spec:
  hostNetwork: true
  containers:
  - {name: vip, image: %q, imagePullPolicy: IfNotPresent}
`, name, n.pauseImage()))
}

// hasPrimary gives the node another address than those that nodes have. As no gateway answers there, lookups
// of names have to end by themselves.
func (n *Node) hasPrimary(args []string) {
	n.t.Helper()
	n.MustSh(fmt.Sprintf(`ip -4 address flush dev eth0; ip address add %s/24 dev eth0
		ip route replace default via 192.0.2.1 dev eth0 onlink
		echo 'nameserver 127.0.0.1' >/etc/resolv.conf`, args[0]))
}

func (n *Node) hasBalancer(args []string) {
	n.t.Helper()
	listen := fmt.Sprintf("TCP-LISTEN:%s,bind=%s,fork,reuseaddr", args[1], args[0])
	n.MustExec("systemd-run", "--unit=people-balancer", "socat", listen, "TCP:"+args[2])
}

const (
	etcdProgram = "/opt/people/etcd"
	etcdPKI     = "/opt/people/pki"
)

// hasEtcd runs an etcd of others on this node, with certificates that kubeadm makes for it.
func etcdWith(flags ...string) func(*Node, []string) {
	return func(n *Node, args []string) { n.hasEtcd(args, flags) }
}

func (n *Node) hasEtcd(args, flags []string) {
	n.t.Helper()
	ca, certificate, key, addresses := args[0], args[1], args[2], args[3:]
	n.MustSh("mkdir -p /opt/people")
	n.Copy(".cache/components/etcd/etcd", etcdProgram)
	n.Write("/opt/people/etcd.yaml", fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
certificatesDir: %s
etcd: {local: {serverCertSANs: ["%s"]}}
`, etcdPKI, strings.Join(addresses, `", "`)))
	for _, name := range []string{"etcd-ca", "etcd-server", "apiserver-etcd-client"} {
		n.MustExec("kubeadm", "init", "phase", "certs", name, "--config", "/opt/people/etcd.yaml")
	}
	for from, to := range map[string]string{
		"etcd/ca.crt": ca, "apiserver-etcd-client.crt": certificate, "apiserver-etcd-client.key": key,
	} {
		n.MustExec("install", "-D", "-m", "600", filepath.Join(etcdPKI, from), to)
	}
	const peer = "http://127.0.0.1:12380"
	command := []string{"systemd-run", "--unit=people-etcd", etcdProgram, "--data-dir=/var/lib/people-etcd", "--client-cert-auth",
		"--trusted-ca-file=" + etcdPKI + "/etcd/ca.crt", "--cert-file=" + etcdPKI + "/etcd/server.crt",
		"--key-file=" + etcdPKI + "/etcd/server.key", "--listen-client-urls=https://[::]:2379",
		"--advertise-client-urls=https://" + addresses[0] + ":2379",
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer}
	n.MustExec(append(command, flags...)...)
}

// withdraw takes the addresses of documentation away again that place has given to the node.
func (n *Node) withdraw(f peopleFile) {
	n.t.Helper()
	for _, a := range f.addresses() {
		n.Exec("ip", "address", "del", fmt.Sprintf("%s/%d", a, a.BitLen()), "dev", "eth0")
	}
}

const annotation = `metadata: {annotations: {people: patched}}
`

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
`

const encryption = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: key1, secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}]}
  - identity: {}
`

// admission is what Cluster API's quick start writes: kube-system is exempt from it.
const admission = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline, enforce-version: latest, warn: restricted, warn-version: latest}
    exemptions: {namespaces: [kube-system]}
`

const authentication = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt: []
`

const authorization = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
`

// egress sends what goes to nodes and pods through konnectivity's socket, as the documentation has it.
const egress = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: GRPC
    transport:
      uds: {udsName: /etc/kubernetes/konnectivity-server/konnectivity-server.socket}
`

const scheduler = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {kubeconfig: /etc/kubernetes/scheduler.conf}
`

const tracing = `apiVersion: apiserver.config.k8s.io/v1
kind: TracingConfiguration
endpoint: localhost:4317
samplingRatePerMillion: 0
`
