package runtime

import (
	"context"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// StoredImage is an image that the runtime holds.
type StoredImage struct {
	ID     string
	Names  []string // with tags and with digests
	Size   uint64   // bytes
	Pinned bool     // the kubelet does not remove it to make room
}

// StoredImages lists all images.
func (c *CRI) StoredImages(ctx context.Context) ([]StoredImage, error) {
	if c == nil {
		return nil, nil
	}
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
