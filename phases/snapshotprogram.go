package phases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
)

// withPrograms puts programs into a folder while do uses them: of the bundle, or of the images that the runtime has.
// dir is seen from this process.
func (e *Env) withPrograms(ctx context.Context, do func(dir string) error, names ...string) error {
	return e.Host.Scratch("bootstrap-programs", func(dir string) error {
		for _, name := range names {
			_, err := e.Host.StreamUnrecorded(dir+"/"+name, 0o700, func(w io.Writer) error {
				return e.readProgram(ctx, name, func(r io.Reader) error {
					_, err := io.Copy(w, r)
					return err
				})
			})
			if err != nil {
				return plan.Hint(fmt.Errorf("%s is needed for this: %w", name, err), "use an executable with a bundle inside, or give --bundle FILE")
			}
		}
		return do(e.Host.Path(dir))
	}) // etcd itself is not installed on a machine: only its image is there
}

func (e *Env) readProgram(ctx context.Context, name string, sink func(io.Reader) error) error {
	image := e.Config.Images.Etcd
	if name == "kube-apiserver" {
		image = e.Config.Images.APIServer
	}
	if entry, ok := e.Bundle.Entry(bundle.Binary, name); ok {
		return e.Bundle.Read(ctx, entry, sink)
	}
	if entry, ok := e.Bundle.Entry(bundle.Image, image); ok {
		return e.Bundle.Read(ctx, entry, func(r io.Reader) error { return runtime.ProgramIn(r, "usr/local/bin/"+name, sink) })
	}
	if file := e.Host.Program(name); file != "" && (name == "etcdutl" || !e.Host.Real()) {
		f, err := os.Open(e.Host.Path(file))
		if err != nil {
			return err
		}
		defer f.Close()
		return sink(f)
	}
	if e.Choices.Runtime.None != nil {
		return errors.Join(errors.New("there is neither a bundle nor a container runtime"), e.Choices.Runtime.None)
	}
	store, err := runtime.OpenImages(runtime.SocketPath(e.Choices.Runtime.Endpoint))
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Program(ctx, image, "usr/local/bin/"+name, sink)
}
