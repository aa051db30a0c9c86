package phases

import (
	"context"

	"bootstrap/manifests"
)

var grantAdmin = Phase{
	Name:  "grant-admin",
	Short: "give admin.conf its rights, once the API server is ready",
	Run:   runGrantAdmin,
}

// runGrantAdmin works as super-admin.conf, which has its rights by itself.
func runGrantAdmin(ctx context.Context, env *Env) error {
	w, err := env.newControlPlaneWait(Written)
	if err != nil {
		return err
	}
	defer w.cri.Close()
	if err := w.wait(ctx, w.apiChecks()); err != nil {
		return err
	}
	for _, manifest := range [][]byte{manifests.ClusterAdmins, manifests.KubeletAPIAdmin} {
		if err := env.applyAll(ctx, w.cluster, manifest); err != nil {
			return err
		}
	}
	return nil
}
