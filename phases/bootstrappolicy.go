package phases

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"slices"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/bundle"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
	"bootstrap/phases/spec"
)

// policyPatience is how long making the API server's roles may take. Those that are not made
// by then, the API server makes itself.
const policyPatience = 5 * time.Second

// makePolicy makes the roles of this release before the API server does. By itself the API
// server begins with them a second after it serves, makes one after the other, and is not ready
// before all are made; where it finds them, it is ready a second earlier. The roles of the
// controller manager and the scheduler come first: their containers are being started, and wait
// for seconds if they are refused. Without a bundle, or where the config changes the roles, all
// others are left to the API server.
func makePolicy(ctx context.Context, env *Env) error {
	policy, err := bundledPolicy(ctx, env.Bundle, env.Config)
	if err != nil {
		return err
	}
	c, err := env.ConnectForHealth()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	// Only an API server that serves and is not yet ready has its roles still to make.
	if err := c.Healthy(ctx, "/readyz"); !cluster.IsUnhealthy(err) {
		return nil
	}
	first := firstPolicy(policy)
	makeFirst := func(ctx context.Context) error { return c.Make(ctx, first) }
	err = env.Ready().WaitSilently(ctx, []health.Check{{Name: "first roles", Probe: makeFirst}})
	if err == nil {
		err = c.Make(ctx, policy)
	}
	if err != nil {
		env.Tell.Say("the API server's roles are left to it: %v", err)
	}
	return nil
}

// firstPolicy is the part of the policy that names the controller manager or the scheduler.
func firstPolicy(policy []byte) []byte {
	if policy == nil {
		return manifests.BootstrapPolicy
	}
	separator := []byte("---\n")
	named := regexp.MustCompile("system:(kube-controller-manager|kube-scheduler|volume-scheduler)")
	documents := bytes.Split(policy, separator)
	// Not decoded: decoding all hundred takes CPU time that the API server needs.
	first := slices.DeleteFunc(documents, func(document []byte) bool { return !named.Match(document) })
	return bytes.Join(first, separator)
}

// bundledPolicy reads the roles of the API server that the config wants. It is nil if the
// bundle has none for that.
func bundledPolicy(ctx context.Context, from *bundle.Bundle, c *config.Config) ([]byte, error) {
	changed := func(name string) bool { return config.Argument(c.APIServer.ExtraArgs, name) != "" }
	if slices.ContainsFunc([]string{"authorization-config", "authorization-mode", "feature-gates"}, changed) {
		return nil, nil
	}
	entry, ok := from.Entry(bundle.Objects, spec.BootstrapPolicy)
	if !ok || entry.Version != c.KubernetesVersion {
		return nil, nil
	}
	var policy bytes.Buffer
	err := from.Read(ctx, entry, func(r io.Reader) error {
		_, err := io.Copy(&policy, r)
		return err
	})
	return policy.Bytes(), err
}
