package phases

import (
	"context"
	"slices"

	"bootstrap/phases/observe"
)

var addonImages = Phase{
	Name:  "addon-images",
	Short: "import the images of cluster DNS, kube-proxy and the pod network, or pull them",
	Run:   runAddonImages,
}

func runAddonImages(ctx context.Context, env *Env) error {
	images := env.Config.Addons()
	if !env.Choices.Network.Own() {
		images = slices.DeleteFunc(images, func(image string) bool { return image == env.Config.Images.Network })
	}
	return fetchImages(ctx, env, observe.Certified, images)
}
