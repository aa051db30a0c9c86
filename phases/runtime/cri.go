// Package runtime talks to the container runtime: the CRI of any, and the image
// store of containerd. It must not write to this host itself, and nothing else
// imports cri-api or containerd's client.
package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CRI is a connection to a runtime's CRI socket. A nil one is a containerd that is
// not there yet: it can be asked, and holds nothing.
type CRI struct {
	conn   *grpc.ClientConn
	pods   cri.RuntimeServiceClient
	images cri.ImageServiceClient
}

// Info is what a runtime says of itself.
type Info struct {
	Name    string // containerd, cri-o, ...
	Version string
}

// Dial prepares a connection to unix:///path; nothing is sent before the first call.
func Dial(endpoint string) (*CRI, error) {
	conn, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return nil, err
	}
	return &CRI{conn: conn, pods: cri.NewRuntimeServiceClient(conn), images: cri.NewImageServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *CRI) Close() error {
	if c == nil {
		return nil
	}
	return c.conn.Close()
}

// Info asks whether the runtime is ready to run pods, and who it is. That the
// pod network is not ready is no error: the control plane does not need it.
func (c *CRI) Info(ctx context.Context) (Info, error) {
	if c == nil {
		return Info{Name: "containerd"}, nil
	}
	version, err := c.pods.Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return Info{}, plain(err)
	}
	state, err := c.pods.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return Info{}, plain(err)
	}
	for _, condition := range state.Status.Conditions {
		if condition.Type == cri.RuntimeReady && !condition.Status {
			return Info{}, fmt.Errorf("runtime not ready: %s: %s", condition.Reason, condition.Message)
		}
	}
	return Info{Name: version.RuntimeName, Version: version.RuntimeVersion}, nil
}

// HasImage tells whether the runtime holds an image.
func (c *CRI) HasImage(ctx context.Context, reference string) (bool, error) {
	if c == nil {
		return false, nil
	}
	answer, err := c.images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: reference}})
	if err != nil {
		return false, plain(err)
	}
	return answer.Image != nil, nil
}

// Pull fetches an image from its registry.
func (c *CRI) Pull(ctx context.Context, reference string) error {
	_, err := c.images.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: reference}})
	if err != nil {
		return fmt.Errorf("pull %s: %w", reference, plain(err))
	}
	return nil
}

// removeImage removes an image by its name; none is fine.
func (c *CRI) removeImage(ctx context.Context, reference string) error {
	_, err := c.images.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: reference}})
	if err != nil {
		return fmt.Errorf("remove image %s: %w", reference, plain(err))
	}
	return nil
}

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
	answer, err := c.pods.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
		LabelSelector: map[string]string{
			podNamespace: "kube-system", "io.kubernetes.pod.name": pod, "io.kubernetes.container.name": name,
		},
	}})
	if err != nil {
		return nil, plain(err)
	}
	if len(answer.Containers) == 0 {
		return nil, nil
	}
	newest := answer.Containers[0]
	for _, each := range answer.Containers[1:] {
		if each.CreatedAt > newest.CreatedAt {
			newest = each
		}
	}
	container, err := c.inspect(ctx, newest)
	if err != nil {
		return nil, plain(err)
	}
	return container, nil
}

// inspect gives gRPC's own error: who lists does not mind one that is gone by now.
func (c *CRI) inspect(ctx context.Context, found *cri.Container) (*Container, error) {
	answer, err := c.pods.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: found.Id})
	if err != nil {
		return nil, err
	}
	s := answer.Status
	return &Container{
		ID:       s.Id,
		Name:     s.Metadata.Name,
		Image:    cmp.Or(s.Image.GetUserSpecifiedImage(), s.Image.GetImage()),
		Created:  time.Unix(0, s.CreatedAt).UTC(),
		Running:  s.State == cri.ContainerState_CONTAINER_RUNNING,
		Exited:   s.State == cri.ContainerState_CONTAINER_EXITED,
		Attempt:  s.Metadata.Attempt,
		ExitCode: s.ExitCode,
		Reason:   s.Reason,
		Message:  s.Message,
		Started:  timeOf(s.StartedAt),
		Finished: timeOf(s.FinishedAt),
		LogPath:  s.LogPath,
	}, nil
}

// timeOf keeps the runtime's zero, for what has not happened, a zero time.
func timeOf(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}

// configSource is an annotation of each of the kubelet's pods.
const configSource = "kubernetes.io/config.source"

// Pod is a pod sandbox.
type Pod struct {
	Name   string // namespace/name
	Source string // as in Sandbox
	id     string
}

// Pods lists the sandboxes in kube-system that match a pod's name and UID.
func (c *CRI) Pods(ctx context.Context, match func(name, uid string) bool) ([]Pod, error) {
	return c.list(ctx, func(p *cri.PodSandbox) bool {
		return p.Metadata.Namespace == "kube-system" && match(p.Metadata.Name, p.Metadata.Uid)
	})
}

// KubeletPods lists every sandbox that a kubelet made.
func (c *CRI) KubeletPods(ctx context.Context) ([]Pod, error) {
	return c.list(ctx, func(p *cri.PodSandbox) bool { return p.Labels[podUID] != "" })
}

func (c *CRI) list(ctx context.Context, match func(*cri.PodSandbox) bool) ([]Pod, error) {
	if c == nil {
		return nil, nil
	}
	answer, err := c.pods.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return nil, plain(err)
	}
	var pods []Pod
	for _, p := range answer.Items {
		if match(p) {
			pods = append(pods, Pod{id: p.Id, Name: p.Metadata.Namespace + "/" + p.Metadata.Name, Source: p.Annotations[configSource]})
		}
	}
	return pods, nil
}

// While a container of the pod is being started, containerd can't remove it.
const (
	startingPatience = 5 * time.Second
	startingPause    = 100 * time.Millisecond
)

// Remove stops and removes a pod sandbox; none is fine.
func (c *CRI) Remove(ctx context.Context, pod Pod) error {
	for began := time.Now(); ; time.Sleep(startingPause) {
		err := c.remove(ctx, pod)
		if err == nil || status.Code(err) == codes.NotFound {
			return nil
		}
		starting := strings.Contains(err.Error(), "in starting state")
		if !starting || ctx.Err() != nil || time.Since(began) > startingPatience {
			return fmt.Errorf("remove pod %s: %w", pod.Name, plain(err))
		}
	}
}

func (c *CRI) remove(ctx context.Context, pod Pod) error {
	// Removing a pod whose containers run kills them at once; stopping it gives
	// the network plugin its turn to take the pod's links and rules away.
	_, err := c.pods.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.id})
	if err == nil {
		_, err = c.pods.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.id})
	}
	return err
}

// plain takes gRPC's wrapping off an error: a user wants the runtime's words.
func plain(err error) error {
	s, ok := status.FromError(err)
	if !ok || s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded {
		return err
	}
	return errors.New(s.Message())
}
