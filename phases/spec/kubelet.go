package spec

import (
	"cmp"
	"fmt"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

func (s *Spec) kubeletConfig(endpoint string) templates.KubeletConfig {
	var gates []string
	if !s.Facts.SysResource {
		gates = append(gates, "KubeletInUserNamespace")
	}
	c := templates.KubeletConfig{
		StaticPodPath:       StaticPodDir,
		RuntimeEndpoint:     endpoint,
		Standalone:          s.Config.Box.Standalone,
		Loopback:            s.Config.Loopback().String(),
		ResolvConf:          resolvConf(s.Facts),
		FailSwapOn:          !s.Facts.Swap,
		FailCgroupV1:        s.Facts.CgroupVersion != 1,
		RestrictOOMScoreAdj: !s.Facts.SysResource,
		FeatureGates:        gates,
	}
	if !c.Standalone {
		c.ClusterDNS, c.ClusterDomain = s.Config.DNSServiceIP().String(), s.Config.Networking.DNSDomain
		c.ClientCA = s.PKIFile("ca", ".crt")
	}
	return c
}

// KubeletArgs are the kubelet's flags: what its config file has no field for. The node's name
// is always among them: a machine that gets another hostname stays the same node.
func KubeletArgs(c *config.Config) []string {
	args := []config.Arg{{Name: "config", Value: KubeletConfig}}
	if !c.Box.Standalone {
		args = append(args, config.Arg{Name: "kubeconfig", Value: KubeletConf})
	}
	args = append(args,
		config.Arg{Name: "node-ip", Value: c.AdvertiseAddress.String()}, // else a kubelet with several links may take another
		config.Arg{Name: "hostname-override", Value: c.NodeName},
	)
	if len(c.Taints) > 0 && !c.Box.Standalone {
		// At registration, so that no pod slips in before the taint.
		args = append(args, config.Arg{Name: "register-with-taints", Value: FormatTaints(c.Taints)})
	}
	return command("kubelet", args, c.KubeletExtraArgs)[1:]
}

// FormatTaints writes taints as the kubelet's flag has them.
func FormatTaints(taints []config.Taint) string {
	parts := make([]string, len(taints))
	for i, t := range taints {
		parts[i] = fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect)
	}
	return strings.Join(parts, ",")
}

// KubeletCgroupDriver is the driver that the kubelet uses where the runtime names none:
// systemd, unless the config file says otherwise.
func KubeletCgroupDriver(c *config.Config) string {
	own, _ := c.Kubelet["cgroupDriver"].(string)
	return cmp.Or(config.Argument(c.KubeletExtraArgs, "cgroup-driver"), own, "systemd")
}
