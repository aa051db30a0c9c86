package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/workqueue"
)

// fieldManager owns every field that bootstrap applies.
const fieldManager = "bootstrap"

// atOnce is how many objects are made or applied side by side. More gain nothing: the API
// server has one etcd behind it.
const atOnce = 8

// What an Apply did to its object, or in a plan would do.
const (
	Created   = "create"
	Updated   = "update"
	Unchanged = ""
)

// Applied is what became of an object.
type Applied struct {
	Object string // kind and name
	Verb   string
}

func (c *Cluster) told(a Applied) {
	if c.tell != nil && a.Verb != Unchanged {
		c.tell(a)
	}
}

// ApplyAll makes all objects of all manifests what these say, by server-side apply and in
// no order. It goes on after errors; what was applied is told in the order of the manifests.
func (c *Cluster) ApplyAll(ctx context.Context, manifests ...[]byte) error {
	objects, err := decode(manifests...)
	if err != nil {
		return err
	}
	applied, errs := make([]Applied, len(objects)), make([]error, len(objects))
	eachOf(ctx, objects, func(i int) { applied[i], _, errs[i] = c.apply(ctx, objects[i], Created) })
	for _, a := range applied {
		c.told(a)
	}
	return errors.Join(errs...)
}

// eachOf does something with each object, some side by side.
func eachOf(ctx context.Context, objects []*unstructured.Unstructured, do func(i int)) {
	workqueue.ParallelizeUntil(context.WithoutCancel(ctx), atOnce, len(objects), do)
}

// decode reads manifests, each of one document or several.
func decode(manifests ...[]byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, manifest := range manifests {
		documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4<<10)
		for {
			object := &unstructured.Unstructured{}
			err := documents.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if object.Object != nil { // else only comments
				objects = append(objects, object)
			}
		}
	}
	return objects, nil
}

// apply also gives the object as it is then, nil if a plan can't know. missing is the verb
// for an object that is not there yet; with Updated, the object has to be there.
func (c *Cluster) apply(ctx context.Context, object *unstructured.Unstructured, missing string) (Applied, *unstructured.Unstructured, error) {
	applied := Applied{Object: object.GetKind() + " " + object.GetName()}
	before, after, err := c.applied(ctx, object, missing)
	switch {
	case err != nil:
		return applied, nil, fmt.Errorf("apply %s: %w", applied.Object, err)
	case before == nil || after == nil:
		applied.Verb = missing
	case !equality.Semantic.DeepEqual(lasting(before), lasting(after)):
		applied.Verb = Updated
	}
	return applied, after, nil
}

// applied is an object before an apply and after it. What it was like is asked once: a try
// whose answer was lost may have changed it.
func (c *Cluster) applied(
	ctx context.Context, object *unstructured.Unstructured, missing string,
) (before, after *unstructured.Unstructured, err error) {
	client, name := c.clientOf(object), object.GetName()
	err = c.retry(ctx, func(ctx context.Context) (err error) {
		before, err = client.Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if err != nil && c.plans {
		return nil, nil, nil // the API server is still to be made, or the object
	}
	if err != nil && (missing == Updated || !apierrors.IsNotFound(err)) {
		return nil, nil, err
	}
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: !c.yields}
	if c.plans {
		options.DryRun = []string{metav1.DryRunAll}
	}
	err = c.retry(ctx, func(ctx context.Context) (err error) {
		after, err = client.Apply(ctx, name, object, options)
		return err
	})
	return before, after, err
}

// clientOf guesses the plural of the object's kind: that is right for all kinds in our own
// manifests.
func (c *Cluster) clientOf(object *unstructured.Unstructured) dynamic.ResourceInterface {
	resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return c.dynamic.Resource(resource).Namespace(object.GetNamespace())
}

func lasting(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	object.SetGeneration(0)
	unstructured.RemoveNestedField(object.Object, "status")
	return object.Object
}

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
