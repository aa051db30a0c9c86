package cluster

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Workload is a Deployment or a DaemonSet of kube-system, and its pods that have not ended.
type Workload struct {
	Replicas int // at least so many pods; 0 for a DaemonSet
	Template corev1.PodTemplateSpec
	Pods     []corev1.Pod
}

// Workload reads a workload of kube-system; resource is deployments or daemonsets.
func (c *Cluster) Workload(ctx context.Context, resource, name string) (Workload, error) {
	var object struct {
		Spec struct {
			Replicas int                    `json:"replicas"`
			Selector metav1.LabelSelector   `json:"selector"`
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := c.get(ctx, appsv1.SchemeGroupVersion.WithResource(resource), objectKey{"kube-system", name}, &object); err != nil {
		return Workload{}, err
	}
	selector := metav1.FormatLabelSelector(&object.Spec.Selector)
	list, err := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace("kube-system").
		List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return Workload{}, plain(err)
	}
	w := Workload{Replicas: object.Spec.Replicas, Template: object.Spec.Template}
	for _, item := range list.Items {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &pod); err != nil {
			return Workload{}, err
		}
		if !hasEnded(&pod) {
			w.Pods = append(w.Pods, pod)
		}
	}
	return w, nil
}

// hasEnded: pods that a shutdown of the machine ended stay, and others take their place.
func hasEnded(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
