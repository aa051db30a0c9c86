package phases

import (
	"context"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

var controlPlane = Phase{
	Name:  "control-plane",
	Short: "write the static pods of kube-apiserver and, once it is ready, of kube-controller-manager and kube-scheduler",
	Run:   runControlPlane,
}

// runControlPlane holds the controller manager and the scheduler back until the
// API server is ready. Started before, they exit, and sit in a back-off of 10 s;
// and their mirror pods are refused as long as the API server lacks its priority
// classes, which the kubelet tries again only after a minute.
func runControlPlane(ctx context.Context, env *Env) error {
	c := env.Config
	mounts := caMounts(env.Host.Path)
	if err := env.writeStaticPod("kube-apiserver", apiServerPod(c, mounts)); err != nil {
		return err
	}
	if err := env.waitForAPIServer(ctx); err != nil {
		return err
	}
	if err := env.writeStaticPod("kube-controller-manager", controllerManagerPod(c, mounts)); err != nil {
		return err
	}
	return env.writeStaticPod("kube-scheduler", schedulerPod(c))
}

// caMounts are the folders of trusted CAs that this host has: distributions differ.
func caMounts(path func(string) string) []templates.Mount {
	var mounts []templates.Mount
	for _, m := range []templates.Mount{
		{Name: "ca-certs", Path: "/etc/ssl/certs"},
		{Name: "etc-ca-certificates", Path: "/etc/ca-certificates"},
		{Name: "etc-pki-ca-trust", Path: "/etc/pki/ca-trust"},
		{Name: "etc-pki-tls-certs", Path: "/etc/pki/tls/certs"},
		{Name: "usr-local-share-ca-certificates", Path: "/usr/local/share/ca-certificates"},
		{Name: "usr-share-ca-certificates", Path: "/usr/share/ca-certificates"},
	} {
		if info, err := os.Stat(path(m.Path)); err == nil && info.IsDir() {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

func apiServerPod(c *config.Config, mounts []templates.Mount) templates.KubeAPIServer {
	pki := c.CertificatesDir
	return templates.KubeAPIServer{
		Image:             c.Images.APIServer,
		AdvertiseEndpoint: netip.AddrPortFrom(c.AdvertiseAddress, uint16(c.BindPort)).String(),
		Command: command("kube-apiserver", []config.Arg{
			{Name: "advertise-address", Value: c.AdvertiseAddress.String()},
			{Name: "allow-privileged", Value: "true"},
			{Name: "authorization-mode", Value: "Node,RBAC"},
			{Name: "client-ca-file", Value: pki + "/ca.crt"},
			{Name: "enable-admission-plugins", Value: "NodeRestriction"},
			{Name: "enable-bootstrap-token-auth", Value: "true"},
			{Name: "etcd-cafile", Value: pki + "/etcd/ca.crt"},
			{Name: "etcd-certfile", Value: pki + "/apiserver-etcd-client.crt"},
			{Name: "etcd-keyfile", Value: pki + "/apiserver-etcd-client.key"},
			{Name: "etcd-servers", Value: etcdURL(c.Loopback(), 2379)},
			{Name: "kubelet-client-certificate", Value: pki + "/apiserver-kubelet-client.crt"},
			{Name: "kubelet-client-key", Value: pki + "/apiserver-kubelet-client.key"},
			{Name: "kubelet-preferred-address-types", Value: "InternalIP,ExternalIP,Hostname"},
			{Name: "profiling", Value: "false"},
			{Name: "proxy-client-cert-file", Value: pki + "/front-proxy-client.crt"},
			{Name: "proxy-client-key-file", Value: pki + "/front-proxy-client.key"},
			{Name: "requestheader-allowed-names", Value: "front-proxy-client"},
			{Name: "requestheader-client-ca-file", Value: pki + "/front-proxy-ca.crt"},
			{Name: "requestheader-extra-headers-prefix", Value: "X-Remote-Extra-"},
			{Name: "requestheader-group-headers", Value: "X-Remote-Group"},
			{Name: "requestheader-username-headers", Value: "X-Remote-User"},
			{Name: "secure-port", Value: strconv.Itoa(c.BindPort)},
			{Name: "service-account-issuer", Value: "https://kubernetes.default.svc." + c.Networking.DNSDomain},
			{Name: "service-account-key-file", Value: pki + "/sa.pub"},
			{Name: "service-account-signing-key-file", Value: pki + "/sa.key"},
			{Name: "service-cluster-ip-range", Value: joined(c.Networking.ServiceSubnets)},
			{Name: "tls-cert-file", Value: pki + "/apiserver.crt"},
			{Name: "tls-private-key-file", Value: pki + "/apiserver.key"},
		}, c.APIServer.ExtraArgs),
		CertificatesDir: pki,
		Mounts:          mounts,
		Probe:           probe(c, netip.AddrPortFrom(c.AdvertiseAddress, uint16(c.BindPort))),
	}
}

func controllerManagerPod(c *config.Config, mounts []templates.Mount) templates.KubeControllerManager {
	pki := c.CertificatesDir
	return templates.KubeControllerManager{
		Image: c.Images.ControllerManager,
		Command: command("kube-controller-manager", []config.Arg{
			{Name: "allocate-node-cidrs", Value: "true"},
			{Name: "authentication-kubeconfig", Value: controllerConf},
			{Name: "authorization-kubeconfig", Value: controllerConf},
			{Name: "bind-address", Value: c.Loopback().String()},
			{Name: "client-ca-file", Value: pki + "/ca.crt"},
			{Name: "cluster-cidr", Value: joined(c.Networking.PodSubnets)},
			{Name: "cluster-name", Value: c.ClusterName},
			{Name: "cluster-signing-cert-file", Value: pki + "/ca.crt"},
			{Name: "cluster-signing-key-file", Value: pki + "/ca.key"},
			{Name: "controllers", Value: "*,bootstrapsigner,tokencleaner"},
			{Name: "kubeconfig", Value: controllerConf},
			{Name: "leader-elect", Value: "true"},
			{Name: "profiling", Value: "false"},
			{Name: "requestheader-client-ca-file", Value: pki + "/front-proxy-ca.crt"},
			{Name: "root-ca-file", Value: pki + "/ca.crt"},
			{Name: "service-account-private-key-file", Value: pki + "/sa.key"},
			{Name: "service-cluster-ip-range", Value: joined(c.Networking.ServiceSubnets)},
			{Name: "use-service-account-credentials", Value: "true"},
		}, c.ControllerManager.ExtraArgs),
		CertificatesDir: pki,
		Kubeconfig:      controllerConf,
		Mounts:          mounts,
		Probe:           probe(c, boundTo(c, c.ControllerManager, 10257)),
	}
}

func schedulerPod(c *config.Config) templates.KubeScheduler {
	return templates.KubeScheduler{
		Image: c.Images.Scheduler,
		Command: command("kube-scheduler", []config.Arg{
			{Name: "authentication-kubeconfig", Value: schedulerConf},
			{Name: "authorization-kubeconfig", Value: schedulerConf},
			{Name: "bind-address", Value: c.Loopback().String()},
			{Name: "kubeconfig", Value: schedulerConf},
			{Name: "leader-elect", Value: "true"},
			{Name: "profiling", Value: "false"},
		}, c.Scheduler.ExtraArgs),
		Kubeconfig: schedulerConf,
		Probe:      probe(c, boundTo(c, c.Scheduler, 10259)),
	}
}

func probe(c *config.Config, at netip.AddrPort) templates.Probe {
	return templates.Probe{
		Host: at.Addr().String(), Port: int(at.Port()), StartupSeconds: int(c.ControlPlaneTimeout.Seconds()),
	}
}

// boundTo is where a component answers: on loopback, unless an extra argument
// binds it elsewhere.
func boundTo(c *config.Config, component config.Component, port uint16) netip.AddrPort {
	address, err := netip.ParseAddr(argument(component.ExtraArgs, "bind-address"))
	if err != nil || address.IsUnspecified() {
		address = c.Loopback()
	}
	if n, err := strconv.ParseUint(argument(component.ExtraArgs, "secure-port"), 10, 16); err == nil {
		port = uint16(n)
	}
	return netip.AddrPortFrom(address, port)
}

func joined(subnets []netip.Prefix) string {
	parts := make([]string, len(subnets))
	for i, s := range subnets {
		parts[i] = s.String()
	}
	return strings.Join(parts, ",")
}
