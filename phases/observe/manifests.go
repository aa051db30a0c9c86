package observe

import (
	"errors"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/podmanifest"
	"bootstrap/phases/spec"
)

// manifestEvidence is all that the kubelet reads in its folder. Manifests of ours that this run
// has yet to write are left out.
func manifestEvidence(h *host.Host, stage Stage) []diagnose.Manifest {
	files, _ := PodFiles(h, spec.StaticPodDir) // what can't be listed is no evidence
	var all []diagnose.Manifest
	for _, f := range files {
		if !f.Ours || stage.hasWritten(f.Path) {
			all = append(all, manifestOf(f))
		}
	}
	return all
}

func manifestOf(f PodFile) diagnose.Manifest {
	m := diagnose.Manifest{Path: f.Path, Ours: f.Ours, Changed: f.Changed}
	if f.Unreadable != nil {
		m.Error = f.Unreadable.Error()
		return m
	}
	m.Name = FullName(f.Pod)
	for _, p := range podmanifest.HostPorts(f.Pod) {
		if p.Protocol != corev1.ProtocolUDP {
			m.Ports = append(m.Ports, p.Address())
		}
	}
	return m
}

// hasWritten tells whether this run has written a manifest of ours by this stage.
func (s Stage) hasWritten(manifest string) bool {
	return s >= Written || s == Serving && (manifest == spec.ManifestFile("etcd") || manifest == spec.ManifestFile("kube-apiserver"))
}

// ManifestUIDs are the UIDs of the static pods on disk, by the pods' names.
func (o *Observer) ManifestUIDs() (map[string]string, error) {
	uids := map[string]string{}
	for _, name := range spec.NodeComponents(o.Config) {
		uid, err := o.ManifestUID(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uids[o.PodName(name)] = uid
	}
	return uids, nil
}

// ManifestUID is the UID in the manifest of one of our static pods.
func (o *Observer) ManifestUID(name string) (string, error) {
	file := spec.ManifestFile(name)
	data, err := o.Host.ReadFile(file)
	if err != nil {
		return "", err
	}
	pod, err := spec.DecodePod(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(pod.UID), nil
}
