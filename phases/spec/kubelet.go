package spec

import (
	"cmp"
	"maps"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/patch"
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
		args = append(args, config.Arg{Name: "register-with-taints", Value: config.Joined(c.Taints)})
	}
	return command("kubelet", args, c.KubeletExtraArgs)[1:]
}

// KubeletCgroupDriver is the driver that the kubelet uses where the runtime names none:
// systemd, unless the config file says otherwise.
func KubeletCgroupDriver(c *config.Config) string {
	own, _ := c.Kubelet["cgroupDriver"].(string)
	return cmp.Or(config.Argument(c.KubeletExtraArgs, "cgroup-driver"), own, "systemd")
}

// nodeFields of a KubeletConfiguration follow from what one machine has.
var nodeFields = []string{"containerRuntimeEndpoint", "failCgroupV1", "failSwapOn", "featureGates", "oomScoreAdj", "resolvConf"}

// RenderKubeletConfig is this node's: ours, the user's document over it, then patches.
func (s *Spec) RenderKubeletConfig(endpoint string) ([]byte, error) {
	rendered, err := templates.Render(s.kubeletConfig(endpoint))
	if err != nil {
		return nil, err
	}
	if s.Config.Kubelet != nil {
		if rendered, err = overlaid(rendered, s.Config.Kubelet); err != nil {
			return nil, err
		}
	}
	return s.Patches.Apply(patch.Kubelet, rendered)
}

// ClusterKubeletConfig is what other nodes begin with when they join. They would run the
// same pods of a URL, and may read in the cluster what is secret.
func (s *Spec) ClusterKubeletConfig() ([]byte, error) {
	rendered, err := templates.Render(s.kubeletConfig(""))
	if err != nil {
		return nil, err
	}
	over, _ := config.WithoutPodURL(s.Config.Kubelet)
	return overlaid(rendered, over, nodeFields...)
}

// PodURLIn is what a kubelet's configuration has it fetch pods from.
func PodURLIn(data []byte) (config.PodURL, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return config.PodURL{}, err
	}
	return config.PodURLOf(fields), nil
}

// DelaysShutdown tells whether a kubelet with this configuration has logind wait for it at a shutdown.
func DelaysShutdown(data []byte) (bool, error) {
	var kubelet struct {
		ShutdownGracePeriod              string
		ShutdownGracePeriodByPodPriority []any
	}
	err := yaml.Unmarshal(data, &kubelet)
	period, _ := time.ParseDuration(kubelet.ShutdownGracePeriod) // the kubelet refuses what is none
	return period > 0 || len(kubelet.ShutdownGracePeriodByPodPriority) > 0, err
}

// overlaid is base without some of its fields, and over on it.
func overlaid(base []byte, over map[string]any, without ...string) ([]byte, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(base, &fields); err != nil {
		return nil, err
	}
	for _, name := range without {
		delete(fields, name)
	}
	return yaml.Marshal(merged(fields, over))
}

// merged lays over on base: mappings are merged, all else is replaced.
func merged(base, over map[string]any) map[string]any {
	result := maps.Clone(base)
	for name, value := range over {
		inner, isMap := value.(map[string]any)
		below, wasMap := base[name].(map[string]any)
		if isMap && wasMap {
			value = merged(below, inner)
		}
		result[name] = value
	}
	return result
}
