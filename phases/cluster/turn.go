package cluster

import (
	"context"
	"encoding/json"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// TakeTurn has one of several control planes do what each of them is to do every so often: a Lease in kube-system
// has who did it last, and nobody else does it while that lasts. It gives who has it; empty if another took it just now.
func (c *Cluster) TakeTurn(ctx context.Context, lease, holder string, lasts time.Duration) (has string, err error) {
	var now coordinationv1.Lease
	leases := c.dynamic.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(metav1.NamespaceSystem)
	if err := c.get(ctx, leases, lease, &now); err != nil && !IsNotFound(err) {
		return "", err
	}
	has = ptr.Deref(now.Spec.HolderIdentity, "")
	if has != "" && has != holder && now.Spec.RenewTime != nil && time.Since(now.Spec.RenewTime.Time) < lasts {
		return has, nil
	}
	wanted, err := json.Marshal(coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Name: lease, Namespace: metav1.NamespaceSystem, ResourceVersion: now.ResourceVersion}, // else another has changed it
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: ptr.To(metav1.NowMicro()), LeaseDurationSeconds: ptr.To(int32(lasts.Seconds()))},
	})
	if err == nil {
		err = c.ApplyAll(ctx, wanted)
	}
	if IsConflict(err) {
		return "", nil
	}
	return holder, err
}

// Event tells of something that happened to a Node, for kubectl get events.
func (c *Cluster) Event(ctx context.Context, node, kind, reason, message string) error {
	at := metav1.Now()
	event, err := json.Marshal(corev1.Event{
		TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta:     metav1.ObjectMeta{GenerateName: node + "-", Namespace: metav1.NamespaceDefault},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node},
		Type:           kind, Reason: reason, Message: message, Source: corev1.EventSource{Component: "bootstrap", Host: node},
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
	})
	if err != nil {
		return err
	}
	return c.Make(ctx, event)
}
