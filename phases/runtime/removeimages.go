package runtime

import (
	"context"
	"errors"

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

// Has tells whether there is an image of that name, be it one that was cut short.
func (r Remover) Has(ctx context.Context, name string) (bool, error) {
	if has, err := r.cri.HasImage(ctx, name); has || err != nil || r.store == nil {
		return has, err
	}
	return r.store.has(ctx, name)
}

// Remove removes an image by its name; none is fine. With its last tag go the names that
// a pull gave it, its digest and its ID, which keep it on the disk. An image that others
// have tagged loses no more than this tag.
func (r Remover) Remove(ctx context.Context, name string) error {
	image, err := r.cri.image(ctx, name)
	if err != nil {
		return err
	}
	if r.store != nil && len(image.GetRepoTags()) != 1 {
		return r.store.untag(ctx, name) // the CRI has no word for it
	}
	return r.cri.removeImage(ctx, name)
}

func (i *Images) has(ctx context.Context, name string) (bool, error) {
	full, err := fullName(name)
	if err != nil {
		return false, err
	}
	_, err = i.client.ImageService().Get(ctx, full)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func (i *Images) untag(ctx context.Context, name string) error {
	full, err := fullName(name)
	if err != nil {
		return err
	}
	err = i.client.ImageService().Delete(ctx, full, images.SynchronousDelete())
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
