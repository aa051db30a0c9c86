package runtime

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/distribution/reference"
)

const (
	// Namespace is that of Kubernetes in containerd: its images and containers.
	Namespace   = "k8s.io"
	snapshotter = "overlayfs" // what it unpacks them with
)

// Labels of what a kubelet makes.
const (
	podUID       = "io.kubernetes.pod.uid"
	podNamespace = "io.kubernetes.pod.namespace"
)

const pinnedLabel = "io.cri-containerd.pinned"

// pinned keeps the kubelet from removing an image.
var pinned = map[string]string{pinnedLabel: "pinned", "io.cri-containerd.image": "managed"}

// onDisk: containerd counts a layer as unpacked only once its files are on the disk. By
// default it does not wait: after a power cut, programs are cut short, and end by SIGBUS.
var onDisk = client.WithUnpackApplyOpts(diff.WithSyncFs(true))

// Images is containerd's image store.
type Images struct {
	client *client.Client
}

// OpenImages connects to containerd at its socket's path.
func OpenImages(socket string) (*Images, error) {
	c, err := client.New(socket, client.WithDefaultNamespace(Namespace))
	if err != nil {
		return nil, fmt.Errorf("containerd at %s: %w", socket, err)
	}
	return &Images{client: c}, nil
}

// Close ends the connection.
func (i *Images) Close() error { return i.client.Close() }

// Import loads and unpacks an OCI archive, and pins its images so that the
// kubelet's garbage collection never removes what no registry here can give back.
func (i *Images) Import(ctx context.Context, archive io.Reader) error {
	// The lease keeps content from containerd's garbage collection until it is unpacked.
	ctx, done, err := i.client.WithLease(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = done(context.WithoutCancel(ctx)) }() // leases expire by themselves
	images, err := i.client.Import(ctx, archive, client.WithImageLabels(pinned))
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := client.NewImage(i.client, image).Unpack(ctx, snapshotter, onDisk); err != nil {
			return fmt.Errorf("unpack %s: %w", image.Name, err)
		}
	}
	return nil
}

// Pin keeps the kubelet from removing an image that was pulled. The CRI has no word
// for it, and containerd by itself pins only what it starts pods with.
func (i *Images) Pin(ctx context.Context, name string) error {
	full, err := fullName(name)
	if err != nil {
		return err
	}
	_, err = i.client.ImageService().Update(ctx, images.Image{Name: full, Labels: pinned}, "labels."+pinnedLabel)
	if err != nil {
		return fmt.Errorf("pin %s: %w", name, err)
	}
	return nil
}

// fullName is what the CRI calls an image in containerd's store: there no registry
// is left out.
func fullName(name string) (string, error) {
	full, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", name, err)
	}
	return full.String(), nil
}

// SocketPath is the path in a CRI endpoint such as unix:///run/containerd/containerd.sock.
func SocketPath(endpoint string) string { return strings.TrimPrefix(endpoint, "unix://") }

// Foreign lists the containers that no kubelet made, as namespace/id.
func (i *Images) Foreign(ctx context.Context) ([]string, error) {
	all, err := i.client.NamespaceService().List(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, namespace := range all {
		containers, err := i.client.ContainerService().List(namespaces.WithNamespace(ctx, namespace))
		if err != nil {
			return nil, err
		}
		for _, c := range containers {
			if namespace == Namespace && c.Labels[podUID] != "" {
				continue
			}
			found = append(found, namespace+"/"+c.ID)
		}
	}
	return found, nil
}
