package cluster

import (
	"context"

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
	return c.apply(ctx, object)
}
