package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Record is a Config as it is kept for later runs, in documents that a config file may
// hold as well. What was decided when it was made is written out, so that neither another
// address of the machine nor another bundle changes it.
type Record struct {
	Documents []byte
	Secrets   []byte // documents as well: the tokens, the certificate key, where the kubelet fetches pods; empty without
}

// Lasting is the Config without what is for one run.
func (c *Config) Lasting() *Config { return &Config{Cluster: c.Cluster, Node: c.Node} }

// Record gives all of a Config but the contents of the patches directory.
func (c *Config) Record() (Record, error) {
	kubelet, secretKubelet := WithoutPodURL(c.Kubelet)
	flags := Flags{&c.Box.Standalone, &c.Box.SingleNode, &c.UploadCerts, &c.WriteKubeconfig, &c.PrintJoinCommand}
	documents := []any{c.initFile(), c.clusterFile(), c.boxFile(flags)}
	for _, fields := range []map[string]any{kubelet, c.KubeProxy} {
		if fields != nil {
			documents = append(documents, withTexts(fields))
		}
	}
	var secrets []any
	if len(c.BootstrapTokens) > 0 || c.CertificateKey != "" {
		secrets = append(secrets, c.secretInitFile())
	}
	if PodURLOf(c.Kubelet).URL != "" { // without it there is no header either
		secrets = append(secrets, withTexts(secretKubelet))
	}
	written, err := encode(documents)
	if err != nil {
		return Record{}, err
	}
	secret, err := encode(secrets)
	return Record{written, secret}, err
}

// Parse gives the Config again, as if its documents were a config file: the flags of m go
// before them, and what this program does not take is refused.
func (r Record) Parse(m Machine) (*Config, error) {
	d, errs := r.read()
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c, err := parse(d, nil, m)
	if c != nil {
		c.Warnings = nil // they were told when it was made
	}
	return c, err
}

// Restore gives the Config as it was, also where this program would refuse it by now.
func (r Record) Restore() (*Config, error) {
	d, errs := r.read()
	b := builder{docs: d, errs: errs}
	c := b.build()
	return c, errors.Join(b.errs...)
}

func (r Record) read() (documents, []error) {
	d, errs := read("documents.yaml", r.Documents)
	secret, more := read("secrets.yaml", r.Secrets)
	d.init.BootstrapTokens, d.init.CertificateKey = secret.init.BootstrapTokens, secret.init.CertificateKey
	if d.kubelet != nil {
		maps.Copy(d.kubelet, secret.kubelet)
	}
	return d, append(errs, more...)
}

func (c *Config) initFile() any {
	return initConfiguration{
		typeMeta:         typeMeta{kubeadmV1beta4, initKind},
		LocalAPIEndpoint: apiEndpoint{c.AdvertiseAddress.String(), &c.BindPort},
		NodeRegistration: nodeRegistrationFile{
			Name:                  c.NodeName,
			CRISocket:             c.CRISocket,
			Taints:                c.ownTaints(),
			KubeletExtraArgs:      c.KubeletExtraArgs,
			IgnorePreflightErrors: c.IgnorePreflight,
			ImagePullPolicy:       c.ImagePullPolicy,
			ImagePullSerial:       &c.ImagePullSerial,
		},
		SkipPhases: c.SkipPhases,
		Patches:    patches{c.PatchesDir},
		Timeouts: timeouts{
			ControlPlaneComponentHealthCheck: &c.ControlPlaneTimeout,
			KubernetesAPICall:                &c.APICallTimeout,
		},
	}
}

// ownTaints is nil for those that the number of nodes calls for: they change with it.
func (c *Config) ownTaints() *[]Taint {
	if slices.Equal(c.Taints, c.Box.defaultTaints()) {
		return nil
	}
	return &c.Taints
}

func (c *Config) secretInitFile() any {
	file := initConfiguration{typeMeta: typeMeta{kubeadmV1beta4, initKind}, CertificateKey: c.CertificateKey}
	for _, t := range c.BootstrapTokens {
		token := bootstrapToken{Description: t.Description, Usages: t.Usages, Groups: t.Groups}
		if t.ID != "" {
			token.Token = t.ID + "." + t.Secret
		}
		if t.Expires.IsZero() {
			token.TTL = &t.TTL
		} else {
			token.Expires = t.Expires.Format(time.RFC3339Nano)
		}
		file.BootstrapTokens = append(file.BootstrapTokens, token)
	}
	return file
}

// withTexts is a document of Kubernetes' own with each string as Text.
func withTexts(value any) any {
	switch v := value.(type) {
	case string:
		return Text(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = withTexts(v[i])
		}
		return list
	case map[string]any:
		fields := map[string]any{}
		for name := range v {
			fields[name] = withTexts(v[name])
		}
		return fields
	}
	return value
}

// Text is a string that may have several lines. The YAML library would write one that begins
// with a blank as a block that it can't read again.
type Text string

// MarshalYAML writes such a text in quotes.
func (t Text) MarshalYAML() (any, error) {
	s := string(t)
	if strings.Contains(s, "\n") && strings.ContainsAny(s[:1], " \t\n") {
		return yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}, nil
	}
	return s, nil
}
