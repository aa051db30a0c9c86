package staticpods

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestDiffers: what the API server adds is no difference, what it has otherwise is.
func TestDiffers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		manifest *corev1.Pod
		mirror   corev1.Pod
		want     string
	}{
		{"the same", webPod(), webMirror(), ""},
		{"an image", webPod(), webMirror(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "x" }), "spec.containers[0].image"},
		{"a label", webPod(), webMirror(func(p *corev1.Pod) { p.Labels["app"] = "x" }), "metadata.labels.app"},
		{"a second container", webPod(func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "b"}) }), webMirror(), "spec.containers"},
		{"a field that the mirror has not", webPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), webMirror(), "spec.hostNetwork"},
	} {
		if got := differs(tt.manifest, &tt.mirror); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMirrorReady(t *testing.T) {
	waits := corev1.ContainerStatus{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no route"}}}
	for _, tt := range []struct {
		name string
		edit func(*corev1.Pod)
		want string // empty: it is ready
	}{
		{"it is", func(*corev1.Pod) {}, ""},
		{"it has done its work", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodSucceeded} }, ""},
		{"it is about to go", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, "is being deleted"},
		{"it was not admitted", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu"} }, "is failed: OutOfcpu"},
		{"a container waits", func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{waits} }, "web: its container waits: ErrImagePull no route"},
		{"nothing is known of it", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, "is pending"},
	} {
		mirror := webMirror(tt.edit)
		err := mirrorReady(&mirror)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
