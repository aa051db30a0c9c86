package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Make makes the objects of manifests that are not there; those that are, whatever they
// hold, it leaves alone. It tries once. A plan makes none.
func (c *Cluster) Make(ctx context.Context, manifests ...[]byte) error {
	objects, err := decode(manifests...)
	if err != nil || c.plans {
		return err
	}
	for _, object := range objects {
		_, err := c.clientOf(object).Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make %s %s: %w", object.GetKind(), object.GetName(), plain(err))
		}
	}
	return nil
}
