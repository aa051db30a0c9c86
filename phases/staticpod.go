package phases

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/templates"
)

// components are the control plane's static pods, in the order they depend on each other.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// nodeComponents are those that this node runs: etcd may be elsewhere, and all of them.
func nodeComponents(c *config.Config) []string {
	if c.Box.Standalone {
		return nil
	}
	if c.Etcd.External != nil {
		return components[1:]
	}
	return components
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

// staticPod is a typed template of templates/staticpod.
type staticPod interface {
	Render(node string) ([]byte, error)
}

// podOf is what all static pods have, with the user's settings for this component.
func podOf(image string, command []string, component config.Component) templates.Pod {
	pod := templates.Pod{Image: image, Command: command}
	for _, v := range component.ExtraEnvs {
		pod.Env = append(pod.Env, templates.EnvVar{Name: v.Name, Value: v.Value})
	}
	for _, v := range component.ExtraVolumes {
		pod.Mounts = append(pod.Mounts, templates.Mount{
			Name: v.Name, HostPath: v.HostPath, MountPath: v.MountPath, ReadOnly: v.ReadOnly, Type: v.PathType,
		})
	}
	return pod
}

func (e *Env) writeStaticPod(name string, pod staticPod) error {
	manifest, err := e.renderStaticPod(name, pod)
	if err != nil {
		return err
	}
	return e.placeStaticPod(name, manifest)
}

// renderStaticPod gives the manifest with the user's patches.
func (e *Env) renderStaticPod(name string, pod staticPod) ([]byte, error) {
	manifest, err := pod.Render(e.Config.NodeName)
	if err != nil {
		return nil, err
	}
	if _, err := decodePod(manifest); err != nil {
		return nil, fmt.Errorf("%s.yaml as rendered is no valid Pod, which is a defect of bootstrap: %w", name, err)
	}
	return e.patchPod(name, manifest)
}

// placeStaticPod puts a manifest where the kubelet looks. If the UID is another, the kubelet
// starts the pod anew, with its files as they are now.
func (e *Env) placeStaticPod(name string, manifest []byte) error {
	pod, err := decodePod(manifest)
	if err != nil {
		return err
	}
	if _, err := e.Host.MakeDir(staticPodDir, 0o700); err != nil {
		return err
	}
	before, _ := e.manifestUID(name) // empty where there is none that could be started
	changed, err := e.Host.WriteFile(manifestFile(name), manifest, 0o600)
	if err != nil || !changed || before == string(pod.UID) {
		return err
	}
	return e.Host.Started(name)
}

func manifestFile(name string) string { return staticPodDir + "/" + name + ".yaml" }

// decodePod reads a Pod strictly: unknown and duplicate fields are errors.
func decodePod(manifest []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(manifest, pod); err != nil {
		return nil, err
	}
	return pod, nil
}
