package spec

import (
	"bytes"
	"fmt"
	"net/netip"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

// RunsEtcd tells whether a member of etcd is on this node.
func (s *Spec) RunsEtcd() bool { return s.Config.Etcd.External == nil && !s.Config.Box.Standalone }

// OfExistingCluster is etcd's manifest once it has begun. What a patch or an extra argument
// says of a new cluster has served its purpose too.
func OfExistingCluster(manifest []byte) []byte {
	return bytes.ReplaceAll(manifest, []byte("--initial-cluster-state=new"), []byte("--initial-cluster-state=existing"))
}

// EtcdMember is one of the cluster's, as the manifests of all of them name it.
type EtcdMember struct{ Name, PeerURL string }

// String is the member as --initial-cluster has it.
func (m EtcdMember) String() string { return m.Name + "=" + m.PeerURL }

// OnlyMember is the cluster that init makes.
func OnlyMember(c *config.Config) []EtcdMember {
	return []EtcdMember{{Name: c.NodeName, PeerURL: EtcdURL(c.AdvertiseAddress, 2380)}}
}

// electionTimeout is how long a member waits for its leader. Alone it waits only for itself,
// at each start, so half of etcd's default (1000 ms) will do. It must be the same on all
// members: with a second one, the default holds on each, and this member must have been
// restarted with it before the other is added. The user's heartbeat stands for five in it.
func electionTimeout(c *config.Config, members []EtcdMember) []config.Arg {
	if len(members) > 1 || !c.Box.SingleNode || config.Argument(c.Etcd.ExtraArgs, "heartbeat-interval") != "" {
		return nil
	}
	return []config.Arg{{Name: "election-timeout", Value: "500"}}
}

// EtcdPod is the static pod of this node's member; members are all of the cluster, this one too.
func EtcdPod(c *config.Config, members []EtcdMember) templates.Etcd {
	client := EtcdURL(c.AdvertiseAddress, 2379)
	peer := EtcdURL(c.AdvertiseAddress, 2380)
	pki := c.CertificatesDir + "/etcd"
	args := []config.Arg{
		{Name: "advertise-client-urls", Value: client},
		{Name: "cert-file", Value: pki + "/server.crt"},
		{Name: "client-cert-auth", Value: "true"},
		{Name: "data-dir", Value: c.Etcd.DataDir},
		{Name: "feature-gates", Value: "InitialCorruptCheck=true"},
		{Name: "initial-advertise-peer-urls", Value: peer},
		// A member without its data asks the others who belongs to the cluster; if it knew of none
		// but itself, there would be nobody to ask.
		{Name: "initial-cluster", Value: config.Joined(members)},
		{Name: "initial-cluster-state", Value: "new"}, // until it has begun: see keepEtcdCluster
		{Name: "key-file", Value: pki + "/server.key"},
		{Name: "listen-client-urls", Value: EtcdURL(c.Loopback(), 2379) + "," + client},
		{Name: "listen-metrics-urls", Value: "http://" + c.EtcdMetrics().String()},
		{Name: "listen-peer-urls", Value: peer},
		{Name: "name", Value: c.NodeName},
		{Name: "peer-cert-file", Value: pki + "/peer.crt"},
		{Name: "peer-client-cert-auth", Value: "true"},
		{Name: "peer-key-file", Value: pki + "/peer.key"},
		{Name: "peer-trusted-ca-file", Value: pki + "/ca.crt"},
		{Name: "snapshot-count", Value: "10000"},
		{Name: "trusted-ca-file", Value: pki + "/ca.crt"},
		{Name: "watch-progress-notify-interval", Value: "5s"},
	}
	args = append(args, electionTimeout(c, members)...)
	etcd := config.Component{ExtraArgs: c.Etcd.ExtraArgs, ExtraEnvs: c.Etcd.ExtraEnvs}
	pod := program{"etcd", c.Images.Etcd, etcd, c.EtcdMetrics()}.pod(c, sorted(args))
	return templates.Etcd{Pod: pod, AdvertiseClientURLs: client, DataDir: c.Etcd.DataDir, CertificatesDir: pki}
}

// EtcdURL is where etcd answers; it is always over TLS.
func EtcdURL(a netip.Addr, port uint16) string {
	return fmt.Sprintf("https://%s", netip.AddrPortFrom(a, port))
}
