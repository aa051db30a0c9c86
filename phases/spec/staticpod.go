package spec

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

// Components are the control plane's static pods, in the order they depend on each other.
var Components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// NodeComponents are those that this node runs: etcd may be elsewhere, and all of them.
func NodeComponents(c *config.Config) []string {
	if c.Box.Standalone {
		return nil
	}
	if c.Etcd.External != nil {
		return Components[1:]
	}
	return Components
}

// command is a program and its flags: the defaults, without those that an extra
// argument names, then the extra arguments as the user ordered them.
func command(program string, defaults, extra []config.Arg) []string {
	line := []string{program}
	for _, d := range defaults {
		overridden := slices.ContainsFunc(extra, func(a config.Arg) bool { return a.Name == d.Name })
		if !overridden {
			line = append(line, flag(d))
		}
	}
	for _, a := range extra {
		line = append(line, flag(a))
	}
	return line
}

func sorted(args []config.Arg) []config.Arg {
	slices.SortStableFunc(args, func(a, b config.Arg) int { return strings.Compare(a.Name, b.Name) })
	return args
}

func flag(a config.Arg) string { return fmt.Sprintf("--%s=%s", a.Name, a.Value) }

// program is what a static pod runs.
type program struct {
	name, image string
	set         config.Component // by the user
	probed      netip.AddrPort
}

// pod is the part that all static pods have.
func (p program) pod(c *config.Config, defaults []config.Arg) templates.Pod {
	pod := templates.Pod{Image: p.image, Command: command(p.name, defaults, p.set.ExtraArgs)}
	pod.Probe = templates.Probe{
		Host: p.probed.Addr().String(), Port: int(p.probed.Port()), StartupSeconds: int(c.ControlPlaneTimeout.Seconds()),
	}
	for _, v := range p.set.ExtraEnvs {
		env := templates.EnvVar{Name: v.Name, Value: string(v.Value)}
		if v.ValueFrom != nil {
			env.FieldPath = v.ValueFrom.FieldRef.FieldPath
		}
		pod.Env = append(pod.Env, env)
	}
	own := c.OwnVolumes(p.name)
	for _, v := range p.set.ExtraVolumes {
		if own[v.Name] != "" {
			continue // the template has it
		}
		pod.Mounts = append(pod.Mounts, templates.Mount{
			Name: v.Name, HostPath: path.Clean(v.HostPath), MountPath: path.Clean(v.MountPath), ReadOnly: v.ReadOnly, Type: v.PathType,
		})
	}
	return pod
}

// ManifestFile is where the static pod of a component lies.
func ManifestFile(name string) string { return StaticPodDir + "/" + name + ".yaml" }

// DecodePod reads a Pod strictly: unknown and duplicate fields are errors.
func DecodePod(manifest []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(manifest, pod); err != nil {
		return nil, err
	}
	return pod, nil
}

// PodName is the name of a component's mirror pod in the API.
func (s *Spec) PodName(name string) string { return name + "-" + s.Config.NodeName }

// APIComponents are the pods of this node that the API needs.
func APIComponents(c *config.Config) []string {
	all := NodeComponents(c)
	return all[:slices.Index(all, "kube-apiserver")+1]
}

// PatchPod patches a static pod, and gives it the UID of its new bytes.
func (s *Spec) PatchPod(name string, manifest []byte) ([]byte, error) {
	if !s.Patches.Has(name) {
		return manifest, nil
	}
	patched, err := s.Patches.Apply(name, manifest)
	if err != nil {
		return nil, err
	}
	pod, err := DecodePod(patched)
	if err == nil && pod.Name != name {
		err = fmt.Errorf("it is named %q", pod.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.yaml, as the patches in %s make it: %w", name, s.Config.PatchesDir, err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(patched, &fields); err != nil {
		return nil, err
	}
	fields["metadata"].(map[string]any)["uid"] = templates.UID(s.Config.NodeName, patched) // DecodePod read its name there
	return yaml.Marshal(fields)
}
