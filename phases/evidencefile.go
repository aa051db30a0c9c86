package phases

import (
	"context"
	"errors"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/podmanifest"
)

func (e *Env) fileEvidence(ctx context.Context, stage Stage) []diagnose.File {
	if stage < Written {
		return nil
	}
	ctx, cancel := evidenceTimeout.bound(ctx)
	defer cancel()
	var files []diagnose.File
	for _, d := range e.Host.Drift(ctx) {
		files = append(files, diagnose.File{Path: d.Path, Drift: d.What})
	}
	return files
}

// manifestEvidence is all that the kubelet reads: each file of the folder, whatever its
// ending. Those of ours that this run has yet to write are left out.
func (e *Env) manifestEvidence(stage Stage) []diagnose.Manifest {
	entries, err := os.ReadDir(e.Host.Path(staticPodDir))
	if err != nil {
		return nil
	}
	var all []diagnose.Manifest
	for _, entry := range entries {
		path := staticPodDir + "/" + entry.Name()
		ours := e.made(path)
		if strings.HasPrefix(entry.Name(), ".") || entry.IsDir() || ours && !stage.hasWritten(path) {
			continue
		}
		m := diagnose.Manifest{Path: path, Ours: ours}
		data, err := e.Host.ReadFile(path)
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
	return s >= Written || s == Serving && (manifest == manifestFile("etcd") || manifest == manifestFile("kube-apiserver"))
}

func readManifest(data []byte) (name string, ports []int, err error) {
	pod, err := readPod(data)
	if err != nil {
		return "", nil, err
	}
	return fullName(pod), tcpPorts(pod), nil
}

// readPod reads a Pod as the kubelet does, which passes over unknown fields.
func readPod(data []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(data, pod); err != nil {
		return nil, err
	}
	switch {
	case len(strings.TrimSpace(string(data))) == 0:
		return nil, errors.New("it is empty")
	case pod.Kind != "Pod" || pod.APIVersion != "v1":
		return nil, errors.New("it is no Pod of apiVersion v1")
	}
	return pod, podLacks(pod)
}

func podLacks(pod *corev1.Pod) error {
	switch {
	case pod.Name == "":
		return errors.New("metadata.name is missing")
	case len(pod.Spec.Containers) == 0:
		return errors.New("spec.containers is missing")
	}
	return nil
}

func fullName(pod *corev1.Pod) string { return namespaceOf(pod) + "/" + pod.Name }

// tcpPorts are those that a pod declares on this machine.
func tcpPorts(pod *corev1.Pod) []int {
	var ports []int
	for _, p := range podmanifest.HostPorts(pod) {
		if p.Protocol != corev1.ProtocolUDP {
			ports = append(ports, p.Port)
		}
	}
	return ports
}
