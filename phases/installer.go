package phases

import (
	"context"
	"fmt"
	"io"

	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// installPrograms installs programs that the cluster can't do without. For a run that has no
// bundle it is enough that a run before has installed them.
func installPrograms(ctx context.Context, env *Env, names ...string) error {
	var entries []bundle.Entry
	for _, name := range names {
		path := spec.BinDir + "/" + name
		if env.Bundle == nil {
			if !env.Host.Made(path) || !env.Host.Exists(path) {
				return plan.About(path, plan.Hint(fmt.Errorf("%s is not there, and there is no bundle to install it from", path),
					"use an executable with a bundle inside, or give --bundle FILE"))
			}
			continue
		}
		entry, ok := env.Bundle.Entry(bundle.Binary, name)
		if !ok {
			return plan.About(path, fmt.Errorf("%s is not in the bundle %s", name, env.Bundle.Path()))
		}
		entries = append(entries, entry)
	}
	return installEntries(ctx, env, spec.BinDir, entries)
}

// installEntries installs two programs at a time: more would only take memory.
func installEntries(ctx context.Context, env *Env, dir string, entries []bundle.Entry) error {
	return plan.Each(len(entries), 2, func(i int) error {
		entry := entries[i]
		_, err := env.Host.WriteStream(dir+"/"+entry.Name, 0o755, entry.SHA256, func(w io.Writer) error {
			return env.Bundle.Read(ctx, entry, func(r io.Reader) error {
				_, err := io.Copy(w, r)
				return err
			})
		})
		return err
	})
}
