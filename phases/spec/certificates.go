package spec

import (
	"path"

	"bootstrap/phases/config"
	"bootstrap/phases/pki"
)

// Authority is a CA and what it signs. Files lie in the certificates folder, as
// NAME.crt and NAME.key.
type Authority struct {
	File       string
	CommonName string
	Leaves     []Leaf
}

// Leaf is a certificate that a CA signs, and its file.
type Leaf struct {
	File string
	pki.Leaf
}

// Authorities is the whole PKI, under kubeadm's names.
func Authorities(c *config.Config) []Authority {
	client := func(file, commonName string) Leaf {
		return Leaf{file, pki.Leaf{CommonName: commonName, Client: true, Validity: c.CertificateValidity}}
	}
	member := func(file string, sans []string) Leaf {
		return Leaf{file, pki.Leaf{
			CommonName: c.NodeName, Names: etcdNames(c, sans), Server: true, Client: true, Validity: c.CertificateValidity,
		}}
	}
	apiServer := Leaf{"apiserver", pki.Leaf{
		CommonName: "kube-apiserver", Names: apiServerNames(c), Server: true, Validity: c.CertificateValidity,
	}}
	all := []Authority{
		{"ca", "kubernetes", []Leaf{apiServer, client("apiserver-kubelet-client", "kube-apiserver-kubelet-client")}},
		{"front-proxy-ca", "front-proxy-ca", []Leaf{client("front-proxy-client", "front-proxy-client")}},
	}
	if c.Etcd.External != nil {
		return all
	}
	return append(all, Authority{"etcd/ca", "etcd-ca", []Leaf{
		member("etcd/server", c.Etcd.ServerCertSANs),
		member("etcd/peer", c.Etcd.PeerCertSANs),
		client("etcd/healthcheck-client", "kube-etcd-healthcheck-client"),
		client("apiserver-etcd-client", "kube-apiserver-etcd-client"),
	}})
}

// SigningCert is the certificate of ca.key alone. The controller manager takes only one to
// sign with, while ca.crt, by which all others know whom to trust, holds two while the CA is
// replaced.
const SigningCert = "ca-signing"

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

func etcdNames(c *config.Config, more []string) []string {
	return append([]string{c.NodeName, "localhost", c.AdvertiseAddress.String(), "127.0.0.1", "::1"}, more...)
}

// AdminUser is the name of who may do everything, as kubeadm has it.
const AdminUser = "kubernetes-admin"

// Identity is who a kubeconfig is for.
type Identity struct {
	Path          string
	CommonName    string
	Organizations []string
	Server        string
	CAFile        string // named in it; empty where the CA itself is in it
}

// Identities are those of all kubeconfigs. The kubelet's names a CA file, which the kubelet
// reads again every few minutes: it needs no restart when the CA is replaced. In the others
// kubeadm's certs and upgrade commands refuse such a file.
func Identities(c *config.Config) []Identity {
	return []Identity{
		{AdminConf, AdminUser, []string{"kubeadm:cluster-admins"}, c.EndpointURL(), ""},
		{SuperAdminConf, "kubernetes-super-admin", []string{"system:masters"}, c.EndpointURL(), ""},
		{KubeletConf, "system:node:" + c.NodeName, []string{"system:nodes"}, c.APIServerURL(), c.CertificatesDir + "/ca.crt"},
		{ControllerConf, "system:kube-controller-manager", nil, c.APIServerURL(), ""},
		{SchedulerConf, "system:kube-scheduler", nil, c.APIServerURL(), ""},
	}
}

// ClientLeaf is the certificate of a kubeconfig.
func (s *Spec) ClientLeaf(id Identity) pki.Leaf {
	return pki.Leaf{
		CommonName: id.CommonName, Organizations: id.Organizations, Client: true, Validity: s.Config.CertificateValidity,
	}
}

// ReadAtStart are the files that each component reads only when it starts. All other
// certificates and keys they read again by themselves.
func ReadAtStart(c *config.Config) map[string][]string {
	pki := c.CertificatesDir
	return map[string][]string{
		"etcd":                    {pki + "/etcd/ca.crt"},
		"kube-apiserver":          {pki + "/etcd/ca.crt", pki + "/sa.key", pki + "/sa.pub"},
		"kube-controller-manager": {ControllerConf, pki + "/ca.crt", pki + "/sa.key"},
		"kube-scheduler":          {SchedulerConf},
	}
}

// ServingCert is what the kubelet shows to those who connect to it, where it makes one
// itself if there is none.
const ServingCert = KubeletDir + "/pki/kubelet"

// SharedCertFiles are what all control planes of a cluster have in common: their paths here, by
// the names that kubeadm gives them in its Secret.
func SharedCertFiles(c *config.Config) map[string]string {
	files := map[string]string{}
	for _, name := range []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"} {
		files[name] = c.CertificatesDir + "/" + name
	}
	if external := c.Etcd.External; external != nil {
		files["external-etcd-ca.crt"] = external.CAFile
		files["external-etcd.crt"] = external.CertFile
		files["external-etcd.key"] = external.KeyFile
		return files
	}
	files["etcd-ca.crt"] = c.CertificatesDir + "/etcd/ca.crt"
	files["etcd-ca.key"] = c.CertificatesDir + "/etcd/ca.key"
	return files
}
