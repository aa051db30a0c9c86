package phases

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

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
	return env.withImages(ctx, observe.Begun, func(ctx context.Context, f imageFetch) error {
		if err := f.all(ctx, env.Config.RequiredImages()); err != nil {
			return err
		}
		if f.ours || f.runtime != "containerd" {
			return nil
		}
		return f.sandbox(ctx)
	})
}

// withImages opens the runtime's images for use.
func (e *Env) withImages(ctx context.Context, stage observe.Stage, use func(context.Context, imageFetch) error) error {
	c, err := e.Observe().DialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	return e.Ready().WhileRuntimeAnswers(ctx, stage, c, func(ctx context.Context) error {
		fetch, err := e.openImages(ctx, c)
		if err != nil {
			return err
		}
		defer fetch.close()
		return use(ctx, fetch)
	})
}

func (e *Env) openImages(ctx context.Context, c *runtime.CRI) (imageFetch, error) {
	choice := e.Choices.Runtime
	info, err := c.Info(ctx)
	if err != nil {
		return imageFetch{}, plan.Hint(err, "run first: bootstrap init phase runtime")
	}
	if err := e.Host.Remember(state.ImagesNote, choice.Endpoint); err != nil {
		return imageFetch{}, err
	}
	fetch := imageFetch{env: e, cri: c, runtime: info.Name, ours: choice.Install}
	if info.Name != "containerd" || e.Host.Plans() {
		return fetch, nil
	}
	fetch.store, err = runtime.OpenImages(runtime.SocketPath(choice.Endpoint))
	return fetch, err
}

func (f imageFetch) close() {
	if f.store != nil {
		f.store.Close()
	}
}

// sandbox gives our pause image the name that a containerd which is not ours
// starts pods with, unless it has an image of that name: it would try to pull it.
func (f imageFetch) sandbox(ctx context.Context) error {
	program := f.env.Host.ForeignProgram("containerd")
	if program == "" {
		return nil // somewhere else, with a configuration that cannot be asked for
	}
	dump, err := f.env.Host.Output(ctx, program, "config", "dump")
	if err != nil {
		f.env.Tell.Warn("which image containerd starts pods with is not known, it is left to pull it: %v", err)
		return nil
	}
	name, pause := runtime.SandboxImage(dump), f.env.Config.Images.Pause
	if name == "" || name == pause {
		return nil
	}
	if has, err := f.cri.HasImage(ctx, name); err != nil || has {
		return err
	}
	f.env.Tell.Note("containerd is configured to start pods with %s: %s gets that name too", name, pause)
	return f.env.Host.Record(host.OpImage, name, func() error { return f.store.Alias(ctx, pause, name) })
}

// imageFetch brings images into the runtime.
type imageFetch struct {
	env     *Env
	cri     *runtime.CRI
	store   *runtime.Images // nil: not containerd, only pulling is possible
	runtime string          // its name
	ours    bool            // the runtime comes out of the bundle
}

// all fetches side by side, unless the config wants one after the other, and reports
// how many it has.
func (f imageFetch) all(ctx context.Context, references []string) error {
	atOnce := len(references)
	if f.env.Config.ImagePullSerial {
		atOnce = 1
	}
	var done atomic.Int32
	return plan.Each(len(references), atOnce, func(i int) error {
		err := f.one(ctx, references[i])
		f.env.Tell.Waiting("%d of %d images", done.Add(1), len(references))
		return err
	})
}

func (f imageFetch) one(ctx context.Context, reference string) error {
	has, err := f.cri.HasImage(ctx, reference)
	if err != nil || has && !f.renews(reference) {
		return err
	}
	if has { // it is not there because of us
		return f.fetch(ctx, reference)
	}
	return f.env.Host.Record(host.OpImage, reference, func() error { return f.fetch(ctx, reference) })
}

func (f imageFetch) fetch(ctx context.Context, reference string) error {
	if f.store != nil && f.env.Bundle != nil {
		if entry, ok := f.env.Bundle.Image(reference); ok {
			err := f.env.Bundle.Read(ctx, entry, func(r io.Reader) error { return f.store.Import(ctx, r) })
			if err != nil {
				return fmt.Errorf("import %s: %w", reference, err)
			}
			return nil
		}
	}
	if reference == f.env.Config.Images.Network {
		return plan.Hint(fmt.Errorf("%s comes only out of a bundle, into containerd", reference), "bring another pod network: network: none in BoxConfiguration")
	}
	if f.env.Config.ImagePullPolicy == "Never" {
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

// renews: what a registry has may be newer; what is in a bundle stays the same.
func (f imageFetch) renews(reference string) bool {
	if f.env.Config.ImagePullPolicy != "Always" || f.env.Host.Plans() {
		return false
	}
	if f.env.Bundle == nil {
		return true
	}
	_, bundled := f.env.Bundle.Image(reference)
	return !bundled
}

func registryOf(reference string) string {
	name, _, _ := strings.Cut(reference, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}
