package phases

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/templates"
)

var etcd = Phase{
	Name:  "etcd",
	Short: "write the static pod of etcd",
	Run:   runEtcd,
}

func runEtcd(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Etcd)
	if external := env.Config.Etcd.External; external != nil {
		env.note("etcd is elsewhere: %s", strings.Join(external.Endpoints, ", "))
		return env.settle()
	}
	dataDir := env.Config.Etcd.DataDir
	if _, err := env.Host.MakeDir(dataDir, 0o700); err != nil {
		return err
	}
	if err := env.Host.OwnTree(dataDir); err != nil {
		return err
	}
	if err := env.settle(); err != nil {
		return err
	}
	return env.writeStaticPod("etcd", etcdPod(env.Config))
}

func etcdPod(c *config.Config) templates.Etcd {
	client := etcdURL(c.AdvertiseAddress, 2379)
	peer := etcdURL(c.AdvertiseAddress, 2380)
	pki := c.CertificatesDir + "/etcd"
	args := []config.Arg{
		{Name: "advertise-client-urls", Value: client},
		{Name: "cert-file", Value: pki + "/server.crt"},
		{Name: "client-cert-auth", Value: "true"},
		{Name: "data-dir", Value: c.Etcd.DataDir},
		{Name: "feature-gates", Value: "InitialCorruptCheck=true"},
		{Name: "initial-advertise-peer-urls", Value: peer},
		{Name: "initial-cluster", Value: c.NodeName + "=" + peer},
		{Name: "key-file", Value: pki + "/server.key"},
		{Name: "listen-client-urls", Value: etcdURL(c.Loopback(), 2379) + "," + client},
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
	// etcd wants it to be five heartbeats, and those may be the user's.
	if c.Box.SingleNode && config.Argument(c.Etcd.ExtraArgs, "heartbeat-interval") == "" {
		args = append(args, config.Arg{Name: "election-timeout", Value: "500"}) // ms; alone, it only waits for itself
	}
	line := command("etcd", sorted(args), c.Etcd.ExtraArgs)
	pod := podOf(c.Images.Etcd, line, config.Component{ExtraEnvs: c.Etcd.ExtraEnvs})
	pod.Probe = probe(c, c.EtcdMetrics())
	return templates.Etcd{Pod: pod, AdvertiseClientURLs: client, DataDir: c.Etcd.DataDir, CertificatesDir: pki}
}

func etcdURL(a netip.Addr, port uint16) string {
	return fmt.Sprintf("https://%s", netip.AddrPortFrom(a, port))
}

// etcdMetricsText is all that etcd counts, in Prometheus' format.
func etcdMetricsText(ctx context.Context, c *config.Config) (string, error) {
	return cluster.PlainText(ctx, "http://"+c.EtcdMetrics().String()+"/metrics")
}
