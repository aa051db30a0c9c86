package phases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
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
	info, err := env.clusterInfo()
	if err != nil {
		return err
	}
	c, err := env.api()
	if err != nil {
		return err
	}
	if err := env.applyAll(ctx, c, info, manifests.BootstrapToken); err != nil {
		return err
	}
	for _, t := range env.Config.BootstrapTokens {
		applied, err := c.ApplyToken(ctx, tokenOf(t, time.Now()))
		env.changedObject(applied, err)
		if err != nil {
			return err
		}
	}
	if !env.Config.PrintJoinCommand {
		return nil
	}
	return env.printJoinCommand(ctx, c)
}

// clusterInfo is what anybody may read: where the API server is, and its CA. The
// controller manager adds a signature by each token, which stays: these keys are its own.
func (e *Env) clusterInfo() ([]byte, error) {
	cert, _, err := e.Observe().ReadPair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil {
		return nil, plan.Hint(fmt.Errorf("no CA in %s", e.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	kubeconfig, err := pki.EncodeClusterInfo(e.Config.EndpointURL(), pki.EncodeCert(cert))
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

func (e *Env) printJoinCommand(ctx context.Context, c *cluster.Cluster) error {
	all, err := c.Tokens(ctx)
	if err != nil {
		e.Tell.Warn("%v", err) // a token of others that is broken does not hinder ours
	}
	now := time.Now()
	i := slices.IndexFunc(all, func(t cluster.Token) bool {
		return t.Description == joinTokenDescription && t.Expires.After(now.Add(joinTokenRest))
	})
	if i < 0 {
		return e.makeJoinToken(ctx, c)
	}
	return e.noteJoinCommand(c, all[i])
}

func (e *Env) makeJoinToken(ctx context.Context, c *cluster.Cluster) error {
	t, err := cluster.NewToken()
	if err != nil {
		return err
	}
	t.Description, t.Expires = joinTokenDescription, time.Now().Add(joinTokenTTL)
	applied, err := c.CreateToken(ctx, t)
	e.changedObject(applied, err)
	if err != nil || e.Host.Plans() {
		return err
	}
	return e.noteJoinCommand(c, t)
}

// noteJoinCommand shows a secret: that is what was asked for.
func (e *Env) noteJoinCommand(c *cluster.Cluster, t cluster.Token) error {
	command, err := c.JoinCommand(t, "")
	if err != nil {
		return err
	}
	e.Tell.Note("to join a node until %s: %s", t.Expires.UTC().Format(time.RFC3339), command)
	if e.Choices.Network.Own() {
		e.Tell.Note("on that node first, as no registry has the pod network's image: bootstrap init phase addon-images")
	}
	return nil
}
