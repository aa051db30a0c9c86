package phases

import (
	"context"
	"fmt"
	"io"

	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// installPrograms installs programs of the bundle that the cluster cannot do without.
func (e *Env) installPrograms(ctx context.Context, dir string, names ...string) error {
	if e.Bundle == nil {
		return e.keepPrograms(dir, names)
	}
	var entries []bundle.Entry
	for _, name := range names {
		entry, ok := e.Bundle.Entry(bundle.Binary, name)
		if !ok {
			return fmt.Errorf("%s is not in the bundle %s", name, e.Bundle.Path())
		}
		entries = append(entries, entry)
	}
	return e.installEntries(ctx, entries, dir)
}

// keepPrograms is enough for a run without a bundle where one before had it.
func (e *Env) keepPrograms(dir string, names []string) error {
	for _, name := range names {
		if path := dir + "/" + name; !e.Host.Made(path) || !e.Host.Exists(path) {
			return plan.Hint(fmt.Errorf("%s is not there, and there is no bundle to install it from", path),
				"use an executable with a bundle inside, or give --bundle FILE")
		}
	}
	return nil
}

// installEntries installs two at a time: more would only take memory.
func (e *Env) installEntries(ctx context.Context, entries []bundle.Entry, dir string) error {
	return plan.Each(len(entries), 2, func(i int) error { return e.installProgram(ctx, entries[i], dir) })
}

// installTools installs programs for people, where the bundle has them and the
// machine does not.
func (e *Env) installTools(ctx context.Context, names ...string) error {
	if e.Bundle == nil {
		return nil
	}
	var entries []bundle.Entry
	for _, name := range names {
		entry, ok := e.Bundle.Entry(bundle.Binary, name)
		if !ok {
			continue
		}
		if path := e.Host.ForeignProgram(name); path != "" {
			e.Tell.Note("%s: %s is there already, and stays as it is", name, path)
			continue
		}
		entries = append(entries, entry)
	}
	return e.installEntries(ctx, entries, spec.BinDir)
}

func (e *Env) installProgram(ctx context.Context, entry bundle.Entry, dir string) error {
	_, err := e.Host.WriteStream(dir+"/"+entry.Name, 0o755, entry.SHA256, func(w io.Writer) error {
		return e.Bundle.Read(ctx, entry, func(r io.Reader) error {
			_, err := io.Copy(w, r)
			return err
		})
	})
	return err
}
