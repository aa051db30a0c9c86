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
	"bootstrap/phases/config"
)

// policyPatience: what is not made by then, the API server makes itself.
const policyPatience = 5 * time.Second

// makePolicy makes what the API server begins with a second after it serves, one object
// after the other, and is not ready before: its roles, as this release has them. It finds
// them there, and is ready a second earlier. Without a bundle, or where the config changes
// what they are, it is left to make them.
func (e *Env) makePolicy(ctx context.Context) error {
	policy, err := e.bundledPolicy(ctx)
	if policy == nil {
		return err
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
	if err := c.Make(ctx, policy); err != nil {
		e.note("the API server's roles are left to it: %v", err)
	}
	return nil
}

// firstPolicy is of it what the controller manager and the scheduler need to begin with.
func (e *Env) firstPolicy(ctx context.Context) ([]byte, error) {
	policy, err := e.bundledPolicy(ctx)
	if policy == nil {
		return manifests.BootstrapPolicy, err
	}
	var first [][]byte
	for document := range bytes.SplitSeq(policy, []byte("---\n")) {
		var object struct{ Metadata struct{ Name string } }
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, err
		}
		if slices.Contains([]string{"system:kube-controller-manager", "system:kube-scheduler", "system:volume-scheduler"}, object.Metadata.Name) {
			first = append(first, document)
		}
	}
	return bytes.Join(first, []byte("---\n")), nil
}

// bundledPolicy is nil without one for the API server that the config wants.
func (e *Env) bundledPolicy(ctx context.Context) ([]byte, error) {
	changed := func(name string) bool { return config.Argument(e.Config.APIServer.ExtraArgs, name) != "" }
	if e.Bundle == nil || slices.ContainsFunc([]string{"authorization-config", "authorization-mode", "feature-gates"}, changed) {
		return nil, nil
	}
	entry, ok := e.Bundle.Entry(bundle.Objects, bootstrapPolicy)
	if !ok || entry.Version != e.Config.KubernetesVersion {
		return nil, nil
	}
	var policy bytes.Buffer
	err := e.Bundle.Read(ctx, entry, func(r io.Reader) error {
		_, err := io.Copy(&policy, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return policy.Bytes(), nil
}
