package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
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

// ApplyAll makes all objects of all manifests what these say, by server-side apply and in
// no order. It goes on after errors; what was applied is in the order of the manifests.
func (c *Cluster) ApplyAll(ctx context.Context, manifests ...[]byte) ([]Applied, error) {
	objects, err := decode(manifests...)
	if err != nil {
		return nil, err
	}
	applied := make([]Applied, len(objects))
	errs := eachOf(objects, func(i int) (err error) {
		applied[i], _, err = c.apply(ctx, objects[i], Created)
		return err
	})
	var succeeded []Applied
	for i, a := range applied {
		if errs[i] == nil {
			succeeded = append(succeeded, a)
		}
	}
	return succeeded, errors.Join(errs...)
}

// eachOf does something with each object, some side by side.
func eachOf(objects []*unstructured.Unstructured, do func(i int) error) []error {
	errs := make([]error, len(objects))
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range objects {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = do(i)
			<-slots
		})
	}
	all.Wait()
	return errs
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
	a := application{object: object, missing: missing}
	applied := Applied{Object: object.GetKind() + " " + object.GetName()}
	if err := c.retry(ctx, func(ctx context.Context) error { return c.applyOnce(ctx, &a) }); err != nil {
		return applied, nil, fmt.Errorf("apply %s: %w", applied.Object, err)
	}
	applied.Verb = a.verb()
	return applied, a.after, nil
}

// application is an object that is being applied. What it was like is asked once: a try
// whose answer was lost may have changed it.
type application struct {
	object        *unstructured.Unstructured
	missing       string // the verb if there was no such object
	seen          bool
	before, after *unstructured.Unstructured // nil: none
}

// verb compares what lasts of an object: its status and version change by themselves.
func (a *application) verb() string {
	switch {
	case a.before == nil || a.after == nil:
		return a.missing
	case equality.Semantic.DeepEqual(lasting(a.before), lasting(a.after)):
		return Unchanged
	}
	return Updated
}

func (c *Cluster) applyOnce(ctx context.Context, a *application) error {
	client, name := c.clientOf(a.object), a.object.GetName()
	if !a.seen {
		before, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil && c.plans {
			return nil // the API server is still to be made, or the object
		}
		if err != nil && (a.missing == Updated || !apierrors.IsNotFound(err)) {
			return err
		}
		a.before, a.seen = before, true
	}
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: !c.yields}
	if c.plans {
		options.DryRun = []string{metav1.DryRunAll}
	}
	var err error
	a.after, err = client.Apply(ctx, name, a.object, options)
	return err
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
