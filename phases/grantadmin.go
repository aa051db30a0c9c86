package phases

import (
	"context"

	"bootstrap/manifests"
	"bootstrap/phases/ready"
)

var grantAdmin = Phase{
	Name:  "grant-admin",
	Short: "give admin.conf its rights, once the API server is ready",
	Run:   onControlPlane(runGrantAdmin),
}

// runGrantAdmin works as super-admin.conf, which has its rights by itself.
func runGrantAdmin(ctx context.Context, env *Env, w *ready.ControlPlane) error {
	if err := w.Wait(ctx, w.APIChecks()); err != nil {
		return err
	}
	patient := w.Cluster.Within(env.Config.APICallTimeout) // that of the checks gives up at once
	return env.telling(patient).ApplyAll(ctx, manifests.ClusterAdmins, manifests.KubeletAPIAdmin)
}
