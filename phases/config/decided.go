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

// isSame compares by meaning.
func isSame(a, b string) bool { return normal(a) == normal(b) }

// normal spells a boolean, an address, a list of ranges, a path or socket, or a name of a host in one way.
func normal(text string) string {
	if is, err := strconv.ParseBool(text); err == nil {
		return strconv.FormatBool(is)
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().String()
	}
	if file := withoutScheme(text); strings.HasPrefix(file, "/") {
		return withoutVar(path.Clean(file))
	}
	if all, err := ranges(text); err == nil {
		return Joined(all)
	}
	return strings.ToLower(text)
}

// ranges are those of a list.
func ranges(list string) (all []netip.Prefix, err error) {
	for _, text := range strings.Split(list, ",") {
		r, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, r.Masked())
	}
	return all, nil
}

const (
	openPort = "otherwise whoever reaches the kubelet's port runs commands in every pod"
	noServer = "a standalone kubelet has no API server to ask"

	onlyThere = "bootstrap looks nowhere else, also when it cleans up"
)

// kubeletRules are of the kubelet's fields, also where its flags stand for them, and of flags that are no fields.
func (c *Config) kubeletRules() []decided {
	rules := []decided{
		{"staticPodPath", staticPodDir, "the control plane's manifests lie there, or would"},
		{"containerRuntimeEndpoint", c.CRISocket, "nodeRegistration.criSocket decides"},
		{"podLogsDir", "/var/log/pods", onlyThere},
		{"cgroupRoot", "/", onlyThere},
		{"config", "/var/lib/kubelet/config.yaml", "bootstrap writes it: give a KubeletConfiguration"},
		{"hostname-override", c.NodeName, "nodeRegistration.name decides"},
		{"register-with-taints", Joined(c.Taints), "nodeRegistration.taints decides"},
		{"root-dir", "/var/lib/kubelet", onlyThere + ": mount your disk there, or make that a link"},
		{"manifest-url", "", "staticPodURL of KubeletConfiguration decides"},
		{"manifest-url-header", "", "everybody sees the flags of a program: set staticPodURLHeader of KubeletConfiguration"},
	}
	if c.Box.Standalone {
		// Nobody can be asked who may do what. So all are let in whose certificate is of
		// authentication.x509.clientCAFile, and by default nobody is.
		return append(rules,
			decided{"kubeconfig", "", noServer},
			decided{"authentication.anonymous.enabled", "false", openPort},
			decided{"authentication.webhook.enabled", "false", noServer},
			decided{"authorization.mode", "AlwaysAllow", noServer})
	}
	return append(rules,
		decided{"kubeconfig", "/etc/kubernetes/kubelet.conf", "bootstrap writes it"},
		decided{"registerNode", "true", "the pods of the control plane are seen, and the addons run, on the Node of this machine"},
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
	if !c.ProxyDisabled {
		rules = append(rules, decided{"allow-privileged", "true", "kube-proxy's pods are privileged"})
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
