package phases

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/manifests"
	"bootstrap/phases/bundle"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
	"bootstrap/phases/spec"
)

// policyPatience is how long making the API server's roles may take: what is not made by then,
// it makes itself.
const policyPatience = 5 * time.Second

// makePolicy makes what the API server begins with a second after it serves, one object
// after the other, and is not ready before: its roles, as this release has them. It finds
// them there, and is ready a second earlier. Those of the controller manager and the
// scheduler come first: their containers are being started, and refused, they wait seconds.
// Without a bundle, or where the config changes what they are, it makes the others itself.
func makePolicy(ctx context.Context, env *Env) error {
	policy, err := bundledPolicy(ctx, env.Bundle, env.Config)
	if err != nil {
		return err
	}
	first, err := firstPolicy(policy)
	if err != nil {
		return err
	}
	c, err := env.Observe().ConnectForHealth()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, policyPatience)
	defer cancel()
	// Only one that serves and is not yet ready has its roles still to make.
	if err := c.Healthy(ctx, "/readyz"); !cluster.IsUnhealthy(err) {
		return nil
	}
	makeFirst := func(ctx context.Context) error { return c.Make(ctx, first) }
	err = env.Ready().Retry(ctx, "first roles", makeFirst, func([]health.Pending) {})
	if err == nil {
		err = c.Make(ctx, policy)
	}
	if err != nil {
		env.Tell.Note("the API server's roles are left to it: %v", err)
	}
	return nil
}

// firstPolicy is the part of the policy that the controller manager and the scheduler need to
// begin with.
func firstPolicy(policy []byte) ([]byte, error) {
	if policy == nil {
		return manifests.BootstrapPolicy, nil
	}
	var first [][]byte
	for document := range bytes.SplitSeq(policy, []byte("---\n")) {
		named, err := hasName(document, "system:kube-controller-manager", "system:kube-scheduler", "system:volume-scheduler")
		if err != nil {
			return nil, err
		}
		if named {
			first = append(first, document)
		}
	}
	return bytes.Join(first, []byte("---\n")), nil
}

// hasName decodes only what can have one of the names: a hundred documents take time
// that the API server needs.
func hasName(document []byte, names ...string) (bool, error) {
	if !slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(document, []byte(name)) }) {
		return false, nil
	}
	var object struct{ Metadata struct{ Name string } }
	err := yaml.Unmarshal(document, &object)
	return slices.Contains(names, object.Metadata.Name), err
}

// bundledPolicy is nil without one for the API server that the config wants.
func bundledPolicy(ctx context.Context, from *bundle.Bundle, c *config.Config) ([]byte, error) {
	changed := func(name string) bool { return config.Argument(c.APIServer.ExtraArgs, name) != "" }
	if from == nil || slices.ContainsFunc([]string{"authorization-config", "authorization-mode", "feature-gates"}, changed) {
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
	if err != nil {
		return nil, err
	}
	return policy.Bytes(), nil
}
