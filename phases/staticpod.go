package phases

import (
	"fmt"

	"bootstrap/phases/spec"
)

func (e *Env) writeStaticPod(name string, pod spec.StaticPod) error {
	manifest, err := e.renderStaticPod(name, pod)
	if err != nil {
		return err
	}
	return e.placeStaticPod(name, manifest)
}

// renderStaticPod gives the manifest with the user's patches.
func (e *Env) renderStaticPod(name string, pod spec.StaticPod) ([]byte, error) {
	manifest, err := pod.Render(e.Config.NodeName)
	if err != nil {
		return nil, err
	}
	if _, err := spec.DecodePod(manifest); err != nil {
		return nil, fmt.Errorf("%s.yaml as rendered is no valid Pod, which is a defect of bootstrap: %w", name, err)
	}
	return e.PatchPod(name, manifest)
}

// placeStaticPod puts a manifest where the kubelet looks. If the UID is another, the kubelet
// starts the pod anew, with its files as they are now.
func (e *Env) placeStaticPod(name string, manifest []byte) error {
	pod, err := spec.DecodePod(manifest)
	if err != nil {
		return err
	}
	if _, err := e.Host.MakeDir(spec.StaticPodDir, 0o700); err != nil {
		return err
	}
	before, _ := e.Observe().ManifestUID(name) // empty where there is none that could be started
	changed, err := e.Host.WriteFile(spec.ManifestFile(name), manifest, 0o600)
	if err != nil || !changed || before == string(pod.UID) {
		return err
	}
	return e.Host.Started(name)
}
