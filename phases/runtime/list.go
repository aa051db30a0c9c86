package runtime

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
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
	Source     string // where the kubelet has the pod from: file, http, api; empty if it was made by another
	Containers []Container
}

// Sandboxes lists the pods of a namespace, or all if that is empty, with all tries of
// their containers: by name, then the newest first.
func (c *CRI) Sandboxes(ctx context.Context, namespace string) ([]Sandbox, error) {
	if c == nil {
		return nil, nil
	}
	labels := map[string]string{}
	if namespace != "" {
		labels[podNamespace] = namespace
	}
	answer, err := c.pods.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{LabelSelector: labels}})
	if err != nil {
		return nil, plain(err)
	}
	containers, err := c.containers(ctx, labels)
	if err != nil {
		return nil, plain(err)
	}
	sandboxes := make([]Sandbox, 0, len(answer.Items))
	for _, p := range answer.Items {
		sandboxes = append(sandboxes, Sandbox{
			ID:         p.Id,
			UID:        p.Metadata.Uid,
			Namespace:  p.Metadata.Namespace,
			Name:       p.Metadata.Name,
			Created:    time.Unix(0, p.CreatedAt).UTC(),
			Ready:      p.State == cri.PodSandboxState_SANDBOX_READY,
			Source:     p.Annotations[configSource],
			Containers: containers[p.Id],
		})
	}
	slices.SortFunc(sandboxes, compareSandboxes)
	return sandboxes, nil
}

// containers are those with the labels, by the sandbox they are in.
func (c *CRI) containers(ctx context.Context, labels map[string]string) (map[string][]Container, error) {
	answer, err := c.pods.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{LabelSelector: labels}})
	if err != nil {
		return nil, err
	}
	all := map[string][]Container{}
	for _, listed := range answer.Containers {
		found, err := c.inspect(ctx, listed)
		if status.Code(err) == codes.NotFound {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, err
		}
		all[listed.PodSandboxId] = append(all[listed.PodSandboxId], *found)
	}
	for _, tries := range all {
		slices.SortFunc(tries, compareTries)
	}
	return all, nil
}

func compareSandboxes(a, b Sandbox) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
		b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}

func compareTries(a, b Container) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}
