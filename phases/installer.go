package phases

import (
	"context"
	"fmt"
	"io"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
)

// installer installs programs out of the bundle.
type installer struct {
	host   *host.Host
	bundle *bundle.Bundle // nil without one
}

// programs installs programs that the cluster can't do without.
func (i installer) programs(ctx context.Context, dir string, names ...string) error {
	if i.bundle == nil {
		return i.keepPrograms(dir, names)
	}
	var entries []bundle.Entry
	for _, name := range names {
		entry, ok := i.bundle.Entry(bundle.Binary, name)
		if !ok {
			return fmt.Errorf("%s is not in the bundle %s", name, i.bundle.Path())
		}
		entries = append(entries, entry)
	}
	return i.entries(ctx, dir, entries)
}

// keepPrograms is for a run without a bundle: it is enough that a run before has installed the
// programs.
func (i installer) keepPrograms(dir string, names []string) error {
	for _, name := range names {
		if path := dir + "/" + name; !i.host.Made(path) || !i.host.Exists(path) {
			return plan.Hint(fmt.Errorf("%s is not there, and there is no bundle to install it from", path),
				"use an executable with a bundle inside, or give --bundle FILE")
		}
	}
	return nil
}

// entries installs two programs at a time: more would only take memory.
func (i installer) entries(ctx context.Context, dir string, entries []bundle.Entry) error {
	return plan.Each(len(entries), 2, func(n int) error {
		entry := entries[n]
		_, err := i.host.WriteStream(dir+"/"+entry.Name, 0o755, entry.SHA256, func(w io.Writer) error {
			return i.bundle.Read(ctx, entry, func(r io.Reader) error {
				_, err := io.Copy(w, r)
				return err
			})
		})
		return err
	})
}
