package main

import (
	"context"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	kubeconfig = "/etc/kubernetes/super-admin.conf" // its rights need nothing in the cluster
	pause      = 20 * time.Millisecond
	dnsLabel   = "k8s-app"
)

// components are those of which the static pods are.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

type api struct {
	client *kubernetes.Clientset
	node   string
}

// connect waits until the tool has written its kubeconfig, whole.
func connect(ctx context.Context) (*api, error) {
	node, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	for {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err == nil {
			config.QPS = -1
			client, err := kubernetes.NewForConfig(config)
			if err == nil {
				return &api{client: client, node: node}, nil
			}
		}
		if !sleep(ctx) {
			return nil, ctx.Err()
		}
	}
}

func sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

func (a *api) awaitReady(ctx context.Context, c *clock) {
	for !a.is(ctx, "/livez") && sleep(ctx) {
	}
	c.saw("livez")
	for !a.is(ctx, "/readyz") && sleep(ctx) {
	}
	c.saw("readyz")
}

func (a *api) is(ctx context.Context, path string) bool {
	return a.client.RESTClient().Get().AbsPath(path).Do(ctx).Error() == nil
}

// awaitCluster ends when the Node, the four mirror pods and cluster DNS were ready once.
func (a *api) awaitCluster(ctx context.Context, c *clock) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go a.follow(ctx, func(o metav1.ListOptions) (watch.Interface, error) { return a.client.CoreV1().Nodes().Watch(ctx, o) }, func(object any) { a.sawNode(object, c) })
	go a.follow(ctx, func(o metav1.ListOptions) (watch.Interface, error) {
		return a.client.CoreV1().Pods("kube-system").Watch(ctx, o)
	}, func(object any) { a.sawPod(object, c) })
	for !c.has("node", "pods", "dns") && sleep(ctx) {
	}
}

// follow watches for ever: without a version, a watch begins with what there is.
func (a *api) follow(ctx context.Context, begin func(metav1.ListOptions) (watch.Interface, error), saw func(any)) {
	for ctx.Err() == nil {
		w, err := begin(metav1.ListOptions{})
		if err != nil {
			sleep(ctx)
			continue
		}
		for event := range w.ResultChan() {
			saw(event.Object)
		}
	}
}

func (a *api) sawNode(object any, c *clock) {
	node, ok := object.(*corev1.Node)
	if ok && node.Name == a.node && slices.ContainsFunc(node.Status.Conditions, func(n corev1.NodeCondition) bool {
		return n.Type == corev1.NodeReady && n.Status == corev1.ConditionTrue
	}) {
		c.saw("node")
	}
}

func (a *api) sawPod(object any, c *clock) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	for _, component := range components {
		if pod.Name == component+"-"+a.node {
			c.saw("made " + component)
		}
	}
	if !slices.ContainsFunc(pod.Status.Conditions, func(p corev1.PodCondition) bool {
		return p.Type == corev1.PodReady && p.Status == corev1.ConditionTrue
	}) {
		return
	}
	if pod.Labels[dnsLabel] == "kube-dns" {
		c.saw("dns")
	}
	for _, component := range components {
		if pod.Name == component+"-"+a.node {
			c.saw(component)
			c.saw("pod")
		}
	}
	if c.has(components...) {
		c.saw("pods")
	}
}
