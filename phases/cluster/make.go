package cluster

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Make makes the objects of manifests that are not there; those that are, whatever they
// hold, it leaves alone. It tries each once, in no order, and gives the first error: most often, all
// have failed for one reason. A plan makes none.
func (c *Cluster) Make(ctx context.Context, manifests ...[]byte) error {
	objects, err := decode(manifests...)
	if err != nil || c.plans {
		return err
	}
	errs := make([]error, len(objects))
	eachOf(ctx, objects, func(i int) { errs[i] = c.makeOne(ctx, objects[i]) })
	return cmp.Or(errs...)
}

func (c *Cluster) makeOne(ctx context.Context, object *unstructured.Unstructured) error {
	_, err := c.clientOf(object).Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make %s %s: %w", object.GetKind(), object.GetName(), plain(err))
	}
	return nil
}
