package phases

import (
	"context"
)

var tools = Phase{
	Name:  "tools",
	Short: "install kubectl, etcdctl and etcdutl, for people, where the machine has none",
	Run: func(ctx context.Context, env *Env) error {
		return env.installTools(ctx, "kubectl", "etcdctl", "etcdutl")
	},
}
