package phases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
)

var images = Phase{
	Name:  "images",
	Short: "import the control plane's images from the bundle, or pull them",
	Run:   runImages,
}

func runImages(ctx context.Context, env *Env) error {
	choice, err := env.chooseRuntime()
	if err != nil {
		return err
	}
	c, err := env.dialRuntime(choice)
	if err != nil {
		return err
	}
	defer c.Close()
	info, err := c.Info(ctx)
	if err != nil {
		return withHint(err, "run first: bootstrap init phase runtime")
	}
	fetch := imageFetch{env: env, cri: c}
	if info.Name == "containerd" && !env.Host.Plans() {
		store, err := runtime.OpenImages(runtime.SocketPath(choice.Endpoint))
		if err != nil {
			return err
		}
		defer store.Close()
		fetch.store = store
	}
	if err := fetch.all(ctx, env.Config.Images.Required()); err != nil {
		return err
	}
	if choice.Install || info.Name != "containerd" {
		return nil
	}
	return fetch.sandbox(ctx)
}

// sandbox gives our pause image the name that a containerd which is not ours
// starts pods with, unless it has an image of that name: it would try to pull it.
func (f imageFetch) sandbox(ctx context.Context) error {
	program := f.env.foreignProgram("containerd")
	if program == "" {
		return nil // somewhere else, with a configuration that cannot be asked for
	}
	dump, err := f.env.Host.Output(ctx, program, "config", "dump")
	if err != nil {
		f.env.warn("which image containerd starts pods with is not known, it is left to pull it: %v", err)
		return nil
	}
	name, pause := runtime.SandboxImage(dump), f.env.Config.Images.Pause
	if name == "" || name == pause {
		return nil
	}
	if has, err := f.cri.HasImage(ctx, name); err != nil || has {
		return err
	}
	f.env.note("containerd is configured to start pods with %s: %s gets that name too", name, pause)
	return f.env.Host.Record(host.OpImage, name, func() error { return f.store.Alias(ctx, pause, name) })
}

// imageFetch brings images into the runtime.
type imageFetch struct {
	env   *Env
	cri   *runtime.CRI
	store *runtime.Images // nil: not containerd, only pulling is possible
}

// all fetches side by side and reports how many are still missing.
func (f imageFetch) all(ctx context.Context, references []string) error {
	errs := make([]error, len(references))
	var done atomic.Int32
	var wait sync.WaitGroup
	for i, reference := range references {
		wait.Go(func() {
			errs[i] = f.one(ctx, reference)
			f.env.waiting("%d of %d images", done.Add(1), len(references))
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (f imageFetch) one(ctx context.Context, reference string) error {
	has, err := f.cri.HasImage(ctx, reference)
	if err != nil || has {
		return err
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
	if err := f.cri.Pull(ctx, reference); err != nil {
		return withHint(err, "give a bundle that holds it (--bundle FILE), set imageRepository, or check the network: getent hosts %s", registryOf(reference))
	}
	return nil
}

func registryOf(reference string) string {
	name, _, _ := strings.Cut(reference, "/")
	name, _, _ = strings.Cut(name, ":")
	return name
}
