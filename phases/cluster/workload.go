package cluster

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Workload is a Deployment or a DaemonSet of kube-system, and its pods that have not ended.
type Workload struct {
	Replicas int // at least so many pods; 0 for a DaemonSet
	Template corev1.PodTemplateSpec
	Pods     []corev1.Pod
	Refused  string // why the API server would not have its last pod, such as a quota; empty if it would
}

// Workload reads a workload of kube-system; resource is deployments or daemonsets.
func (c *Cluster) Workload(ctx context.Context, resource, name string) (Workload, error) {
	var object appsv1.Deployment // a DaemonSet has its fields too, but for the replicas
	workloads := c.dynamic.Resource(appsv1.SchemeGroupVersion.WithResource(resource)).Namespace(metav1.NamespaceSystem)
	if err := c.get(ctx, workloads, name, &object); err != nil {
		return Workload{}, err
	}
	var pods corev1.PodList
	selected := metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(object.Spec.Selector)}
	if err := c.list(ctx, c.core("pods", metav1.NamespaceSystem), selected, &pods); err != nil {
		return Workload{}, err
	}
	running := slices.DeleteFunc(pods.Items, hasEnded)
	replicas := int(ptr.Deref(object.Spec.Replicas, 0))
	w := Workload{Replicas: replicas, Template: object.Spec.Template, Pods: running}
	for _, each := range object.Status.Conditions {
		if each.Type == appsv1.DeploymentReplicaFailure && each.Status == corev1.ConditionTrue {
			w.Refused = each.Message
		}
	}
	return w, nil
}

// hasEnded is of pods that are no longer the workload's: those that a shutdown of the
// machine ended stay in the API, and others take their place.
func hasEnded(pod corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
