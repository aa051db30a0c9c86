package phases

import (
	"cmp"
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"

	"bootstrap/phases/config"
	"bootstrap/phases/machine"
	"bootstrap/templates"
)

// bridgeName is not cni0: other tools use that, and leave it behind with an address
// that stops every pod.
const bridgeName = "bootstrap0"

const (
	flannelTree   = "/run/flannel"
	hostLocalTree = "/var/lib/cni/networks/bootstrap" // addresses that are taken in our network
)

// cniDirs are made when the first pod gets an address. With a runtime that is not ours
// only the folders go, and only if they are empty.
var cniDirs = []string{"/run/netns", "/var/lib/cni/networks", "/var/lib/cni/results"}

// Why a node gets no pod network of ours.
const (
	networkNotWanted  = "network: none in BoxConfiguration"
	networkNotBundled = "no bundle holds one"
)

// installNetwork gives the node the pod network, unless it has one already. Its range
// is what flannel will find to be this node's: so the Node is Ready at once.
func (e *Env) installNetwork(ctx context.Context) error {
	switch n := e.Choices.Network; {
	case n.Foreign != "":
		e.note("pod network: left to %s, which is there already", n.Foreign)
		return nil
	case n.None != "":
		e.warn("pod network: none (%s); %s until you install one", n.None, e.withoutNetwork())
		return nil
	}
	if err := e.installEntries(ctx, e.cniPlugins(), cniPluginDir); err != nil {
		return err
	}
	if err := e.ownNetworkDirs(); err != nil {
		return err
	}
	return e.writeNodeNetwork()
}

func (e *Env) withoutNetwork() string {
	if e.Config.Box.Standalone {
		return "only pods with hostNetwork start"
	}
	return "pods stay Pending and the Node NotReady"
}

// writeNodeNetwork guesses the range of the first node. Once flannel runs, cni-install
// keeps the file to the range that the Node has.
func (e *Env) writeNodeNetwork() error {
	if !e.Config.Box.Standalone && e.made(networkFile) && e.exists(networkFile) && e.exists(flannelTree+"/subnet.env") {
		return nil
	}
	data, err := nodeNetwork(e.Config, e.Facts).Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(networkFile, data, 0o600)
	return err
}

// ownNetworkDirs: all that our own runtime fills is owned with it.
func (e *Env) ownNetworkDirs() error {
	var trees []string
	if !e.Config.Box.Standalone {
		trees = append(trees, flannelTree)
	}
	if e.Choices.Runtime.Install {
		return e.ownTrees(trees...)
	}
	for _, dir := range cniDirs {
		if _, err := e.Host.MakeDir(dir, 0o755); err != nil {
			return err
		}
	}
	return e.ownTrees(append(trees, hostLocalTree)...)
}

// isNetwork tells what a runtime reads from backups, and from files that are being written.
func isNetwork(path string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(path)) && filepath.Base(path)[0] != '.'
}

// nodeNetwork is the bridge of the first node. Of a standalone one it is all there is:
// in a cluster, flannel hides pods' addresses from the world.
func nodeNetwork(c *config.Config, f machine.Facts) templates.BridgeNetwork {
	n := templates.BridgeNetwork{Bridge: bridgeName, MTU: strconv.Itoa(podMTU(c, f)), Masq: c.Box.Standalone}
	for _, s := range c.NodePodSubnets() {
		n.Subnets = append(n.Subnets, s.String())
	}
	return n
}

// anyNodeNetwork is the same for every node: cni-install knows the variables.
func anyNodeNetwork(c *config.Config) templates.BridgeNetwork {
	n := templates.BridgeNetwork{Bridge: bridgeName, MTU: "${MTU}"}
	for _, s := range c.Networking.PodSubnets {
		variable := "${SUBNET}"
		if s.Addr().Is6() {
			variable = "${SUBNET6}"
		}
		n.Subnets = append(n.Subnets, variable)
	}
	return n
}

// What VXLAN's headers take of each packet: over IPv4, and how much more over IPv6.
const (
	vxlanOverhead  = 50
	vxlanOverhead6 = 20
	ethernetMTU    = 1500
)

// podMTU is what flannel and cni-install reckon from the MTU of the node's link.
func podMTU(c *config.Config, f machine.Facts) int {
	mtu := cmp.Or(f.MTUs[c.AdvertiseAddress], ethernetMTU) - vxlanOverhead
	if slices.ContainsFunc(c.Networking.PodSubnets, func(s netip.Prefix) bool { return s.Addr().Is6() }) {
		mtu -= vxlanOverhead6
	}
	return mtu
}
