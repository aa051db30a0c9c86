package support

import (
	"context"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

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

// openNames are fields of Secrets that hold no secret, by Kubernetes' own use or by custom;
// openValues are no secrets under any name. If these words counted as secrets, they would be
// taken out everywhere in the archive.
var (
	openNames  = []string{"namespace", "username"}
	openValues = []string{"kube-system", "kube-public", "kubernetes", "kubernetes.default.svc"}
)

// mixedPatterns are files that hold secrets among other things. redact knows the secrets in
// them by their form.
var mixedPatterns = []string{
	spec.KubernetesDir + "/*.yaml", spec.KubernetesDir + "/*/*.yaml", "/etc/environment", "/etc/systemd/system.conf.d/*",
	spec.KubeletDir + "/config.json", "/root/.docker/config.json", "/etc/containerd/*.toml",
}

// kubeletPatterns are configurations of kubelets, whose headers the journal shows: the one
// that counts, and, among all that files were before they were written, those before it.
var kubeletPatterns = []string{spec.KubeletConfig, "/var/lib/bootstrap/saved/*"}

// knownSecrets are the values that must stand nowhere in an archive: all that can be
// found on this machine, and by their form in the files of the archive that set up the
// node.
func (c *collector) knownSecrets(ctx context.Context, files []File) ([]string, error) {
	all, err := inTime(ctx, c.machineSecrets)
	if err != nil {
		return nil, plan.Hint(fmt.Errorf("nothing is written, as what is secret here is not known: %w", err),
			"see which disk hangs, such as a home on the network: df")
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name, "files/") || strings.HasPrefix(f.Name, "config/") {
			all = append(all, redact.Found(string(f.data))...)
		}
	}
	return all, nil
}

func (c *collector) machineSecrets(ctx context.Context) []string {
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
	take(kubeconfigPatterns, func(_ string, data []byte) []string { return kubeconfigSecrets(parseKubeconfig(data)) })
	take(kubeletPatterns, func(_ string, data []byte) []string {
		source, _ := spec.PodURLIn(data) // none in what is something else
		return source.Secrets()
	})
	if c.Config != nil {
		all = append(all, c.Config.CertificateKey)
		all = append(all, config.PodURLOf(c.Config.Kubelet).Secrets()...)
		all = append(all, c.tokenSecrets(ctx)...)
	}
	return all
}

// tokenSecrets asks the API server, which may not answer: a whole bootstrap token is known by
// its form as well, but not the secret half of one that stands alone.
func (c *collector) tokenSecrets(ctx context.Context) []string {
	api, err := c.ConnectForHealth()
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
