package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	kubelet "k8s.io/kubelet/pkg/types"
)

// Sandbox is a pod as the runtime has it. Of a pod that was started anew it may have
// several, of which one is ready.
type Sandbox struct {
	ID         string
	UID        string // of the pod
	Namespace  string
	Name       string
	Created    time.Time
	Ready      bool
	Source     string      // where the kubelet has the pod from: file, http, api; empty if it was made by another
	Containers []Container // only Sandboxes reads them
}

// FullName is namespace/name.
func (s Sandbox) FullName() string { return s.Namespace + "/" + s.Name }

// configSource is an annotation of each of the kubelet's pods.
const configSource = "kubernetes.io/config.source"

// Sandboxes lists the pods of a namespace, or all if that is empty, with all tries of
// their containers: by name, then the newest first.
func (c *CRI) Sandboxes(ctx context.Context, namespace string) ([]Sandbox, error) {
	all, err := c.sandboxes(ctx, func(p *cri.PodSandbox) bool {
		return namespace == "" || p.Metadata.Namespace == namespace
	})
	if err != nil || c == nil {
		return nil, err
	}
	labels := map[string]string{}
	if namespace != "" {
		labels[kubelet.KubernetesPodNamespaceLabel] = namespace
	}
	containers, err := c.containers(ctx, labels)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Containers = containers[all[i].ID]
	}
	slices.SortFunc(all, func(a, b Sandbox) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Pods lists the sandboxes in kube-system that match a pod's name and UID.
func (c *CRI) Pods(ctx context.Context, match func(name, uid string) bool) ([]Sandbox, error) {
	return c.sandboxes(ctx, func(p *cri.PodSandbox) bool {
		return p.Metadata.Namespace == "kube-system" && match(p.Metadata.Name, p.Metadata.Uid)
	})
}

// KubeletPods lists every sandbox that a kubelet made.
func (c *CRI) KubeletPods(ctx context.Context) ([]Sandbox, error) {
	return c.sandboxes(ctx, func(p *cri.PodSandbox) bool { return p.Labels[kubelet.KubernetesPodUIDLabel] != "" })
}

func (c *CRI) sandboxes(ctx context.Context, match func(*cri.PodSandbox) bool) ([]Sandbox, error) {
	if c == nil {
		return nil, nil
	}
	answer, err := c.pods.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return nil, plain(err)
	}
	var matching []Sandbox
	for _, p := range answer.Items {
		if !match(p) {
			continue
		}
		matching = append(matching, Sandbox{
			ID:        p.Id,
			UID:       p.Metadata.Uid,
			Namespace: p.Metadata.Namespace,
			Name:      p.Metadata.Name,
			Created:   time.Unix(0, p.CreatedAt).UTC(),
			Ready:     p.State == cri.PodSandboxState_SANDBOX_READY,
			Source:    p.Annotations[configSource],
		})
	}
	return matching, nil
}

// While a container of the pod is being started, containerd can't remove it.
const (
	startingPatience = 5 * time.Second
	startingPause    = 100 * time.Millisecond
)

// Remove stops and removes a pod sandbox; none is fine.
func (c *CRI) Remove(ctx context.Context, pod Sandbox) error {
	for began := time.Now(); ; time.Sleep(startingPause) {
		// Removing a pod whose containers run kills them at once; stopping it gives
		// the network plugin its turn to take the pod's links and rules away.
		_, err := c.pods.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.ID})
		if err == nil {
			_, err = c.pods.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.ID})
		}
		if err == nil || status.Code(err) == codes.NotFound {
			return nil
		}
		starting := strings.Contains(err.Error(), "in starting state")
		if !starting || ctx.Err() != nil || time.Since(began) > startingPatience {
			return fmt.Errorf("remove pod %s: %w", pod.FullName(), plain(err))
		}
	}
}
