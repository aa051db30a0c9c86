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

// program is the file of a program, as this process sees it: it is put into a folder out of the bundle, or out of the
// image that the runtime has, as etcd itself is not installed on a machine. Else it is the machine's own.
func (e *Env) program(ctx context.Context, dir *os.Root, name string) (string, error) {
	file := dir.Name() + "/" + name
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	err := bundle.WriteWhole(file, 0o700, func(w io.Writer) error {
		return e.readProgram(ctx, name, func(r io.Reader) error {
			_, err := io.Copy(w, r)
			return err
		})
	})
	if own := e.Host.Program(name); err != nil && own != "" {
		return e.Host.Path(own), nil
	}
	if err != nil {
		err = plan.Hint(fmt.Errorf("%s is needed for this: %w", name, err), "etcdutl is in a bundle: --bundle FILE; others are in images that containerd has: systemctl start containerd")
	}
	return file, err
}

func (e *Env) readProgram(ctx context.Context, name string, sink func(io.Reader) error) error {
	if entry, ok := e.Bundle.Entry(bundle.Binary, name); ok {
		return e.Bundle.Read(ctx, entry, sink)
	}
	image, has := map[string]string{"etcd": e.Config.Images.Etcd, "kube-apiserver": e.Config.Images.APIServer}[name]
	if !has {
		return errors.New("it is not in the bundle, or there is none")
	}
	socket := runtime.SocketPath(e.Choices.Runtime.Endpoint)
	if !e.Host.Exists(socket) {
		return fmt.Errorf("no container runtime is at %s", socket)
	}
	store, err := runtime.OpenImages(socket)
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Program(ctx, image, name, sink)
}
