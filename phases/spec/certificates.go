package spec

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/pki"
)

// Authority is a CA and what it signs. Files lie in the certificates folder, as
// NAME.crt and NAME.key.
type Authority struct {
	File        string
	CommonName  string
	User        string   // who fails without its certificate
	ReadAtStart []string // the components that read its certificate only when they start
	Leaves      []Leaf
}

// Leaf is a certificate that a CA signs, and its file.
type Leaf struct {
	File string
	User string // who fails without it
	pki.Leaf
	names func(*config.Config) []string // of a server
}

// inventory is the whole PKI, under kubeadm's names: the one list of it. A certificate
// without a common name here has the node's name.
var inventory = []Authority{
	{File: "ca", CommonName: "kubernetes", User: "kube-apiserver", ReadAtStart: []string{"kube-controller-manager"}, Leaves: []Leaf{
		{File: "apiserver", User: "kube-apiserver", Leaf: pki.Leaf{CommonName: "kube-apiserver", Server: true}, names: apiServerNames},
		{File: "apiserver-kubelet-client", User: "kube-apiserver", Leaf: client("kube-apiserver-kubelet-client")},
	}},
	{File: "front-proxy-ca", CommonName: "front-proxy-ca", User: "kube-apiserver", Leaves: []Leaf{
		{File: "front-proxy-client", User: "kube-apiserver", Leaf: client("front-proxy-client")},
	}},
	{File: "etcd/ca", CommonName: "etcd-ca", User: "etcd", ReadAtStart: []string{"etcd", "kube-apiserver"}, Leaves: []Leaf{
		{File: "etcd/server", User: "etcd", Leaf: pki.Leaf{Server: true, Client: true}, names: etcdServerNames},
		{File: "etcd/peer", User: "etcd", Leaf: pki.Leaf{Server: true, Client: true}, names: etcdPeerNames},
		{File: "etcd/healthcheck-client", User: "etcdctl", Leaf: client("kube-etcd-healthcheck-client")},
		{File: "apiserver-etcd-client", User: "kube-apiserver", Leaf: client("kube-apiserver-etcd-client")},
	}},
}

func client(commonName string) pki.Leaf { return pki.Leaf{CommonName: commonName, Client: true} }

// ServiceAccountKey signs the tokens of service accounts. It has no certificate, but its
// public half beside it, as NAME.pub.
const ServiceAccountKey = "sa"

// SigningCert is the certificate of ca.key alone. The controller manager takes only one to
// sign with, while ca.crt, by which all others know whom to trust, holds two while the CA is
// replaced.
const SigningCert = "ca-signing"

// ServingCert is what the kubelet shows to those who connect to it, where it makes one
// itself if there is none.
const ServingCert = KubeletDir + "/pki/kubelet"

// RotatedCert is what the kubelet gets in time for the certificate in its kubeconfig, and
// then uses, as long as it is valid; after that it takes the one in the kubeconfig.
const RotatedCert = KubeletDir + "/pki/kubelet-client-current.pem"

// NotInPods are the keys that no pod of the control plane reads.
var NotInPods = []string{"etcd/ca", "front-proxy-ca", ServingCert}

// KubeadmPairs are the names of all certificates and keys that kubeadm makes in its folder.
func KubeadmPairs() []string {
	all := []string{ServiceAccountKey}
	for _, a := range inventory {
		all = append(all, a.File)
		for _, l := range a.Leaves {
			all = append(all, l.File)
		}
	}
	return all
}

// Authorities are the CAs of this cluster, and the certificates of this node.
func Authorities(c *config.Config) []Authority {
	var all []Authority
	for _, a := range inventory {
		if a.File == "etcd/ca" && c.Etcd.External != nil {
			continue
		}
		a.Leaves = slices.Clone(a.Leaves)
		for i := range a.Leaves {
			l := &a.Leaves[i]
			l.CommonName, l.Validity = cmp.Or(l.CommonName, c.NodeName), c.CertificateValidity
			if l.names != nil {
				l.Names = l.names(c)
			}
		}
		all = append(all, a)
	}
	return all
}

// ServingLeaf is the certificate that init makes for the kubelet, signed by the cluster's CA.
func ServingLeaf(c *config.Config) Leaf {
	return Leaf{File: ServingCert, User: "kubelet", Leaf: pki.Leaf{
		CommonName: c.NodeName, Names: []string{c.NodeName, c.AdvertiseAddress.String()}, Server: true, Validity: c.CertificateValidity,
	}}
}

// PKIFile is where a certificate or key lies: a name in the certificates folder, or a path.
func (s *Spec) PKIFile(file, suffix string) string {
	if path.IsAbs(file) {
		return file + suffix
	}
	return s.Config.CertificatesDir + "/" + file + suffix
}

// apiServerNames are kubeadm's, and localhost, so that a tunnel or a command on
// the node itself finds a certificate that fits.
func apiServerNames(c *config.Config) []string {
	names := []string{
		c.NodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + c.Networking.DNSDomain, "localhost",
		c.KubernetesServiceIP().String(), c.AdvertiseAddress.String(), "127.0.0.1", "::1",
	}
	if host := c.EndpointHost(); host != "" {
		names = append(names, host)
	}
	return append(names, c.CertSANs...)
}

func etcdServerNames(c *config.Config) []string {
	return append(etcdNames(c), c.Etcd.ServerCertSANs...)
}

func etcdPeerNames(c *config.Config) []string { return append(etcdNames(c), c.Etcd.PeerCertSANs...) }

func etcdNames(c *config.Config) []string {
	return []string{c.NodeName, "localhost", c.AdvertiseAddress.String(), "127.0.0.1", "::1"}
}

// AdminUser is the name of who may do everything, as kubeadm has it.
const AdminUser = "kubernetes-admin"

// Identity is who a kubeconfig is for.
type Identity struct {
	Path   string
	User   string // the component or command that fails without it
	Server string
	CAFile string // named in it; empty where the CA itself is in it
	pki.Leaf
}

// Identities are those of all kubeconfigs. The kubelet's names a CA file, which the kubelet
// reads again every few minutes: it needs no restart when the CA is replaced. In the others
// kubeadm's certs and upgrade commands refuse such a file.
func Identities(c *config.Config) []Identity {
	caFile := c.CertificatesDir + "/ca.crt"
	return []Identity{
		{AdminConf, "kubectl", c.EndpointURL(), "", ClientLeaf(c, AdminUser, "kubeadm:cluster-admins")},
		{SuperAdminConf, "bootstrap", c.EndpointURL(), "", ClientLeaf(c, "kubernetes-super-admin", "system:masters")},
		{KubeletConf, "kubelet", c.APIServerURL(), caFile, ClientLeaf(c, "system:node:"+c.NodeName, "system:nodes")},
		{ControllerConf, "kube-controller-manager", c.APIServerURL(), "", ClientLeaf(c, "system:kube-controller-manager")},
		{SchedulerConf, "kube-scheduler", c.APIServerURL(), "", ClientLeaf(c, "system:kube-scheduler")},
	}
}

// ClientLeaf is the certificate of a kubeconfig: of a user in these groups.
func ClientLeaf(c *config.Config, user string, groups ...string) pki.Leaf {
	return pki.Leaf{CommonName: user, Organizations: groups, Client: true, Validity: c.CertificateValidity}
}

// ReadAtStart are the files that each user, such as a component, reads only when it starts.
// All other certificates and keys the components read again by themselves.
func ReadAtStart(c *config.Config) map[string][]string {
	key := c.CertificatesDir + "/" + ServiceAccountKey
	files := map[string][]string{
		"kube-apiserver":          {key + ".key", key + ".pub"},
		"kube-controller-manager": {key + ".key"},
	}
	for _, a := range Authorities(c) {
		for _, component := range a.ReadAtStart {
			files[component] = append(files[component], c.CertificatesDir+"/"+a.File+".crt")
		}
	}
	for _, id := range Identities(c) {
		files[id.User] = append(files[id.User], id.Path)
	}
	return files
}

// SharedCertFiles are what all control planes of a cluster have in common: their paths here, by
// the names that kubeadm gives them in its Secret.
func SharedCertFiles(c *config.Config) map[string]string {
	files := map[string]string{}
	add := func(name string, suffixes ...string) {
		for _, suffix := range suffixes {
			files[strings.ReplaceAll(name, "/", "-")+suffix] = c.CertificatesDir + "/" + name + suffix
		}
	}
	add(ServiceAccountKey, ".key", ".pub")
	for _, a := range Authorities(c) {
		add(a.File, ".crt", ".key")
	}
	if external := c.Etcd.External; external != nil {
		files["external-etcd-ca.crt"] = external.CAFile
		files["external-etcd.crt"] = external.CertFile
		files["external-etcd.key"] = external.KeyFile
	}
	return files
}
