// Package runtime talks to the container runtime: the CRI of any, and the image
// store of containerd. It must not write to this host itself, and nothing else
// imports cri-api or containerd's client.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Patience is how long a runtime may say nothing until it counts as hanging.
const Patience = 30 * time.Second

// CRI is a connection to a runtime's CRI socket. A nil one stands for a containerd that is
// still to be installed, as in a plan: asked, it holds nothing.
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

// Errors of a runtime that does not answer as one should.
var (
	ErrNoCRI = errors.New("it does not speak CRI")
	ErrHangs = errors.New("it takes the connection and does not answer")
)

// Who asks a runtime who it is, ready or not. A runtime whose CRI plugin is off gives
// ErrNoCRI, one that says nothing while ctx lasts ErrHangs.
func (c *CRI) Who(ctx context.Context) (Info, error) {
	if c == nil {
		return Info{Name: "containerd"}, nil
	}
	answer, err := c.pods.Version(ctx, &cri.VersionRequest{})
	switch status.Code(err) {
	case codes.OK:
		return Info{Name: answer.RuntimeName, Version: answer.RuntimeVersion}, nil
	case codes.Unimplemented:
		return Info{}, ErrNoCRI
	case codes.DeadlineExceeded:
		return Info{}, ErrHangs
	}
	return Info{}, plain(err)
}

// Ready asks whether the runtime is ready to run pods. That the pod network is not ready
// is no error: the control plane does not need it.
func (c *CRI) Ready(ctx context.Context) error {
	if c == nil {
		return nil
	}
	state, err := c.pods.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return plain(err)
	}
	for _, condition := range state.Status.Conditions {
		if condition.Type == cri.RuntimeReady && !condition.Status {
			return fmt.Errorf("runtime not ready: %s: %s", condition.Reason, condition.Message)
		}
	}
	return nil
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

// StoredImage is an image that the runtime holds.
type StoredImage struct {
	ID     string
	Names  []string // with tags and with digests
	Size   uint64   // bytes
	Pinned bool     // the kubelet does not remove it to make room
}

// StoredImages lists all images.
func (c *CRI) StoredImages(ctx context.Context) ([]StoredImage, error) {
	answer, err := c.images.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return nil, plain(err)
	}
	all := make([]StoredImage, 0, len(answer.Images))
	for _, i := range answer.Images {
		names := append(append([]string{}, i.RepoTags...), i.RepoDigests...)
		all = append(all, StoredImage{ID: i.Id, Names: names, Size: i.Size, Pinned: i.Pinned})
	}
	return all, nil
}

// plain takes gRPC's wrapping off an error: a user wants the runtime's words.
func plain(err error) error {
	s, ok := status.FromError(err)
	if !ok || s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded {
		return err
	}
	return errors.New(s.Message())
}
