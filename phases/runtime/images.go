package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	kubelet "k8s.io/kubelet/pkg/types"
)

const (
	// Namespace is that of Kubernetes in containerd: its images and containers.
	Namespace   = "k8s.io"
	snapshotter = "overlayfs" // what it unpacks them with
)

const pinnedLabel = "io.cri-containerd.pinned"

// pinned are labels that keep the kubelet from removing an image.
var pinned = map[string]string{pinnedLabel: "pinned", "io.cri-containerd.image": "managed"}

// onDisk makes containerd wait until a layer's files are on the disk before it counts the
// layer as unpacked. By default it does not: then, after a power cut, programs may be cut
// short, and end by SIGBUS.
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

// Alias gives an image a second name, under which it is pinned too.
func (i *Images) Alias(ctx context.Context, reference, alias string) error {
	image, err := i.client.ImageService().Get(ctx, reference)
	if err != nil {
		return err
	}
	image.Name, image.Labels = alias, pinned
	_, err = i.client.ImageService().Create(ctx, image)
	return err
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
			if namespace != Namespace || c.Labels[kubelet.KubernetesPodUIDLabel] == "" {
				found = append(found, namespace+"/"+c.ID)
			}
		}
	}
	return found, nil
}

// Remover takes images out of a runtime again.
type Remover struct {
	cri   *CRI
	store *Images // nil: not containerd
}

// OpenRemover connects to the runtime at its socket's path.
func OpenRemover(ctx context.Context, socket string) (Remover, error) {
	c, err := Dial("unix://" + socket)
	if err != nil {
		return Remover{}, err
	}
	r := Remover{cri: c}
	info, err := c.Who(ctx)
	if err == nil && info.Name == "containerd" {
		r.store, err = OpenImages(socket)
	}
	if err != nil {
		return Remover{}, errors.Join(err, c.Close())
	}
	return r, nil
}

// Close ends the connections.
func (r Remover) Close() error {
	if r.store == nil {
		return r.cri.Close()
	}
	return errors.Join(r.store.Close(), r.cri.Close())
}

// Has tells whether there is an image of that name. Of containerd it asks the store, as the CRI
// hears of a removal a moment later.
func (r Remover) Has(ctx context.Context, name string) (bool, error) {
	if r.store == nil {
		return r.cri.HasImage(ctx, name)
	}
	full, err := fullName(name)
	if err != nil {
		return false, err
	}
	_, err = r.store.client.ImageService().Get(ctx, full)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes an image by its name; none is fine. Names that others gave it stay.
func (r Remover) Remove(ctx context.Context, name string) error {
	if r.store != nil {
		return r.store.remove(ctx, name)
	}
	_, err := r.cri.images.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: name}})
	if err != nil {
		return fmt.Errorf("remove image %s: %w", name, plain(err))
	}
	return nil
}

func (i *Images) remove(ctx context.Context, name string) error {
	full, err := fullName(name)
	if err != nil {
		return err
	}
	image, err := i.client.ImageService().Get(ctx, full)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := i.ofPull(ctx, image)
	if err != nil {
		return err
	}
	for _, each := range append(names, image.Name) { // the last one wakes the garbage collection
		err := i.client.ImageService().Delete(ctx, each, images.SynchronousDelete())
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("remove image %s: %w", each, err)
		}
	}
	return nil
}

// ofPull lists the names, by ID and by digest, that the CRI gave an image beside its tag
// when it pulled it: they would keep the image on the disk. A name that is older than the
// tag comes from a pull by somebody else, and is not listed.
func (i *Images) ofPull(ctx context.Context, tagged images.Image) ([]string, error) {
	same, err := i.client.ImageService().List(ctx, "target.digest=="+tagged.Target.Digest.String())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, image := range same {
		byDigest := strings.HasPrefix(image.Name, "sha256:") || strings.Contains(image.Name, "@sha256:")
		if byDigest && !image.CreatedAt.Before(tagged.CreatedAt) {
			names = append(names, image.Name)
		}
	}
	return names, nil
}
