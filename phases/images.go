package phases

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/state"
)

var images = Phase{
	Name:  "images",
	Short: "import the control plane's images from the bundle, or pull them",
	Run:   runImages,
}

func runImages(ctx context.Context, env *Env) error {
	return fetchImages(ctx, env, observe.Begun, env.Config.RequiredImages())
}

// imageFetch brings images into the runtime.
type imageFetch struct {
	*Env
	cri     *runtime.CRI
	store   *runtime.Images // nil: not containerd, only pulling is possible
	runtime string          // its name
}

// fetchImages brings images into the runtime.
func fetchImages(ctx context.Context, env *Env, stage observe.Stage, references []string) error {
	return env.inRuntime(ctx, stage, func(ctx context.Context, cri *runtime.CRI) error {
		return imageFetch{Env: env, cri: cri}.run(ctx, references)
	})
}

func (f imageFetch) run(ctx context.Context, references []string) error {
	endpoint := f.Choices.Runtime.Endpoint
	info, err := f.cri.Who(ctx)
	if err != nil {
		return plan.Hint(err, "run first: bootstrap init phase runtime")
	}
	f.runtime = info.Name
	if err := f.Host.Remember(state.ImagesNote, endpoint); err != nil {
		return err
	}
	if info.Name == "containerd" && !f.Host.Plans() {
		if f.store, err = runtime.OpenImages(runtime.SocketPath(endpoint)); err != nil {
			return err
		}
		defer f.store.Close()
	}
	if err := f.all(ctx, references); err != nil || !slices.Contains(references, f.Config.Images.Pause) {
		return err
	}
	return f.sandbox(ctx)
}

// sandbox gives our pause image a second name: that of the image with which a containerd of
// others is configured to start pods. It would try to pull one of that name if it had none.
func (f imageFetch) sandbox(ctx context.Context) error {
	if f.Choices.Runtime.Install || f.runtime != "containerd" {
		return nil
	}
	program := f.Host.ForeignProgram("containerd")
	if program == "" {
		return nil // containerd is somewhere else, and can't be asked for its configuration
	}
	dump, err := f.Host.Output(ctx, program, "config", "dump")
	if err != nil {
		f.Tell.Warn("which image containerd starts pods with is not known, it is left to pull it: %v", err)
		return nil
	}
	name, pause := runtime.SandboxImage(dump), f.Config.Images.Pause
	if name == "" || name == pause {
		return nil
	}
	if has, err := f.cri.HasImage(ctx, name); err != nil || has {
		return err
	}
	f.Tell.Say("containerd is configured to start pods with %s: %s gets that name too", name, pause)
	return f.Host.Record(host.OpImage, name, func() error { return f.store.Alias(ctx, pause, name) })
}

// all fetches side by side, unless the config wants one after the other, and reports
// how many it has.
func (f imageFetch) all(ctx context.Context, references []string) error {
	atOnce := len(references)
	if f.Config.ImagePullSerial {
		atOnce = 1
	}
	var done atomic.Int32
	return plan.Each(len(references), atOnce, func(i int) error {
		err := f.one(ctx, references[i])
		f.Tell.Waiting("%d of %d images", done.Add(1), len(references))
		return err
	})
}

func (f imageFetch) one(ctx context.Context, reference string) error {
	has, err := f.cri.HasImage(ctx, reference)
	if err != nil || has && !f.renews(reference) {
		return err
	}
	if has { // others brought it: reset does not remove it
		return f.fetch(ctx, reference)
	}
	return f.Host.Record(host.OpImage, reference, func() error { return f.fetch(ctx, reference) })
}

func (f imageFetch) fetch(ctx context.Context, reference string) error {
	if entry, ok := f.Bundle.Entry(bundle.Image, reference); ok && f.store != nil {
		err := f.Bundle.Read(ctx, entry, func(r io.Reader) error { return f.store.Import(ctx, r) })
		if err != nil {
			return fmt.Errorf("import %s: %w", reference, err)
		}
		return nil
	}
	if reference == f.Config.Images.Network {
		return plan.Hint(fmt.Errorf("%s comes only out of a bundle, into containerd", reference), "bring another pod network: network: none in BoxConfiguration")
	}
	if f.Config.ImagePullPolicy == "Never" {
		return plan.Hint(fmt.Errorf("%s is not on this machine, and imagePullPolicy is Never", reference), "give a bundle that holds it: --bundle FILE")
	}
	if err := f.cri.Pull(ctx, reference); err != nil {
		return plan.Hint(err, "give a bundle that holds it (--bundle FILE), set imageRepository, or check the network: getent hosts %s", registryOf(reference))
	}
	if f.store == nil {
		return nil // another runtime pins only what it starts pods with
	}
	return f.store.Pin(ctx, reference)
}

// renews tells whether an image that is there is pulled again: what a registry has may be
// newer, while what is in a bundle stays the same.
func (f imageFetch) renews(reference string) bool {
	_, bundled := f.Bundle.Entry(bundle.Image, reference)
	return f.Config.ImagePullPolicy == "Always" && !f.Host.Plans() && !bundled
}

func registryOf(reference string) string {
	name, _, _ := strings.Cut(reference, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}
