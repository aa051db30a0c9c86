package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// fileEvidence is what differs from what init wrote, once this run has written all.
func fileEvidence(ctx context.Context, h *host.Host, stage Stage) []machine.Drift {
	if stage < Written {
		return nil
	}
	ctx, cancel := EvidenceTimeout.Bound(ctx)
	defer cancel()
	return h.Drift(ctx)
}

// manifestEvidence is all that the kubelet reads: each file of the folder, whatever its
// ending. Those of ours that this run has yet to write are left out.
func manifestEvidence(h *host.Host, stage Stage) []diagnose.Manifest {
	entries, err := os.ReadDir(h.Path(spec.StaticPodDir))
	if err != nil {
		return nil
	}
	var all []diagnose.Manifest
	for _, entry := range entries {
		path := spec.StaticPodDir + "/" + entry.Name()
		ours := h.Made(path)
		if strings.HasPrefix(entry.Name(), ".") || entry.IsDir() || ours && !stage.hasWritten(path) {
			continue
		}
		m := diagnose.Manifest{Path: path, Ours: ours}
		data, err := h.ReadFile(path)
		if err == nil {
			m.Name, m.Ports, err = readManifest(data)
		}
		if err != nil {
			m.Error = strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
		}
		all = append(all, m)
	}
	return all
}

// hasWritten tells whether a manifest of ours is as this run wants it.
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

// ManifestHashes are the UIDs in the manifests: what the kubelet makes the
// mirror pods' config hash.
func (o *Observer) ManifestHashes() (map[string]string, error) {
	hashes := map[string]string{}
	for _, name := range spec.NodeComponents(o.Config) {
		uid, err := o.ManifestUID(name)
		if err != nil {
			return nil, err
		}
		hashes[name] = uid
	}
	return hashes, nil
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
