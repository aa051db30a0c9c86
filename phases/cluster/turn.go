package cluster

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
)

// TakeTurn has one of several control planes do what each of them is to do every so often: a Lease in kube-system
// has who did it last, and nobody else does it while that lasts. It gives who has it.
func (c *Cluster) TakeTurn(ctx context.Context, lease, holder string, lasts time.Duration) (has string, err error) {
	leases := c.dynamic.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(metav1.NamespaceSystem)
	var now coordinationv1.Lease
	err = c.get(ctx, leases, lease, &now)
	if err != nil && !IsNotFound(err) {
		return "", err
	}
	missing, has := IsNotFound(err), ptr.Deref(now.Spec.HolderIdentity, "")
	if has != "" && has != holder && now.Spec.RenewTime != nil && time.Since(now.Spec.RenewTime.Time) < lasts {
		return has, nil
	}
	at := metav1.NewMicroTime(time.Now())
	now.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	now.Name, now.Namespace = lease, metav1.NamespaceSystem
	now.Spec.HolderIdentity, now.Spec.RenewTime, now.Spec.LeaseDurationSeconds = &holder, &at, ptr.To(int32(lasts.Seconds()))
	return holder, c.write(ctx, leases, &now, missing)
}

// Event tells of something that happened to a Node, for kubectl get events.
func (c *Cluster) Event(ctx context.Context, node, kind, reason, message string) error {
	at := metav1.Now()
	event := &corev1.Event{
		TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta:     metav1.ObjectMeta{GenerateName: node + "-", Namespace: metav1.NamespaceDefault},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node},
		Type:           kind, Reason: reason, Message: message, Source: corev1.EventSource{Component: "bootstrap", Host: node},
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}
	return c.write(ctx, c.core("events", metav1.NamespaceDefault), event, true)
}

// write creates an object, or updates it, if it was not changed since it was read.
func (c *Cluster) write(ctx context.Context, in dynamic.ResourceInterface, object any, missing bool) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil || c.plans {
		return err
	}
	if missing {
		_, err = in.Create(ctx, &unstructured.Unstructured{Object: fields}, metav1.CreateOptions{})
	} else {
		_, err = in.Update(ctx, &unstructured.Unstructured{Object: fields}, metav1.UpdateOptions{})
	}
	return plain(err)
}
