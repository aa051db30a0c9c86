package phases

import (
	"context"

	"bootstrap/phases/bundle"
	"bootstrap/phases/spec"
)

var tools = Phase{
	Name:  "tools",
	Short: "install kubectl, etcdctl and etcdutl, for people, where the machine has none",
	Run:   runTools,
}

// runTools passes over programs that the bundle lacks, as the cluster needs none of them.
func runTools(ctx context.Context, env *Env) error {
	var entries []bundle.Entry
	for _, name := range spec.Tools {
		entry, ok := env.Bundle.Entry(bundle.Binary, name)
		if !ok {
			continue
		}
		if path := env.Host.ForeignProgram(name); path != "" {
			env.Tell.Say("%s: %s is there already, and stays as it is", name, path)
			continue
		}
		entries = append(entries, entry)
	}
	return installEntries(ctx, env, spec.BinDir, entries)
}
