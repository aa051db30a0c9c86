package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LabelNode sets labels on a Node and leaves all others as they are. Taints are
// not set here: their list has one owner, and that is the kubelet at registration.
func (c *Cluster) LabelNode(ctx context.Context, name string, labels map[string]string) (Applied, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind("Node")
	object.SetName(name)
	object.SetLabels(labels)
	applied, _, err := c.apply(ctx, object, Updated)
	return applied, err
}

// DeleteNode deletes a Node; none is fine.
func (c *Cluster) DeleteNode(ctx context.Context, name string) error {
	err := c.retry(ctx, func(ctx context.Context) error {
		return c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("nodes")).Delete(ctx, name, metav1.DeleteOptions{})
	})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete Node %s: %w", name, err)
}
