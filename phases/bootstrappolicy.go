package phases

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
)

// policyPatience: what is not made by then, the API server makes itself.
const policyPatience = 5 * time.Second

// makePolicy makes what the API server begins with a second after it serves, one object
// after the other, and is not ready before: its roles, as this release has them. It finds
// them there, and is ready a second earlier. Without a bundle, or where the config changes
// what they are, it is left to make them.
func (e *Env) makePolicy(ctx context.Context) error {
	entry, ok := e.bundledPolicy()
	if !ok {
		return nil
	}
	c, err := e.connectForHealth()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	// Only one that serves and is not yet ready has its roles still to make.
	if err := c.Healthy(ctx, "/readyz"); !isUnhealthy(err) {
		return nil
	}
	if err := e.makeObjects(ctx, c, entry); err != nil {
		e.note("the API server's roles are left to it: %v", err)
	}
	return nil
}

func (e *Env) bundledPolicy() (bundle.Entry, bool) {
	changed := func(name string) bool { return config.Argument(e.Config.APIServer.ExtraArgs, name) != "" }
	if e.Bundle == nil || slices.ContainsFunc([]string{"authorization-config", "authorization-mode", "feature-gates"}, changed) {
		return bundle.Entry{}, false
	}
	entry, ok := e.Bundle.Entry(bundle.Objects, bootstrapPolicy)
	return entry, ok && entry.Version == e.Config.KubernetesVersion
}

func (e *Env) makeObjects(ctx context.Context, c *cluster.Cluster, entry bundle.Entry) error {
	var manifest bytes.Buffer
	err := e.Bundle.Read(ctx, entry, func(r io.Reader) error {
		_, err := io.Copy(&manifest, r)
		return err
	})
	if err != nil {
		return err
	}
	return c.Make(ctx, manifest.Bytes())
}
