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
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster talks to one API server.
type Cluster struct {
	dynamic  dynamic.Interface
	http     *http.Client
	server   string
	named    string // the server that the kubeconfig names
	ca       []byte // PEM
	plans    bool
	yields   bool
	tell     func(Applied) // nil: nobody asks
	patience time.Duration // how long a call is tried again
	pause    time.Duration // between two tries
}

// with is the same cluster but for a change.
func (c *Cluster) with(change func(*Cluster)) *Cluster {
	other := *c
	change(&other)
	return &other
}

// Plan is the same cluster, in which nothing is changed.
func (c *Cluster) Plan() *Cluster { return c.with(func(o *Cluster) { o.plans = true }) }

// Acting is the same cluster, in which changes are made, also where the machine is only looked at.
func (c *Cluster) Acting() *Cluster { return c.with(func(o *Cluster) { o.plans = false }) }

// Yielding is the same cluster, where Apply takes no field from somebody who has changed
// it: then it fails, as IsConflict tells, and nothing was changed.
func (c *Cluster) Yielding() *Cluster { return c.with(func(o *Cluster) { o.yields = true }) }

// Within is the same cluster, which tries a call again for at most this long when it
// fails by what may pass. Without it, a call is tried once.
func (c *Cluster) Within(patience time.Duration) *Cluster {
	return c.with(func(o *Cluster) { o.patience = patience })
}

// Telling is the same cluster, which tells of each object that an apply has changed.
func (c *Cluster) Telling(to func(Applied)) *Cluster {
	return c.with(func(o *Cluster) { o.tell = to })
}

// Connect reads a kubeconfig, but talks to server (https://host:port) whatever it
// names, unless server is empty: init must never depend on a load balancer. Nothing
// is sent yet.
func Connect(kubeconfig []byte, server string) (*Cluster, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	named := config.Host
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
	return &Cluster{dynamic: d, http: httpClient, server: config.Host, named: named, ca: config.CAData, pause: 250 * time.Millisecond}, nil
}

// Healthy asks health endpoints such as /livez, until one is not healthy. The error holds the
// server's own list of what is not ready, as an *UnhealthyError.
func (c *Cluster) Healthy(ctx context.Context, paths ...string) error {
	for _, path := range paths {
		if err := healthy(ctx, c.http, c.server+path); err != nil {
			return err
		}
	}
	return nil
}

// PlainHealth asks the health endpoint of a server that is no API server and wants no
// certificate, such as etcd's metrics port, as Healthy does.
func PlainHealth(ctx context.Context, url string) error {
	return healthy(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url)
}

func healthy(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return plain(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return &UnhealthyError{Path: request.URL.Path, Status: response.StatusCode, Failed: failedChecks(string(body))}
	}
	return nil
}

// Node reads a Node.
func (c *Cluster) Node(ctx context.Context, name string) (*corev1.Node, error) {
	node := &corev1.Node{}
	return node, c.get(ctx, c.core("nodes", ""), name, node)
}

// NodeLease reads what a kubelet renews every ten seconds.
func (c *Cluster) NodeLease(ctx context.Context, node string) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	leases := c.dynamic.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(corev1.NamespaceNodeLease)
	return lease, c.get(ctx, leases, node, lease)
}

// Pod reads a Pod of kube-system.
func (c *Cluster) Pod(ctx context.Context, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	return pod, c.get(ctx, c.core("pods", metav1.NamespaceSystem), name, pod)
}

// PodsOfNode lists the pods of all namespaces on a node. A kubelet may ask for its own.
func (c *Cluster) PodsOfNode(ctx context.Context, node string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := c.list(ctx, c.core("pods", ""), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node}, &pods)
	return pods.Items, err
}

// DeletePod deletes this very pod; none, or another of its name, is fine.
func (c *Cluster) DeletePod(ctx context.Context, pod *corev1.Pod) error {
	thisOne := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}
	err := c.delete(ctx, c.core("pods", pod.Namespace), pod.Name, thisOne)
	if err == nil || IsNotFound(err) || IsConflict(err) {
		return nil
	}
	return fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err)
}

// core gives access to objects of the core API: resource is nodes, pods or secrets. The
// namespace is empty for all, and for what has none.
func (c *Cluster) core(resource, namespace string) dynamic.ResourceInterface {
	return c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace)
}

func (c *Cluster) get(ctx context.Context, of dynamic.ResourceInterface, name string, into any) error {
	return c.retry(ctx, func(ctx context.Context) error {
		found, err := of.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, into)
	})
}

func (c *Cluster) list(ctx context.Context, of dynamic.ResourceInterface, options metav1.ListOptions, into any) error {
	return c.retry(ctx, func(ctx context.Context) error {
		found, err := of.List(ctx, options)
		if err != nil {
			return err
		}
		return runtime.DefaultUnstructuredConverter.FromUnstructured(found.UnstructuredContent(), into)
	})
}

func (c *Cluster) delete(ctx context.Context, of dynamic.ResourceInterface, name string, options metav1.DeleteOptions) error {
	return c.retry(ctx, func(ctx context.Context) error { return of.Delete(ctx, name, options) })
}

// IsConflict tells whether a Yielding cluster has left a change of others.
func IsConflict(err error) bool { return apierrors.IsConflict(err) }

// IsNotFound tells whether there is no such object.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// plain takes the request's method and URL off an error: what is wrong with the
// connection follows them.
func plain(err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// Pool keeps the clients of one run, by kubeconfig: each phase would shake hands anew.
// The zero value is empty; it may be used by several goroutines.
type Pool struct{ all sync.Map }

// Connect is like the function of that name, but gives a client that was made before for
// the same kubeconfig.
func (p *Pool) Connect(kubeconfig []byte, server string) (*Cluster, error) {
	if known, ok := p.all.Load(string(kubeconfig)); ok {
		return known.(*Cluster), nil
	}
	made, err := Connect(kubeconfig, server)
	if err != nil {
		return nil, err
	}
	known, _ := p.all.LoadOrStore(string(kubeconfig), made)
	return known.(*Cluster), nil
}
