package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/podmanifest"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// ReadPod reads a Pod as the kubelet does, which passes over unknown fields.
func ReadPod(data []byte) (*corev1.Pod, error) {
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

// podLacks says what the kubelet would refuse a Pod for, nil if nothing.
func podLacks(pod *corev1.Pod) error {
	switch {
	case pod.Name == "":
		return errors.New("metadata.name is missing")
	case len(pod.Spec.Containers) == 0:
		return errors.New("spec.containers is missing")
	}
	return nil
}

// FullName is namespace/name of a Pod in a manifest.
func FullName(pod *corev1.Pod) string { return NamespaceOf(pod) + "/" + pod.Name }

// HashAnnotation holds the UID that the kubelet gave a static pod.
const HashAnnotation = "kubernetes.io/config.hash"

// IsMirror tells a mirror pod, which the kubelet makes of a static pod, from other pods.
func IsMirror(pod *corev1.Pod) bool {
	_, ok := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}

// PodFile is a file in the static pod directory.
type PodFile struct {
	Path       string
	Ours       bool
	Changed    time.Time   // its content or name, the last time
	Pod        *corev1.Pod // nil if it can't be decoded
	Unreadable error       // why it is no Pod that a kubelet could run
	Err        error       // that, or what else a kubelet would refuse; not looked for in ours
}

// PodFiles reads a directory, or a single file, as the kubelet does: what begins with a
// dot, and folders, are passed over.
func PodFiles(h *host.Host, dir string) ([]PodFile, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(h.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if info, statErr := os.Stat(h.Path(dir)); err != nil && statErr == nil && !info.IsDir() {
		return []PodFile{podFile(h, dir)}, nil
	}
	var files []PodFile
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !entry.IsDir() {
			files = append(files, podFile(h, dir+"/"+entry.Name()))
		}
	}
	return files, err
}

func podFile(h *host.Host, path string) PodFile {
	f := PodFile{Path: path, Ours: h.Made(path)}
	f.Changed, _ = h.Changed(path) // what keeps it from being asked, keeps it from being read
	data, err := h.ReadFile(path)
	if err == nil {
		f.Pod, err = ReadPod(data)
	}
	if err != nil {
		f.Unreadable = errors.New(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	}
	f.Err = f.Unreadable
	if f.Err == nil && !f.Ours {
		_, _, f.Err = podmanifest.Parse(path, data)
	}
	return f
}

// ForeignPodFiles are the files that the kubelet would read beside ours. Those that lie where ours
// will be are looked at elsewhere.
func (o *Observer) ForeignPodFiles() ([]PodFile, error) {
	files, err := PodFiles(o.Host, spec.StaticPodDir)
	return slices.DeleteFunc(files, func(f PodFile) bool {
		isOfComponent := func(name string) bool { return f.Path == spec.ManifestFile(name) }
		return f.Ours || slices.ContainsFunc(spec.NodeComponents(o.Config), isOfComponent)
	}), err
}

// AllSandboxes are all sandboxes of the runtime that this kubelet uses.
func (k KubeletFound) AllSandboxes(ctx context.Context, h *host.Host) ([]runtime.Sandbox, error) {
	if !h.Real() {
		return nil, nil // a directory stands for the machine: no pod of it runs
	}
	return Pods(ctx, h, PodQuery{Endpoint: k.Endpoint, All: true})
}

// NodePods are the pods of this node in the API, which is asked as its kubelet. There are none where
// the kubelet has no API server, or has no kubeconfig yet.
func (k KubeletFound) NodePods(ctx context.Context, h *host.Host) ([]corev1.Pod, error) {
	c, err := k.Connect(h)
	if err != nil || c == nil {
		return nil, err
	}
	ctx, cancel := answerTimeout.Bound(ctx)
	defer cancel()
	pods, err := c.PodsOfNode(ctx, k.NodeName)
	if err != nil {
		return nil, fmt.Errorf("the API server does not tell: %w", err)
	}
	return pods, nil
}

// Connect gives a client of the API server with the kubelet's rights; nil where the kubelet has none.
func (k KubeletFound) Connect(h *host.Host) (*cluster.Cluster, error) {
	if k.kubeconfig == "" || !h.Real() {
		return nil, nil
	}
	data, err := readIfThere(h, k.kubeconfig)
	if err != nil || data == nil {
		return nil, err
	}
	c, err := cluster.Connect(data, "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.kubeconfig, err)
	}
	return c, nil
}

// PodName is how the kubelet calls a static pod.
func (k KubeletFound) PodName(name string) string { return name + "-" + k.NodeName }

// NamespaceOf is the namespace in which the kubelet runs a Pod of a manifest.
func NamespaceOf(pod *corev1.Pod) string { return cmp.Or(pod.Namespace, "default") }

// NewestSandbox is a pod's newest sandbox that is ready, else its newest; nil if it has none.
func NewestSandbox(all []runtime.Sandbox, key string) *runtime.Sandbox {
	var newest *runtime.Sandbox
	for i := range all { // the newest first
		if all[i].FullName() != key {
			continue
		}
		if all[i].Ready {
			return &all[i]
		}
		newest = cmp.Or(newest, &all[i])
	}
	return newest
}

// NewestTries is the newest try of each container. Lists of the runtime begin with the newest.
func NewestTries(all []runtime.Container) []runtime.Container {
	return slices.CompactFunc(slices.Clone(all), func(a, b runtime.Container) bool { return a.Name == b.Name })
}

// AnyRuns tells whether a container of the sandbox runs.
func AnyRuns(s runtime.Sandbox) bool {
	return slices.ContainsFunc(s.Containers, func(c runtime.Container) bool { return c.Running })
}
