package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
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

// NodeNames are all of the cluster.
func (c *Cluster) NodeNames(ctx context.Context) ([]string, error) {
	var nodes corev1.NodeList
	if err := c.list(ctx, c.core("nodes", ""), metav1.ListOptions{}, &nodes); err != nil {
		return nil, err
	}
	var names []string
	for _, n := range nodes.Items {
		names = append(names, n.Name)
	}
	return names, nil
}
