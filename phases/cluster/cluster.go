// Package cluster reads and writes API objects. It must not touch this host,
// and nothing else imports client-go.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// fieldManager owns every field that bootstrap applies.
const fieldManager = "bootstrap"

// Cluster talks to one API server.
type Cluster struct {
	dynamic dynamic.Interface
	http    *http.Client
	server  string
	plans   bool
}

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

// Plan is the same cluster, in which nothing is changed.
func (c *Cluster) Plan() *Cluster {
	other := *c
	other.plans = true
	return &other
}

// Connect reads a kubeconfig, but talks to server (https://host:port) whatever it
// names, unless server is empty: init must never depend on a load balancer. Nothing
// is sent yet.
func Connect(kubeconfig []byte, server string) (*Cluster, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Host = cmp.Or(server, config.Host)
	config.QPS = -1 // a handful of requests to our own server: throttling only costs time
	config.Timeout = 10 * time.Second
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // our own server, never through a proxy
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return &Cluster{dynamic: d, http: httpClient, server: config.Host}, nil
}

// Healthy asks a health endpoint such as /livez. The error holds the server's
// own list of what is not ready, as an *UnhealthyError.
func (c *Cluster) Healthy(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return plain(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return &UnhealthyError{Path: path, Failed: failedChecks(string(body))}
	}
	return nil
}

// Apply makes one object what the manifest says, by server-side apply.
func (c *Cluster) Apply(ctx context.Context, manifest []byte) (Applied, error) {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(manifest, &object.Object); err != nil {
		return Applied{}, err
	}
	return c.apply(ctx, object, Created)
}

// apply calls what it does to an object that is not there missing.
func (c *Cluster) apply(ctx context.Context, object *unstructured.Unstructured, missing string) (Applied, error) {
	applied := Applied{Object: object.GetKind() + " " + object.GetName(), Verb: missing}
	// Kinds of our own manifests: the guess of the plural is right for all of them.
	resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	client := c.dynamic.Resource(resource).Namespace(object.GetNamespace())
	before, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil && c.plans {
		return applied, nil // the API server is still to be made, or the object
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return applied, fmt.Errorf("get %s: %w", applied.Object, plain(err))
	}
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if c.plans {
		options.DryRun = []string{metav1.DryRunAll}
	}
	after, err := client.Apply(ctx, object.GetName(), object, options)
	if err != nil {
		return applied, fmt.Errorf("apply %s: %w", applied.Object, plain(err))
	}
	if before != nil {
		applied.Verb = verbOf(before, after)
	}
	return applied, nil
}

// verbOf looks past what changes by itself.
func verbOf(before, after *unstructured.Unstructured) string {
	for _, object := range []*unstructured.Unstructured{before, after} {
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		object.SetGeneration(0)
		unstructured.RemoveNestedField(object.Object, "status")
	}
	if equality.Semantic.DeepEqual(before.Object, after.Object) {
		return Unchanged
	}
	return Updated
}

// Node reads a Node.
func (c *Cluster) Node(ctx context.Context, name string) (*corev1.Node, error) {
	node := &corev1.Node{}
	return node, c.get(ctx, corev1.SchemeGroupVersion.WithResource("nodes"), objectKey{"", name}, node)
}

// Pod reads a Pod of kube-system.
func (c *Cluster) Pod(ctx context.Context, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	return pod, c.get(ctx, corev1.SchemeGroupVersion.WithResource("pods"), objectKey{"kube-system", name}, pod)
}

type objectKey struct{ namespace, name string }

func (c *Cluster) get(ctx context.Context, resource schema.GroupVersionResource, key objectKey, into any) error {
	object, err := c.dynamic.Resource(resource).Namespace(key.namespace).Get(ctx, key.name, metav1.GetOptions{})
	if err != nil {
		return plain(err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
}

// plain takes the request's method and URL off an error: what is wrong with the
// connection follows them.
func plain(err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
