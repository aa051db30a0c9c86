package staticpods

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/observe"
	"bootstrap/phases/ready"
)

func mirrorPodOf(pod *corev1.Pod) *MirrorPod {
	m := &MirrorPod{Name: pod.Name, Hash: pod.Annotations[observe.HashAnnotation]}
	if err := mirrorReady(pod); err != nil {
		m.Reason = err.Error()
	}
	m.Ready = m.Reason == ""
	return m
}

// mirrorReady says why a mirror pod is not ready. A pod that has done what it was to do
// counts as ready.
func mirrorReady(pod *corev1.Pod) error {
	switch {
	case pod.DeletionTimestamp != nil:
		return errors.New("the mirror pod is being deleted")
	case pod.Status.Phase == corev1.PodSucceeded:
		return nil
	case pod.Status.Phase == corev1.PodFailed:
		return fmt.Errorf("the mirror pod is failed: %s %s", pod.Status.Reason, pod.Status.Message)
	}
	for _, c := range pod.Status.ContainerStatuses {
		if err := ready.CheckContainer(c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("the mirror pod is %s", strings.ToLower(string(pod.Status.Phase)))
}

// compare finds a mirror pod that shows something else than what runs, or than the file.
func (p *Pod) compare(mirror *corev1.Pod) {
	switch {
	case p.Problem != "":
	case p.Hash != "" && p.Mirror.Hash != p.Hash:
		p.Problem = fmt.Sprintf("the mirror pod is of another content (hash %s)", p.Mirror.Hash)
	case p.manifest != nil:
		if field := differs(p.manifest, mirror); field != "" {
			p.Problem = fmt.Sprintf("the mirror pod differs from the file: %s", field)
		}
	}
}

// differs finds the first field that a manifest sets and that its mirror pod has otherwise;
// empty if there is none. What the mirror pod has besides are defaults. Tolerations are left
// out: the kubelet and the API server add to them.
func differs(manifest, mirror *corev1.Pod) string {
	want := &corev1.Pod{Spec: manifest.Spec}
	want.Labels, want.Annotations, want.Spec.Tolerations = manifest.Labels, manifest.Annotations, nil
	return strings.TrimPrefix(beyond("", plainJSON(want), plainJSON(mirror)), ".")
}

// plainJSON is a Pod as maps and lists.
func plainJSON(pod *corev1.Pod) (plain any) {
	data, _ := json.Marshal(pod) // each part of a Pod can be written as JSON
	_ = json.Unmarshal(data, &plain)
	return plain
}

// beyond finds the first field of want that given lacks or has otherwise.
func beyond(field string, want, given any) string {
	switch want := want.(type) {
	case map[string]any:
		other, _ := given.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if at := beyond(field+"."+name, want[name], other[name]); at != "" {
				return at
			}
		}
		return ""
	case []any:
		other, _ := given.([]any)
		if len(want) != len(other) {
			return field
		}
		for i := range want {
			if at := beyond(fmt.Sprintf("%s[%d]", field, i), want[i], other[i]); at != "" {
				return at
			}
		}
		return ""
	}
	if want != nil && want != given {
		return field
	}
	return ""
}
