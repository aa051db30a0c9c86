package phases

import (
	"context"
	"fmt"
	"slices"

	"bootstrap/phases/spec"
	"bootstrap/templates"
)

func writeStaticPod(ctx context.Context, env *Env, name string, pod templates.File) error {
	manifest, err := renderStaticPod(env, name, pod)
	if err != nil {
		return err
	}
	return placeStaticPod(ctx, env, name, manifest)
}

// renderStaticPod gives the manifest of a component, with the user's patches applied.
func renderStaticPod(env *Env, name string, pod templates.File) ([]byte, error) {
	manifest, err := templates.RenderPod(env.Config.NodeName, pod)
	if err != nil {
		return nil, err
	}
	if _, err := spec.DecodePod(manifest); err != nil {
		return nil, fmt.Errorf("%s.yaml as rendered is no valid Pod, which is a defect of bootstrap: %w", name, err)
	}
	return env.PatchPod(name, manifest)
}

// placeStaticPod puts a manifest where the kubelet looks. If the UID is another, the kubelet
// starts the pod anew, with its files as they are now.
func placeStaticPod(ctx context.Context, env *Env, name string, manifest []byte) error {
	pod, err := spec.DecodePod(manifest)
	if err != nil {
		return err
	}
	if err := env.Host.MakeDir(spec.StaticPodDir, 0o700); err != nil {
		return err
	}
	before, _ := env.ManifestUID(name) // empty where there is none that could be started
	write := func() error {
		changed, err := env.Host.WriteFile(spec.ManifestFile(name), manifest, 0o600)
		if err != nil || !changed || before == string(pod.UID) {
			return err
		}
		return env.Host.Started(name)
	}
	replaces := before != "" && before != string(pod.UID)
	if replaces && slices.Contains(spec.APIComponents(env.Config), name) {
		return replaceManifest(ctx, env, write)
	}
	return write() // of those that are written once the API server answers, the kubelet sees a change by itself
}
