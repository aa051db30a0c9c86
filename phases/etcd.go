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
	if err := errors.Join(env.Observe().CheckSettled()...); err != nil {
		return err // for whoever leaves preflight out
	}
	if external := env.Config.Etcd.External; external != nil {
		env.Tell.Note("etcd is elsewhere: %s", strings.Join(external.Endpoints, ", "))
		return env.State().KeepSettled()
	}
	if err := errors.Join(env.Observe().CheckEtcdData()...); err != nil {
		return err // for whoever leaves preflight out
	}
	dataDir := env.Config.Etcd.DataDir
	if _, err := env.Host.MakeDir(dataDir, 0o700); err != nil {
		return err
	}
	if err := env.Host.OwnTree(dataDir); err != nil {
		return err
	}
	if err := env.State().KeepSettled(); err != nil {
		return err
	}
	manifest, err := env.renderStaticPod("etcd", spec.EtcdPod(env.Config, spec.OnlyMember(env.Config)))
	if err != nil {
		return err
	}
	if env.Observe().EtcdHasBegun() {
		manifest = spec.OfExistingCluster(manifest)
	}
	return env.placeStaticPod("etcd", manifest)
}

// keepEtcdCluster sees to it that an etcd that has begun never begins again without its
// data: as a new cluster it would serve an empty store in place of this one. The ledger is
// told, for later runs of init, and the manifest, for later starts of etcd.
//
// Only the API server's answer shows that etcd has begun, so the first init writes the
// manifest twice, and must not restart etcd for that. It does not: the kubelet compares the
// UID, which stays that of the manifest with "new". Every later init finds the log, and
// writes "existing" at once. The second write is not told of: that there will be one a plan
// can't see, and to the user it is the same change as the first.
func (e *Env) keepEtcdCluster() error {
	if !e.Host.Made(spec.ManifestFile("etcd")) || !e.Observe().EtcdHasBegun() {
		return nil
	}
	if err := e.Host.Remember(e.State().MemberNote(), "begun"); err != nil {
		return err
	}
	manifest, err := e.Host.ReadFile(spec.ManifestFile("etcd"))
	if err != nil {
		return err
	}
	_, err = e.Host.Under(etcdPhase.Name, nil).WriteFile(spec.ManifestFile("etcd"), spec.OfExistingCluster(manifest), 0o600)
	return err
}
