package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

// mountedOver adds the user's mounts to ours; where both have one of a name or at a path, the user's
// counts.
func mountedOver(ours, users []templates.Mount) []templates.Mount {
	rest := slices.DeleteFunc(slices.Clone(ours), func(m templates.Mount) bool {
		return slices.ContainsFunc(users, func(u templates.Mount) bool { return u.MountPath == m.MountPath || u.Name == m.Name })
	})
	return append(rest, users...)
}

// hostFolder is a folder of this host, at the same path in the container, to read only.
func hostFolder(name, path string) templates.Mount {
	return templates.Mount{Name: name, HostPath: path, MountPath: path, ReadOnly: true, Type: "Directory"}
}

// CAMounts are the folders of trusted CAs, as the pods that call others have them.
func CAMounts(dirs []string) []templates.Mount {
	var mounts []templates.Mount
	for _, dir := range dirs {
		name := strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-")
		if dir == "/etc/ssl/certs" {
			name = "ca-certs" // kubeadm's name
		}
		mounts = append(mounts, hostFolder(name, dir))
	}
	return mounts
}

// APIServerPod is kube-apiserver's static pod; mounts are the host's folders of CAs.
func APIServerPod(c *config.Config, mounts []templates.Mount) templates.KubeAPIServer {
	at := netip.AddrPortFrom(c.AdvertiseAddress, uint16(c.BindPort))
	pod := program{"kube-apiserver", c.Images.APIServer, c.APIServer, at}.pod(c, apiServerArgs(c))
	pod.Mounts = mountedOver(slices.Concat(mounts, externalEtcdMounts(c, slices.Concat(pod.Mounts, mounts))), pod.Mounts)
	return templates.KubeAPIServer{Pod: pod, AdvertiseEndpoint: at.String(), CertificatesDir: c.CertificatesDir}
}

func apiServerArgs(c *config.Config) []config.Arg {
	pki := c.CertificatesDir
	args := append(etcdClientArgs(c), []config.Arg{
		{Name: "advertise-address", Value: c.AdvertiseAddress.String()},
		{Name: "allow-privileged", Value: "true"},
		{Name: "authorization-mode", Value: "Node,RBAC"},
		{Name: "client-ca-file", Value: pki + "/ca.crt"},
		{Name: "enable-admission-plugins", Value: "NodeRestriction"},
		{Name: "enable-bootstrap-token-auth", Value: "true"},
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
		{Name: "service-cluster-ip-range", Value: config.Joined(c.Networking.ServiceSubnets)},
		// Without it, watches stay open when the server is to end: it waits 60 s for them, and
		// the kubelet kills it after 30. Below those 30 s, which are for all requests.
		{Name: "shutdown-watch-termination-grace-period", Value: "20s"},
		{Name: "tls-cert-file", Value: pki + "/apiserver.crt"},
		{Name: "tls-private-key-file", Value: pki + "/apiserver.key"},
	}...)
	if c.ProxiesToPeers() {
		args = append(args, config.Arg{Name: "peer-ca-file", Value: pki + "/ca.crt"})
	}
	// Structured authorization takes the place of the modes; with both the server does not start.
	if config.Argument(c.APIServer.ExtraArgs, "authorization-config") != "" {
		args = slices.DeleteFunc(args, func(a config.Arg) bool { return a.Name == "authorization-mode" })
	}
	return sorted(args)
}

// etcdClientArgs tell the API server where etcd is, and who to be there.
func etcdClientArgs(c *config.Config) []config.Arg {
	etcd := c.Etcd.External
	if etcd == nil {
		url := cmp.Or(config.Argument(c.Etcd.ExtraArgs, "advertise-client-urls"), EtcdURL(c.Loopback(), 2379))
		client := c.CertificatesDir + "/apiserver-etcd-client"
		etcd = &config.ExternalEtcd{
			Endpoints: []string{url}, CAFile: c.CertificatesDir + "/etcd/ca.crt",
			CertFile: client + ".crt", KeyFile: client + ".key",
		}
	}
	args := []config.Arg{
		{Name: "etcd-cafile", Value: etcd.CAFile},
		{Name: "etcd-certfile", Value: etcd.CertFile},
		{Name: "etcd-keyfile", Value: etcd.KeyFile},
		{Name: "etcd-servers", Value: strings.Join(etcd.Endpoints, ",")},
	}
	return slices.DeleteFunc(args, func(a config.Arg) bool { return a.Value == "" })
}

// externalEtcdMounts are the folders of the files for an etcd elsewhere, but for those that
// the certificates folder or one of these mounts holds.
func externalEtcdMounts(c *config.Config, others []templates.Mount) []templates.Mount {
	if c.Etcd.External == nil {
		return nil
	}
	var mounts []templates.Mount
	for _, file := range []string{c.Etcd.External.CAFile, c.Etcd.External.CertFile, c.Etcd.External.KeyFile} {
		dir := path.Dir(file)
		isBelow := func(folder string) bool { return strings.HasPrefix(dir+"/", folder+"/") }
		holds := func(m templates.Mount) bool { return isBelow(m.MountPath) }
		if file != "" && !isBelow(c.CertificatesDir) && !slices.ContainsFunc(slices.Concat(others, mounts), holds) {
			mounts = append(mounts, hostFolder(fmt.Sprintf("etcd-certs-%d", len(mounts)), dir))
		}
	}
	return mounts
}

// ControllerManagerPod is kube-controller-manager's static pod; mounts are the host's folders
// of CAs.
func ControllerManagerPod(c *config.Config, mounts []templates.Mount) templates.KubeControllerManager {
	pki := c.CertificatesDir
	at := boundTo(c, c.ControllerManager, 10257)
	pod := program{"kube-controller-manager", c.Images.ControllerManager, c.ControllerManager, at}.pod(c, []config.Arg{
		{Name: "allocate-node-cidrs", Value: "true"},
		{Name: "authentication-kubeconfig", Value: ControllerConf},
		{Name: "authorization-kubeconfig", Value: ControllerConf},
		{Name: "bind-address", Value: c.Loopback().String()},
		{Name: "client-ca-file", Value: pki + "/ca.crt"},
		{Name: "cluster-cidr", Value: config.Joined(c.Networking.PodSubnets)},
		{Name: "cluster-name", Value: c.ClusterName},
		{Name: "cluster-signing-cert-file", Value: pki + "/" + SigningCert + ".crt"},
		{Name: "cluster-signing-key-file", Value: pki + "/ca.key"},
		{Name: "controllers", Value: "*,bootstrapsigner,tokencleaner"},
		// At its start it asks for some 150 service accounts and tokens at once: by
		// default (30) it waits 5 s for its own limit. Its rate after that stays the same.
		{Name: "kube-api-burst", Value: "300"},
		{Name: "kubeconfig", Value: ControllerConf},
		{Name: "leader-elect", Value: "true"},
		{Name: "profiling", Value: "false"},
		{Name: "requestheader-client-ca-file", Value: pki + "/front-proxy-ca.crt"},
		{Name: "root-ca-file", Value: pki + "/ca.crt"},
		{Name: "service-account-private-key-file", Value: pki + "/sa.key"},
		{Name: "service-cluster-ip-range", Value: config.Joined(c.Networking.ServiceSubnets)},
		{Name: "use-service-account-credentials", Value: "true"},
	})
	pod.Mounts = mountedOver(mounts, pod.Mounts)
	return templates.KubeControllerManager{Pod: pod, CertificatesDir: pki, Kubeconfig: ControllerConf}
}

// SchedulerPod is kube-scheduler's static pod.
func SchedulerPod(c *config.Config) templates.KubeScheduler {
	pod := program{"kube-scheduler", c.Images.Scheduler, c.Scheduler, boundTo(c, c.Scheduler, 10259)}.pod(c, []config.Arg{
		{Name: "authentication-kubeconfig", Value: SchedulerConf},
		{Name: "authorization-kubeconfig", Value: SchedulerConf},
		{Name: "bind-address", Value: c.Loopback().String()},
		{Name: "kubeconfig", Value: SchedulerConf},
		{Name: "leader-elect", Value: "true"},
		{Name: "profiling", Value: "false"},
	})
	return templates.KubeScheduler{Pod: pod, Kubeconfig: SchedulerConf}
}

// boundTo is where a component answers: on loopback, unless an extra argument
// binds it elsewhere.
func boundTo(c *config.Config, component config.Component, port uint16) netip.AddrPort {
	address, err := netip.ParseAddr(config.Argument(component.ExtraArgs, "bind-address"))
	if err != nil || address.IsUnspecified() {
		address = c.Loopback()
	}
	if n, err := strconv.ParseUint(config.Argument(component.ExtraArgs, "secure-port"), 10, 16); err == nil {
		port = uint16(n)
	}
	return netip.AddrPortFrom(address, port)
}
