package support

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/plan"
	"bootstrap/phases/redact"
	"bootstrap/phases/spec"
)

// secretPatterns are the files that hold nothing but secrets, beside the keys of the
// certificates folder.
var secretPatterns = []string{
	spec.KubeletDir + "/pki/*", spec.KubeletDir + "/pods/*/volumes/kubernetes.io~secret/*/..[0-9]*/*",
	spec.KubeletDir + "/pods/*/volumes/kubernetes.io~projected/*/..[0-9]*/token",
}

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

// openNames are those in Secrets that Kubernetes itself, or custom, fills with what is
// none: the words would be taken out everywhere. So would openValues, under any name.
var (
	openNames  = []string{"namespace", "username"}
	openValues = []string{"kube-system", "kube-public", "kubernetes", "kubernetes.default.svc"}
)

// mixedPatterns are files in which secrets have a form.
var mixedPatterns = []string{
	spec.KubernetesDir + "/*.yaml", spec.KubernetesDir + "/*/*.yaml", "/etc/environment", "/etc/systemd/system.conf.d/*",
	spec.KubeletDir + "/config.json", "/root/.docker/config.json", "/etc/containerd/*.toml",
}

// kubeletPatterns are configurations of kubelets, whose headers the journal shows: the one
// that counts, and, among all that files were before they were written, those before it.
var kubeletPatterns = []string{spec.KubeletConfig, "/var/lib/bootstrap/saved/*"}

var kubeconfigPatterns = []string{spec.KubernetesDir + "/*.conf", spec.KubeletDir + "/kubeconfig", "/root/.kube/config", "/home/*/.kube/config"}

// knownSecrets are the values that must stand nowhere in an archive: all that can be
// found on this machine, and by their form in the files of the archive that set up the
// node.
func (c *collector) knownSecrets(ctx context.Context, files []File) ([]string, error) {
	g := collect(ctx, part{name: "secrets", read: func(_ context.Context, g *gathered) {
		for _, secret := range c.machineSecrets() {
			g.add("", []byte(secret), false)
		}
	}})
	if len(g.unread) > 0 {
		return nil, plan.Hint(fmt.Errorf("nothing is written, as it can't be told what is secret here: %s", g.unread[0]),
			"see which disk hangs, such as a home on the network: df")
	}
	var all []string
	for _, f := range g.files {
		all = append(all, string(f.data))
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name, "files/") || strings.HasPrefix(f.Name, "config/") {
			all = append(all, redact.Found(string(f.data))...)
		}
	}
	return all, nil
}

func (c *collector) machineSecrets() []string {
	var all []string
	take := func(patterns []string, secretsIn func(path string, data []byte) []string) {
		for _, path := range c.Host.Globs(patterns) {
			if data, _, err := c.Host.Tail(path, maxFile); err == nil {
				all = append(all, secretsIn(path, data)...)
			}
		}
	}
	take(append(c.pkiPatterns(".key"), secretPatterns...), secretsInSecret)
	take(mixedPatterns, func(_ string, data []byte) []string { return redact.Found(string(data)) })
	take(kubeconfigPatterns, func(_ string, data []byte) []string { return parseKubeconfig(data).secrets() })
	take(kubeletPatterns, func(_ string, data []byte) []string {
		source, _ := spec.PodURLIn(data) // none in what is something else
		return source.Secrets()
	})
	if c.Config != nil {
		all = append(all, c.Config.CertificateKey)
		all = append(all, config.PodURLOf(c.Config.Kubelet).Secrets()...)
	}
	return all
}

// secretsInSecret are those of a file that holds nothing else, but for what is open by its
// name or value.
func secretsInSecret(path string, data []byte) []string {
	text := string(data)
	if slices.Contains(openNames, filepath.Base(path)) || slices.Contains(openValues, strings.TrimSpace(text)) {
		return nil
	}
	return keysIn(text)
}

// givenSecrets are those of a config file that redact has no form for, be the file accepted
// or not. ok is false where there is none, or it can't be read.
func givenSecrets(file []byte) (secrets []string, ok bool) {
	for _, document := range config.Documents(file) {
		source, err := spec.PodURLIn(document)
		if err != nil {
			return nil, false
		}
		secrets = append(secrets, source.Secrets()...)
	}
	return secrets, file != nil
}

// keysIn are the private keys of a file; of one that is no PEM all of it is secret, save
// the names of a configuration and the words in it, which stand everywhere.
func keysIn(text string) []string {
	block, rest := pem.Decode([]byte(text))
	var fields map[string]any
	switch {
	case block != nil:
	case strings.Count(strings.TrimSpace(text), "\n") > 0 && yaml.Unmarshal([]byte(text), &fields) == nil && len(fields) > 0:
		return append(redact.Found(text), unlikeWords(fields)...)
	default:
		return []string{text}
	}
	var keys []string
	for ; block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			keys = append(keys, string(pem.EncodeToMemory(block)))
		}
	}
	return keys
}

// unlikeWords are the values below a field that no person would write as a word.
func unlikeWords(value any) []string {
	var all []string
	switch v := value.(type) {
	case map[string]any:
		for _, each := range v {
			all = append(all, unlikeWords(each)...)
		}
	case []any:
		for _, each := range v {
			all = append(all, unlikeWords(each)...)
		}
	case string:
		path := strings.Contains(v, "/") && strings.ToLower(v) == v // or an image, or an apiVersion
		if strings.ContainsAny(v, "0123456789") && !strings.Contains(v, " ") && !path {
			return []string{v}
		}
	}
	return all
}

// kubeconfigFile is what is read of a kubeconfig.
type kubeconfigFile struct {
	CurrentContext string `json:"current-context"`
	Clusters       []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server string `json:"server"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Certificate     []byte `json:"client-certificate-data"`
			CertificateFile string `json:"client-certificate"`
			Key             []byte `json:"client-key-data"`
			Token           string `json:"token"`
			Password        string `json:"password"`
		} `json:"user"`
	} `json:"users"`
}

// parseKubeconfig is empty for one that can't be read: its secrets have forms as well.
func parseKubeconfig(data []byte) kubeconfigFile {
	var k kubeconfigFile
	_ = yaml.Unmarshal(data, &k)
	return k
}

func (k kubeconfigFile) secrets() []string {
	var all []string
	for _, u := range k.Users {
		all = append(all, string(u.User.Key), u.User.Token, u.User.Password)
	}
	return all
}

// certificateFacts is what may be told of a certificate.
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

// kubeconfigFacts is what may be told of a kubeconfig.
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
		kubeconfigs = append(kubeconfigs, parseKubeconfig(data).facts(path))
	})
	g.addJSON("certificates.json", certificates)
	g.addJSON("kubeconfigs.json", kubeconfigs)
}

func (k kubeconfigFile) facts(path string) kubeconfigFacts {
	f := kubeconfigFacts{Path: path, Current: k.CurrentContext, Servers: map[string]string{}}
	for _, c := range k.Clusters {
		f.Servers[c.Name] = c.Cluster.Server
	}
	for _, u := range k.Users {
		f.Users = append(f.Users, u.Name)
		switch {
		case len(u.User.Certificate) > 0:
			f.Certs = append(f.Certs, factsOf(u.Name, u.User.Certificate))
		case u.User.CertificateFile != "":
			f.Certs = append(f.Certs, certificateFacts{Path: u.User.CertificateFile})
		}
	}
	return f
}

func factsOf(path string, data []byte) certificateFacts {
	f := certificateFacts{Path: path}
	block, rest := pem.Decode(data)
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		f.Problem = "no certificate in it"
		return f
	}
	c, err := x509.ParseCertificate(block.Bytes)
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
