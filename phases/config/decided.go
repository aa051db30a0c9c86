package config

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

const staticPodDir = "/etc/kubernetes/manifests"

// decided is a field of a component's document, or a flag, that follows from something else,
// or that the rest of the cluster stands on: it may be given only as it is anyway.
type decided struct {
	field string
	value string
	why   string
}

// refusal says why the value can't be what somebody wants, empty if it is that.
func (d decided) refusal(got string) string {
	switch {
	case isSame(got, d.value):
		return ""
	case d.value == "": // got may be a secret
		return "it can't be set here: " + d.why
	}
	return fmt.Sprintf("%q can't be set here, it is %q: %s", got, d.value, d.why)
}

// isSame compares by meaning. want is as this program writes it; got may be spelt in another way.
func isSame(got, want string) bool {
	is, err := strconv.ParseBool(got) // as flags are
	address, addressErr := netip.ParseAddr(got)
	switch {
	case got == want, want == "":
		return got == want
	case want == "true" || want == "false":
		return err == nil && strconv.FormatBool(is) == want
	case strings.HasPrefix(want, "unix://"):
		return withScheme(got) == want
	case want[0] == '/':
		return path.Clean(got) == want
	case addressErr == nil:
		return address.Unmap().String() == want
	}
	return strings.ToLower(got) == want || masked(got) == want // names of hosts
}

// masked is a list of ranges as this program writes them; empty if it is no such list.
func masked(list string) string {
	var all []netip.Prefix
	for _, text := range strings.Split(list, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return ""
		}
		all = append(all, p.Masked())
	}
	return Joined(all)
}

const (
	openPort = "otherwise whoever reaches the kubelet's port runs commands in every pod"
	noServer = "a standalone kubelet has no API server to ask"

	onlyThere = "bootstrap looks nowhere else, also when it cleans up"
)

func (c *Config) kubeletRules() []decided {
	rules := []decided{
		{"staticPodPath", staticPodDir, "the control plane's manifests lie there, or would"},
		{"containerRuntimeEndpoint", c.CRISocket, "nodeRegistration.criSocket decides"},
		{"podLogsDir", "/var/log/pods", onlyThere},
		{"cgroupRoot", "/", onlyThere},
	}
	if c.Box.Standalone {
		// Nobody can be asked who may do what. So all are let in whose certificate is of
		// authentication.x509.clientCAFile, and by default nobody is.
		return append(rules,
			decided{"authentication.anonymous.enabled", "false", openPort},
			decided{"authentication.webhook.enabled", "false", noServer},
			decided{"authorization.mode", "AlwaysAllow", noServer})
	}
	return append(rules,
		decided{"clusterDomain", c.Networking.DNSDomain, "networking.dnsDomain decides"},
		decided{"authentication.x509.clientCAFile", c.CertificatesDir + "/ca.crt", "the kubelet knows the API server by it"},
		decided{"authorization.mode", "Webhook", openPort})
}

func (c *Config) kubeProxyRules() []decided {
	return []decided{
		{"clusterCIDR", Joined(c.Networking.PodSubnets), "networking.podSubnet decides"},
		{"clientConnection.kubeconfig", "/var/lib/kube-proxy/kubeconfig.conf", "the API server's address and the pod's own token lie there"},
	}
}

func (b *builder) validateDecided(kind string, fields map[string]any, rules []decided) {
	for _, r := range rules {
		got := textOf(fields, r.field)
		if why := r.refusal(got); got != "" && why != "" {
			b.badIn(kind, r.field, "%s", why)
		}
	}
}

func (c *Config) etcdRules() []decided {
	return []decided{
		{"data-dir", c.Etcd.DataDir, "etcd.local.dataDir decides"},
		{"name", c.NodeName, "nodeRegistration.name decides"},
	}
}

func (c *Config) apiServerRules() []decided {
	rules := []decided{
		{"secure-port", strconv.Itoa(c.BindPort), "localAPIEndpoint.bindPort decides"},
		{"advertise-address", c.AdvertiseAddress.String(), "localAPIEndpoint.advertiseAddress decides"},
		{"service-cluster-ip-range", Joined(c.Networking.ServiceSubnets), "networking.serviceSubnet decides"},
		{"admission-control", "", "kube-apiserver does not take it beside enable-admission-plugins: add them there"},
	}
	if a, err := netip.ParseAddr(Argument(c.APIServer.ExtraArgs, "bind-address")); err == nil && !a.IsUnspecified() {
		rules = append(rules, decided{"bind-address", c.AdvertiseAddress.String(), "the kubelet and pods reach the API server there"})
	}
	if c.PatchesDir == "" {
		rules = append(rules, decided{"anonymous-auth", "true", "the kubelet's probes come without a certificate, and need patches then (patches.directory)"})
	}
	return rules
}

func (c *Config) controllerManagerRules() []decided {
	rules := []decided{
		{"service-cluster-ip-range", Joined(c.Networking.ServiceSubnets), "networking.serviceSubnet decides"},
		{"cluster-cidr", Joined(c.Networking.PodSubnets), "networking.podSubnet decides"},
	}
	if c.Box.Network == Flannel {
		rules = append(rules, decided{"allocate-node-cidrs", "true", "flannel needs each node's part of the pod range; for another network: network: none"})
	}
	return rules
}

func (c *Config) kubeletFlagRules() []decided {
	mode, why, kubeconfig, dns := "Webhook", openPort, "/etc/kubernetes/kubelet.conf", textOf(c.Kubelet, "clusterDNS")
	if c.Box.Standalone {
		mode, why, kubeconfig = "AlwaysAllow", noServer, ""
	}
	if dns == "" && len(c.Networking.ServiceSubnets) > 0 {
		dns = c.DNSServiceIP().String()
	}
	return []decided{
		{"config", "/var/lib/kubelet/config.yaml", "bootstrap writes it: give a KubeletConfiguration"},
		{"kubeconfig", kubeconfig, "bootstrap writes it"},
		{"pod-manifest-path", staticPodDir, "the control plane's manifests lie there"},
		{"container-runtime-endpoint", c.CRISocket, "nodeRegistration.criSocket decides"},
		{"hostname-override", c.NodeName, "nodeRegistration.name decides"},
		{"register-with-taints", Joined(c.Taints), "nodeRegistration.taints decides"},
		{"cluster-dns", dns, "clusterDNS of KubeletConfiguration decides"},
		{"cluster-domain", c.Networking.DNSDomain, "networking.dnsDomain decides"},
		{"authorization-mode", mode, why},
		{"anonymous-auth", "false", openPort},
		{"root-dir", "/var/lib/kubelet", onlyThere + ": mount your disk there, or make that a link"},
		{"manifest-url", "", "staticPodURL of KubeletConfiguration decides"},
		{"manifest-url-header", "", "everybody sees the flags of a program: set staticPodURLHeader of KubeletConfiguration"},
	}
}
