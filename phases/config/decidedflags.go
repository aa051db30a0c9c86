package config

import (
	"slices"
	"strconv"
	"strings"
)

// validateDecidedFlags refuses flags that contradict a field of the file, or that take
// away what the rest of the cluster stands on.
func (b *builder) validateDecidedFlags(c *Config) {
	b.validateDecidedArgs("apiServer.extraArgs", c.APIServer.ExtraArgs, apiServerRules(c))
	b.validateDecidedArgs("controllerManager.extraArgs", c.ControllerManager.ExtraArgs, controllerManagerRules(c))
	b.validateAuthorization(c.APIServer.ExtraArgs)
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
		if a.Name != "listen-metrics-urls" {
			continue
		}
		if _, err := c.metricsAddress(a.Value); err != nil || strings.Contains(a.Value, "https:") {
			b.bad(at("etcd.local.extraArgs", i)+".value", "the kubelet asks etcd's health at the first, without a certificate: give http URLs with an address and a port")
		}
	}
}

func apiServerRules(c *Config) []decided {
	rules := []decided{
		{"secure-port", strconv.Itoa(c.BindPort), "localAPIEndpoint.bindPort decides"},
		{"advertise-address", c.AdvertiseAddress.String(), "localAPIEndpoint.advertiseAddress decides"},
		{"service-cluster-ip-range", joined(c.Networking.ServiceSubnets), "networking.serviceSubnet decides"},
	}
	if c.PatchesDir == "" {
		rules = append(rules, decided{"anonymous-auth", "true", "the kubelet's probes come without a certificate, and need patches then (patches.directory)"})
	}
	return rules
}

func controllerManagerRules(c *Config) []decided {
	rules := []decided{
		{"service-cluster-ip-range", joined(c.Networking.ServiceSubnets), "networking.serviceSubnet decides"},
		{"cluster-cidr", joined(c.Networking.PodSubnets), "networking.podSubnet decides"},
	}
	if c.Box.Network == Flannel {
		rules = append(rules, decided{"allocate-node-cidrs", "true", "flannel needs each node's part of the pod range; for another network: network: none"})
	}
	return rules
}

// validateAuthorization refuses modes of which none lets kubelets in.
func (b *builder) validateAuthorization(args []Arg) {
	enough := []string{"Node", "AlwaysAllow", "ABAC", "Webhook"}
	for i, a := range args {
		if a.Name == "authorization-mode" && !slices.ContainsFunc(strings.Split(a.Value, ","), func(mode string) bool { return slices.Contains(enough, mode) }) {
			b.bad(at("apiServer.extraArgs", i)+".value", "%s: %q gives the kubelet no rights, and no node could register: put Node before it", a.Name, a.Value)
		}
	}
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
