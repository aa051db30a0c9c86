package phases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/observe"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
)

var bootstrapToken = Phase{
	Name:  "bootstrap-token",
	Short: "let nodes find the cluster and join it: cluster-info, rights, and the bootstrap tokens of the config",
	Run:   runBootstrapToken,
}

const (
	joinTokenDescription = "made by bootstrap init for nodes that join"
	joinTokenTTL         = 24 * time.Hour
	joinTokenRest        = time.Hour // of less use than this, it is no longer handed out
)

func runBootstrapToken(ctx context.Context, env *Env) error {
	info, err := clusterInfo(env.Observe())
	if err != nil {
		return err
	}
	a, err := env.applier()
	if err != nil {
		return err
	}
	if err := a.applyAll(ctx, info, manifests.BootstrapToken); err != nil {
		return err
	}
	for _, t := range env.Config.BootstrapTokens {
		applied, err := a.ApplyToken(ctx, tokenOf(t, time.Now()))
		if err != nil {
			return err
		}
		a.changed(applied)
	}
	if !env.Config.PrintJoinCommand {
		return nil
	}
	return a.printJoinCommand(ctx, env)
}

// clusterInfo is what anybody may read: where the API server is, and its CA. The
// controller manager adds a signature by each token, which stays: these keys are its own.
func clusterInfo(seen *observe.Observer) ([]byte, error) {
	cert, _, err := seen.ReadPair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil {
		return nil, plan.Hint(fmt.Errorf("no CA in %s", seen.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	kubeconfig, err := pki.EncodeClusterInfo(seen.Config.EndpointURL(), pki.EncodeCert(cert))
	if err != nil {
		return nil, err
	}
	return manifests.ConfigMap("kube-public", "cluster-info", map[string]string{"kubeconfig": string(kubeconfig)})
}

func tokenOf(t config.BootstrapToken, now time.Time) cluster.Token {
	expires := t.Expires
	if expires.IsZero() && t.TTL > 0 {
		expires = now.Add(t.TTL)
	}
	return cluster.Token{ID: t.ID, Secret: t.Secret, Description: t.Description, Expires: expires, Usages: t.Usages, Groups: t.Groups}
}

// joinToken is one that a run before has made, if it can be used for long enough, else a new one.
func (a applier) joinToken(ctx context.Context) (cluster.Token, error) {
	all, err := a.Tokens(ctx)
	if err != nil {
		a.tell.Warn("%v", err) // a token of others that is broken does not hinder ours
	}
	now := time.Now()
	i := slices.IndexFunc(all, func(t cluster.Token) bool {
		return t.Description == joinTokenDescription && t.Expires.After(now.Add(joinTokenRest))
	})
	if i >= 0 {
		return all[i], nil
	}
	t, err := cluster.NewToken()
	if err != nil {
		return cluster.Token{}, err
	}
	t.Description, t.Expires = joinTokenDescription, now.Add(joinTokenTTL)
	applied, err := a.CreateToken(ctx, t)
	a.changed(applied)
	return t, err
}
