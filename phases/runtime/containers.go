package runtime

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	kubelet "k8s.io/kubelet/pkg/types"
)

// Container is one try of a pod's container.
type Container struct {
	ID       string
	Name     string
	Image    string // as the pod names it, if the runtime tells
	Created  time.Time
	Running  bool
	Exited   bool
	Attempt  uint32
	ExitCode int32
	Reason   string // how it ended, in the runtime's words: Error, OOMKilled, StartError, ...
	Message  string
	Started  time.Time // zero if it was not yet
	Finished time.Time
	LogPath  string
	Log      []LogLine // the end of what it wrote, oldest first; nil where nobody has read it
}

// Container finds the newest try of the container of a pod in kube-system; nil when there is none.
func (c *CRI) Container(ctx context.Context, pod, name string) (*Container, error) {
	if c == nil {
		return nil, nil
	}
	found, err := c.containers(ctx, map[string]string{
		kubelet.KubernetesPodNamespaceLabel:  "kube-system",
		kubelet.KubernetesPodNameLabel:       pod,
		kubelet.KubernetesContainerNameLabel: name,
	})
	if err != nil {
		return nil, err
	}
	var newest *Container
	for _, tries := range found {
		if newest == nil || tries[0].Created.After(newest.Created) {
			newest = &tries[0]
		}
	}
	return newest, nil
}

// containers lists those with the labels, by the ID of the sandbox that they are in. Of a
// sandbox, they are sorted by name, and then the newest first.
func (c *CRI) containers(ctx context.Context, labels map[string]string) (map[string][]Container, error) {
	answer, err := c.pods.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{LabelSelector: labels}})
	if err != nil {
		return nil, plain(err)
	}
	all := map[string][]Container{}
	for _, listed := range answer.Containers {
		found, err := c.pods.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: listed.Id})
		if status.Code(err) == codes.NotFound {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, plain(err)
		}
		all[listed.PodSandboxId] = append(all[listed.PodSandboxId], containerOf(found.Status))
	}
	for _, tries := range all {
		slices.SortFunc(tries, func(a, b Container) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
		})
	}
	return all, nil
}

func containerOf(s *cri.ContainerStatus) Container {
	return Container{
		ID:       s.Id,
		Name:     s.Metadata.Name,
		Image:    cmp.Or(s.Image.GetUserSpecifiedImage(), s.Image.GetImage()),
		Created:  timeOf(s.CreatedAt),
		Running:  s.State == cri.ContainerState_CONTAINER_RUNNING,
		Exited:   s.State == cri.ContainerState_CONTAINER_EXITED,
		Attempt:  s.Metadata.Attempt,
		ExitCode: s.ExitCode,
		Reason:   s.Reason,
		Message:  s.Message,
		Started:  timeOf(s.StartedAt),
		Finished: timeOf(s.FinishedAt),
		LogPath:  s.LogPath,
	}
}

// timeOf gives a zero time for the runtime's zero, which says: it has not happened yet.
func timeOf(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}
