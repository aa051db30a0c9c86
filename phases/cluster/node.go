package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LabelNode sets labels on a Node and leaves all others as they are. Taints are
// not set here: their list has one owner, and that is the kubelet at registration.
func (c *Cluster) LabelNode(ctx context.Context, name string, labels map[string]string) error {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind("Node")
	object.SetName(name)
	object.SetLabels(labels)
	applied, _, err := c.apply(ctx, object, Updated)
	c.told(applied)
	return err
}

// DeleteNode deletes a Node; none is fine.
func (c *Cluster) DeleteNode(ctx context.Context, name string) error {
	err := c.delete(ctx, c.core("nodes", ""), name, metav1.DeleteOptions{})
	if err == nil || IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete Node %s: %w", name, err)
}
