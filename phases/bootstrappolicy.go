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

// makePolicy makes the roles of this release before the API server does. By itself it begins
// with them a second after it serves, makes one after the other, and is not ready before; where
// it finds them, it is ready a second earlier. The roles of the controller manager and the
// scheduler come first: their containers are being started, and wait for seconds if they are
// refused. Without a bundle, or where the config changes the roles, all others are left to the
// API server.
func makePolicy(ctx context.Context, env *Env) error {
	policy, err := bundledPolicy(ctx, env.Bundle, env.Config)
	if err != nil {
		return err
	}
	first, err := firstPolicy(policy)
	if err != nil {
		return err
	}
	c, err := env.ConnectForHealth()
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

// hasName tells whether an object has one of the names. It decodes only those that can have
// one: decoding all hundred takes CPU time that the API server needs.
func hasName(document []byte, names ...string) (bool, error) {
	if !slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(document, []byte(name)) }) {
		return false, nil
	}
	var object struct{ Metadata struct{ Name string } }
	err := yaml.Unmarshal(document, &object)
	return slices.Contains(names, object.Metadata.Name), err
}

// bundledPolicy reads the roles of the API server that the config wants. It is nil if the
// bundle has none for that.
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
	return policy.Bytes(), err
}
