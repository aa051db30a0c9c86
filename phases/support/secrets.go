package support

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/plan"
	"bootstrap/phases/redact"
	"bootstrap/phases/spec"
)

// secretPatterns are the files that hold nothing but secrets.
var secretPatterns = []string{
	spec.KubernetesDir + "/pki/*.key", spec.KubernetesDir + "/pki/*/*.key", spec.KubeletDir + "/pki/*",
	spec.KubeletDir + "/pods/*/volumes/kubernetes.io~secret/*/..[0-9]*/*", spec.KubeletDir + "/pods/*/volumes/kubernetes.io~projected/*/..[0-9]*/token",
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

// savedFiles are what files were before they were written: one may be a kubelet's
// configuration, whose headers the journal shows.
const savedFiles = "/var/lib/bootstrap/saved/*"

var kubeconfigPatterns = []string{spec.KubernetesDir + "/*.conf", spec.KubeletDir + "/kubeconfig", "/root/.kube/config", "/home/*/.kube/config"}

// knownSecrets are the values that must stand nowhere in an archive: all that can be
// found on this machine, and by their form in the files of the archive that set up the
// node.
func (c *collector) knownSecrets(ctx context.Context, files []File) ([]string, error) {
	g := collect(ctx, part{name: "secrets", read: func(ctx context.Context, g *gathered) {
		for _, secret := range c.machineSecrets(ctx) {
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

func (c *collector) machineSecrets(ctx context.Context) []string {
	patterns := secretPatterns
	if c.Config != nil {
		patterns = append([]string{c.Config.CertificatesDir + "/*.key", c.Config.CertificatesDir + "/*/*.key"}, patterns...)
	}
	var all []string
	for _, path := range c.Host.Globs(patterns) {
		if slices.Contains(openNames, filepath.Base(path)) {
			continue
		}
		data, _, err := c.Host.Tail(path, maxFile)
		if err == nil && !slices.Contains(openValues, strings.TrimSpace(string(data))) {
			all = append(all, keysIn(string(data))...)
		}
	}
	for _, path := range c.Host.Globs(mixedPatterns) {
		if data, _, err := c.Host.Tail(path, maxFile); err == nil {
			all = append(all, redact.Found(string(data))...)
		}
	}
	for _, path := range c.Host.Globs(kubeconfigPatterns) {
		all = append(all, c.readKubeconfig(path).secrets()...)
	}
	for _, path := range append([]string{spec.KubeletConfig}, c.Host.Globs([]string{savedFiles})...) {
		if data, _, err := c.Host.Tail(path, maxFile); err == nil {
			source, _ := spec.PodURLIn(data) // none in what is something else
			all = append(all, source.Secrets()...)
		}
	}
	if c.Config != nil {
		all = append(all, c.Config.CertificateKey)
		all = append(all, config.PodURLOf(c.Config.Kubelet).Secrets()...)
	}
	return append(all, c.tokenSecrets(ctx)...)
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

// tokenSecrets asks the API server, which may not answer: the form of a bootstrap token
// is known as well.
func (c *collector) tokenSecrets(ctx context.Context) []string {
	data, err := c.Host.ReadFile(spec.SuperAdminConf)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = c.Host.ReadFile(spec.AdminConf)
	}
	if err != nil {
		return nil
	}
	api, err := cluster.Connect(data, "")
	if err != nil {
		return nil
	}
	tokens, _ := api.Within(partTimeout / 2).Tokens(ctx)
	var all []string
	for _, t := range tokens {
		all = append(all, t.Secret)
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
	Users []kubeconfigUser `json:"users"`
}

type kubeconfigUser struct {
	Name string `json:"name"`
	User struct {
		Certificate     []byte `json:"client-certificate-data"`
		CertificateFile string `json:"client-certificate"`
		Key             []byte `json:"client-key-data"`
		Token           string `json:"token"`
		Password        string `json:"password"`
	} `json:"user"`
}

// readKubeconfig is empty for one that can't be read: its secrets have forms as well.
func (c *collector) readKubeconfig(path string) kubeconfigFile {
	var k kubeconfigFile
	if data, _, err := c.Host.Tail(path, maxFile); err == nil {
		_ = yaml.Unmarshal(data, &k)
	}
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
	patterns := []string{spec.KubernetesDir + "/pki/*.crt", spec.KubernetesDir + "/pki/*/*.crt", spec.KubeletDir + "/pki/*"}
	if c.Config != nil && c.Config.CertificatesDir != spec.KubernetesDir+"/pki" {
		patterns = append(patterns, c.Config.CertificatesDir+"/*.crt", c.Config.CertificatesDir+"/*/*.crt")
	}
	certificates := []certificateFacts{}
	for _, path := range c.Host.Globs(patterns) {
		data, _, err := c.Host.Tail(path, maxFile)
		if err != nil {
			g.miss(path, err)
			continue
		}
		certificates = append(certificates, factsOf(path, data))
	}
	g.addJSON("certificates.json", certificates)
	kubeconfigs := []kubeconfigFacts{}
	for _, path := range c.Host.Globs(kubeconfigPatterns) {
		kubeconfigs = append(kubeconfigs, c.readKubeconfig(path).facts(path))
	}
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
