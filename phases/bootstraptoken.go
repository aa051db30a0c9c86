package phases

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/pki"
)

var bootstrapToken = Phase{
	Name:  "bootstrap-token",
	Short: "let nodes find the cluster and join it: cluster-info, rights, and the bootstrap tokens of the config",
	Run:   asAdmin(runBootstrapToken),
}

const (
	joinTokenDescription = "made by bootstrap init for nodes that join"
	valuelessDescription = "made by bootstrap init, as the config gives it no value"
	joinTokenTTL         = 24 * time.Hour
	joinTokenRest        = time.Hour // a token that ends sooner is no longer handed out
)

func runBootstrapToken(ctx context.Context, env *Env, c *cluster.Cluster) error {
	info, err := clusterInfo(env)
	if err != nil {
		return err
	}
	if err := c.ApplyAll(ctx, info, manifests.BootstrapToken); err != nil {
		return err
	}
	for _, t := range env.Config.BootstrapTokens {
		if err := applyToken(ctx, c, tokenOf(t, time.Now())); err != nil {
			return err
		}
	}
	if !env.Config.PrintJoinCommand {
		return nil
	}
	return printJoinCommand(ctx, env, c)
}

// clusterInfo is what anybody may read: where the API server is, and its CA. The controller
// manager adds a signature by each token. An apply leaves these keys of the ConfigMap alone, as
// the controller manager owns them.
func clusterInfo(env *Env) ([]byte, error) {
	ca, err := env.readCA()
	if err != nil {
		return nil, err
	}
	kubeconfig, err := pki.EncodeClusterInfo(env.Config.EndpointURL(), pki.EncodeCert(ca.Cert))
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

// applyToken makes a token of the config. One without a value gets a random one, which nobody is shown, and is
// made anew only when that of a run before is about to expire.
func applyToken(ctx context.Context, c *cluster.Cluster, t cluster.Token) error {
	if t.ID != "" {
		return c.ApplyToken(ctx, t)
	}
	t.Description = cmp.Or(t.Description, valuelessDescription)
	all, _ := c.Tokens(ctx) // those that can't be read are no token of ours
	if slices.ContainsFunc(all, func(made cluster.Token) bool { return doesFor(made, t) }) {
		return nil
	}
	made, err := cluster.NewToken()
	if err != nil {
		return err
	}
	t.ID, t.Secret = made.ID, made.Secret
	return c.CreateToken(ctx, t)
}

// doesFor tells whether a token that is there will do for one that the config gives no value.
func doesFor(made, asked cluster.Token) bool {
	least, forever := time.Now().Add(min(joinTokenRest, time.Until(asked.Expires)/2)), asked.Expires.IsZero()
	return made.Description == asked.Description && made.Expires.IsZero() == forever && (forever || made.Expires.After(least))
}

// printJoinCommand shows a secret: that is what was asked for.
func printJoinCommand(ctx context.Context, env *Env, c *cluster.Cluster) error {
	token, found := joinToken(ctx, env, c)
	if !found {
		made, err := makeJoinToken(ctx, c)
		if err != nil || env.Host.Plans() {
			return err
		}
		token = made
	}
	command, err := c.JoinCommand(token, "")
	if err != nil {
		return err
	}
	env.Tell.Say("to join a node until %s: %s", token.Expires.UTC().Format(time.RFC3339), command)
	if env.Choices.Network.Own() {
		env.Tell.Say("on that node first, as no registry has the pod network's image: bootstrap init phase addon-images")
	}
	return nil
}

// joinToken finds the token that a run before has made, if it can be used for long enough.
func joinToken(ctx context.Context, env *Env, c *cluster.Cluster) (cluster.Token, bool) {
	all, err := c.Tokens(ctx)
	if err != nil {
		env.Tell.Warn("%v", err) // a broken token of others does not keep us from using ours
	}
	for _, t := range all {
		if t.Description == joinTokenDescription && t.Expires.After(time.Now().Add(joinTokenRest)) {
			return t, true
		}
	}
	return cluster.Token{}, false
}

func makeJoinToken(ctx context.Context, c *cluster.Cluster) (cluster.Token, error) {
	t, err := cluster.NewToken()
	if err != nil {
		return cluster.Token{}, err
	}
	t.Description, t.Expires = joinTokenDescription, time.Now().Add(joinTokenTTL)
	return t, c.CreateToken(ctx, t)
}
