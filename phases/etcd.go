package phases

import (
	"context"
	"errors"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

var etcdPhase = Phase{
	Name:  "etcd",
	Short: "write the static pod of etcd",
	Run:   runEtcd,
}

func runEtcd(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Etcd)
	if err := errors.Join(env.CheckCluster()...); err != nil {
		return err
	}
	if external := env.Config.Etcd.External; external != nil {
		env.Tell.Say("etcd is elsewhere: %s", strings.Join(external.Endpoints, ", "))
		return env.State().KeepSettled()
	}
	if err := env.ownEtcdFolder(); err != nil {
		return err
	}
	if err := env.State().KeepSettled(); err != nil {
		return err
	}
	manifest, err := renderStaticPod(env, "etcd", spec.EtcdPod(env.Config, spec.OnlyMember(env.Config)))
	if err != nil {
		return err
	}
	if env.EtcdHasBegun() {
		manifest = spec.OfExistingCluster(manifest)
	}
	return placeStaticPod(ctx, env, "etcd", manifest)
}

func (e *Env) ownEtcdFolder() error {
	h, dir := e.forPurpose(host.Etcd).Host, e.Config.Etcd.DataDir
	if err := h.MakeDir(dir, 0o700); err != nil {
		return err
	}
	return h.OwnTree(dir)
}

// keepEtcdCluster sees to it that an etcd that has begun never begins again without its
// data: as a new cluster it would serve an empty store in place of this one. A note in the
// ledger says so to later runs of init, and the manifest to later starts of etcd.
//
// Only the API server's answer shows that etcd has begun, so the first init writes the
// manifest twice, and must not restart etcd for that. It does not: the kubelet compares the
// UID, which stays that of the manifest with "new". Every later init finds the log, and
// writes "existing" at once. The user is not told of the second write: a plan can't foresee it,
// and to the user it is the same change as the first.
func keepEtcdCluster(env *Env) error {
	h, file := env.Host, spec.ManifestFile("etcd")
	if !h.Made(file) || !env.EtcdHasBegun() {
		return nil
	}
	if err := h.Remember(env.State().MemberNote(), "begun"); err != nil {
		return err
	}
	manifest, err := h.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = h.Under(etcdPhase.Name, nil).WriteFile(file, spec.OfExistingCluster(manifest), 0o600)
	return err
}
