package spec

import (
	"encoding/json"
	"net"
	"strings"

	"bootstrap/manifests"
	"bootstrap/phases/config"
	"bootstrap/phases/machine"
	"bootstrap/templates"
)

// FlannelAddon is the pod network's agent on all nodes.
func FlannelAddon(c *config.Config, f machine.Facts) (manifests.Addon, error) {
	conflist, err := templates.Render(anyNodeNetwork(c))
	if err != nil {
		return manifests.Addon{}, err
	}
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(c.EndpointURL(), "https://")) // it always has both
	return manifests.Flannel{
		Image:    c.Images.Network,
		NetConf:  flannelConfig(c, f),
		Conflist: string(conflist),
		Args:     flannelArgs(c),
		Host:     host,
		Port:     port,
	}.Objects()
}

// flannelArgs has flannel use the link with the Node's address. With both families it
// finds the link of an IPv6 address only if that is also the public one.
func flannelArgs(c *config.Config) []string {
	args := []string{"--kube-subnet-mgr", "--ip-masq", "--iface=$(NODE_IP)"}
	if c.AdvertiseAddress.Is6() {
		args = append(args, "--public-ipv6=$(NODE_IP)")
	}
	return args
}

// flannelConfig is flannel's net-conf.json.
func flannelConfig(c *config.Config, f machine.Facts) string {
	conf := struct {
		EnableIPv4     bool
		Network        string `json:",omitempty"`
		EnableIPv6     bool
		IPv6Network    string `json:",omitempty"`
		EnableNFTables bool
		Backend        map[string]string
	}{EnableNFTables: f.NFTables, Backend: map[string]string{"Type": "vxlan"}}
	for _, s := range c.Networking.PodSubnets {
		if s.Addr().Is4() {
			conf.EnableIPv4, conf.Network = true, s.String()
		} else {
			conf.EnableIPv6, conf.IPv6Network = true, s.String()
		}
	}
	data, _ := json.MarshalIndent(conf, "", "  ") // texts and booleans can always be encoded
	return string(data) + "\n"
}
