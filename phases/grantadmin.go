package phases

import (
	"context"

	"bootstrap/manifests"
	"bootstrap/phases/observe"
)

var grantAdmin = Phase{
	Name:  "grant-admin",
	Short: "give admin.conf its rights, once the API server is ready",
	Run:   runGrantAdmin,
}

// runGrantAdmin works as super-admin.conf, which has its rights by itself.
func runGrantAdmin(ctx context.Context, env *Env) error {
	w, err := env.Ready().NewControlPlane(observe.Written)
	if err != nil {
		return err
	}
	defer w.CRI.Close()
	if err := w.Wait(ctx, w.APIChecks()); err != nil {
		return err
	}
	return w.Retry(ctx, "rights of admin.conf", func(ctx context.Context) error {
		return env.telling(w.Cluster).ApplyAll(ctx, manifests.ClusterAdmins, manifests.KubeletAPIAdmin)
	})
}
