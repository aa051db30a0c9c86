package config

import (
	"strconv"
	"strings"
)

// validateDecidedFlags refuses flags that contradict a field of the file, or that take
// away what the rest of the cluster stands on.
func (b *builder) validateDecidedFlags(c *Config) {
	b.validateDecidedArgs("apiServer.extraArgs", c.APIServer.ExtraArgs, apiServerRules(c))
	b.validateDecidedArgs("nodeRegistration.kubeletExtraArgs", c.KubeletExtraArgs, kubeletFlagRules(c))
	for i, a := range c.KubeletExtraArgs {
		if a.Name == "manifest-url-header" { // its value is a secret
			b.bad(at("nodeRegistration.kubeletExtraArgs", i)+".value", "%s: everybody sees the flags of a program: set staticPodURLHeader of KubeletConfiguration", a.Name)
		}
	}
	b.validateDecidedArgs("etcd.local.extraArgs", c.Etcd.ExtraArgs, []decided{
		{"data-dir", c.Etcd.DataDir, "etcd.local.dataDir decides"},
		{"name", c.NodeName, "nodeRegistration.name decides"},
	})
	for i, a := range c.Etcd.ExtraArgs {
		if a.Name == "listen-metrics-urls" && strings.Contains(a.Value, "https:") {
			b.bad(at("etcd.local.extraArgs", i)+".value", "the kubelet asks etcd's health there without a certificate: give http URLs")
		}
	}
}

func apiServerRules(c *Config) []decided {
	rules := []decided{
		{"secure-port", strconv.Itoa(c.BindPort), "localAPIEndpoint.bindPort decides"},
		{"advertise-address", c.AdvertiseAddress.String(), "localAPIEndpoint.advertiseAddress decides"},
	}
	if c.PatchesDir == "" {
		rules = append(rules, decided{"anonymous-auth", "true", "the kubelet's probes come without a certificate, and need patches then (patches.directory)"})
	}
	return rules
}

func kubeletFlagRules(c *Config) []decided {
	mode, why := "Webhook", openPort
	if c.Box.Standalone {
		mode, why = "AlwaysAllow", noServer
	}
	return []decided{
		{"config", "", "bootstrap writes it: give a KubeletConfiguration"},
		{"kubeconfig", "", "bootstrap writes it"},
		{"pod-manifest-path", staticPodDir, "the control plane's manifests lie there"},
		{"container-runtime-endpoint", c.CRISocket, "nodeRegistration.criSocket decides"},
		{"hostname-override", c.NodeName, "nodeRegistration.name decides"},
		{"register-with-taints", "", "nodeRegistration.taints decides"},
		{"cluster-dns", "", "clusterDNS of KubeletConfiguration decides"},
		{"cluster-domain", c.Networking.DNSDomain, "networking.dnsDomain decides"},
		{"authorization-mode", mode, why},
		{"anonymous-auth", "false", openPort},
		{"root-dir", "/var/lib/kubelet", onlyThere + ": mount your disk there, or make that a link"},
		{"manifest-url", "", "staticPodURL of KubeletConfiguration decides"},
	}
}

func (b *builder) validateDecidedArgs(field string, args []Arg, rules []decided) {
	for i, a := range args {
		for _, r := range rules {
			if r.field != a.Name || !isText(a.Value) {
				continue
			}
			if why := r.refusal(a.Value); why != "" {
				b.bad(at(field, i)+".value", "%s: %s", a.Name, why)
			}
		}
	}
}
