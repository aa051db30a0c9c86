package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
)

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
	info, err := c.Info(ctx)
	if err != nil {
		return Remover{}, errors.Join(err, c.Close())
	}
	r := Remover{cri: c}
	if info.Name == "containerd" {
		r.store, err = OpenImages(socket)
	}
	return r, err
}

// Close ends the connections.
func (r Remover) Close() error {
	if r.store == nil {
		return r.cri.Close()
	}
	return errors.Join(r.store.Close(), r.cri.Close())
}

// Has tells whether there is an image of that name.
func (r Remover) Has(ctx context.Context, name string) (bool, error) {
	if r.store == nil {
		return r.cri.HasImage(ctx, name)
	}
	image, err := r.store.image(ctx, name)
	return image != nil, err
}

// Remove removes an image by its name; none is fine. Names that others gave it stay.
func (r Remover) Remove(ctx context.Context, name string) error {
	if r.store == nil {
		return r.cri.removeImage(ctx, name)
	}
	image, err := r.store.image(ctx, name)
	if err != nil || image == nil {
		return err
	}
	names, err := r.store.ofPull(ctx, *image)
	if err != nil {
		return err
	}
	for _, each := range append(names, image.Name) { // the last one wakes the garbage collection
		err := r.store.client.ImageService().Delete(ctx, each, images.SynchronousDelete())
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("remove image %s: %w", each, err)
		}
	}
	return nil
}

// image is nil without.
func (i *Images) image(ctx context.Context, name string) (*images.Image, error) {
	full, err := fullName(name)
	if err != nil {
		return nil, err
	}
	image, err := i.client.ImageService().Get(ctx, full)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	return &image, err
}

// ofPull are the names by its ID and by its digest that the CRI gives an image with its tag
// when it pulls it, and that keep it on the disk. Older ones are of a pull by somebody else.
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
