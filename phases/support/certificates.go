package support

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// pkiPatterns are all files of a kind in the certificates folder, and in kubeadm's, whoever
// made them.
func (c *collector) pkiPatterns(suffix string) []string {
	dirs := []string{spec.KubernetesDir + "/pki"}
	if c.Config != nil && c.Config.CertificatesDir != dirs[0] {
		dirs = append(dirs, c.Config.CertificatesDir)
	}
	var patterns []string
	for _, dir := range dirs {
		patterns = append(patterns, dir+"/*"+suffix, dir+"/*/*"+suffix)
	}
	return patterns
}

var kubeconfigPatterns = []string{spec.KubernetesDir + "/*.conf", spec.KubeletDir + "/kubeconfig", "/root/.kube/config", "/home/*/.kube/config"}

// parseKubeconfig is empty for one that can't be read: its secrets have forms as well.
func parseKubeconfig(data []byte) pki.KubeconfigFile {
	var k pki.KubeconfigFile
	_ = yaml.Unmarshal(data, &k)
	return k
}

func kubeconfigSecrets(k pki.KubeconfigFile) []string {
	var all []string
	for _, u := range k.AuthInfos {
		all = append(all, string(u.AuthInfo.ClientKeyData), u.AuthInfo.Token, u.AuthInfo.Password)
	}
	return all
}

// certificateFacts is what others may see of a certificate.
type certificateFacts struct {
	Path      string    `json:"path"`
	Problem   string    `json:"problem,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	CA        bool      `json:"ca"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Names     []string  `json:"names,omitempty"`
	SHA256    string    `json:"sha256,omitempty"`
}

// kubeconfigFacts is what others may see of a kubeconfig.
type kubeconfigFacts struct {
	Path    string             `json:"path"`
	Current string             `json:"currentContext"`
	Servers map[string]string  `json:"servers"` // by cluster
	Users   []string           `json:"users"`
	Certs   []certificateFacts `json:"certificates"`
}

func (c *collector) addCertificates(_ context.Context, g *gathered) {
	certificates, kubeconfigs := []certificateFacts{}, []kubeconfigFacts{}
	take := func(patterns []string, addFacts func(path string, data []byte)) {
		for _, path := range c.Host.Globs(patterns) {
			data, _, err := c.Host.Tail(path, maxFile)
			if err != nil {
				g.miss(path, err)
				continue
			}
			addFacts(path, data)
		}
	}
	take(append(c.pkiPatterns(".crt"), spec.KubeletDir+"/pki/*"), func(path string, data []byte) {
		certificates = append(certificates, factsOf(path, data))
	})
	take(kubeconfigPatterns, func(path string, data []byte) {
		kubeconfigs = append(kubeconfigs, factsOfKubeconfig(path, parseKubeconfig(data)))
	})
	g.addJSON("certificates", certificates, nil)
	g.addJSON("kubeconfigs", kubeconfigs, nil)
}

func factsOfKubeconfig(path string, k pki.KubeconfigFile) kubeconfigFacts {
	f := kubeconfigFacts{Path: path, Current: k.CurrentContext, Servers: map[string]string{}}
	for _, c := range k.Clusters {
		f.Servers[c.Name] = c.Cluster.Server
	}
	for _, u := range k.AuthInfos {
		f.Users = append(f.Users, u.Name)
		switch user := u.AuthInfo; {
		case len(user.ClientCertificateData) > 0:
			f.Certs = append(f.Certs, factsOf(u.Name, user.ClientCertificateData))
		case user.ClientCertificate != "":
			f.Certs = append(f.Certs, certificateFacts{Path: user.ClientCertificate})
		}
	}
	return f
}

func factsOf(path string, data []byte) certificateFacts {
	f := certificateFacts{Path: path}
	c, err := pki.ParseCert(data)
	if err != nil {
		f.Problem = err.Error()
		return f
	}
	sum := sha256.Sum256(c.Raw)
	f.Subject, f.Issuer, f.CA, f.NotBefore, f.NotAfter = c.Subject.String(), c.Issuer.String(), c.IsCA, c.NotBefore, c.NotAfter
	f.SHA256, f.Names = hex.EncodeToString(sum[:]), c.DNSNames
	for _, ip := range c.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	return f
}
