package phases

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/templates"
)

var etcdPhase = Phase{
	Name:  "etcd",
	Short: "write the static pod of etcd",
	Run:   runEtcd,
}

func runEtcd(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Etcd)
	if err := errors.Join(env.checkSettled()...); err != nil {
		return err // for whoever leaves preflight out
	}
	if external := env.Config.Etcd.External; external != nil {
		env.note("etcd is elsewhere: %s", strings.Join(external.Endpoints, ", "))
		return env.settle()
	}
	if err := errors.Join(env.checkEtcdData()...); err != nil {
		return err // for whoever leaves preflight out
	}
	dataDir := env.Config.Etcd.DataDir
	if _, err := env.Host.MakeDir(dataDir, 0o700); err != nil {
		return err
	}
	if err := env.Host.OwnTree(dataDir); err != nil {
		return err
	}
	if err := env.settle(); err != nil {
		return err
	}
	manifest, err := env.renderStaticPod("etcd", etcdPod(env.Config, onlyMember(env.Config)))
	if err != nil {
		return err
	}
	if env.etcdHasBegun() {
		manifest = ofExistingCluster(manifest)
	}
	return env.placeStaticPod("etcd", manifest)
}

// etcdFolder is where the data lies when all links are followed; empty where it is elsewhere.
func (e *Env) etcdFolder() string {
	if !e.runsEtcd() {
		return ""
	}
	return e.Host.Resolve(e.Config.Etcd.DataDir)
}

// etcdHasBegun tells whether etcd's log is there. From then on etcd takes the members of
// its cluster from its data, and reads no flag about how it begins. A log that can't be
// looked at, as by a user who only asks for a plan, is not gone.
func (e *Env) etcdHasBegun() bool {
	dir := cmp.Or(config.Argument(e.Config.Etcd.ExtraArgs, "wal-dir"), e.Config.Etcd.DataDir+"/member/wal")
	files, err := os.ReadDir(e.Host.Path(dir))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.ContainsFunc(files, func(f fs.DirEntry) bool { return path.Ext(f.Name()) == ".wal" })
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
	if !e.made(manifestFile("etcd")) || !e.etcdHasBegun() {
		return nil
	}
	if err := e.Host.Remember(e.memberNote(), "begun"); err != nil {
		return err
	}
	manifest, err := e.Host.ReadFile(manifestFile("etcd"))
	if err != nil {
		return err
	}
	_, err = e.Host.Under(etcdPhase.Name, nil).WriteFile(manifestFile("etcd"), ofExistingCluster(manifest), 0o600)
	return err
}

// ofExistingCluster is etcd's manifest once it has begun. What a patch or an extra argument
// says of a new cluster has served its purpose too.
func ofExistingCluster(manifest []byte) []byte {
	return bytes.ReplaceAll(manifest, []byte("--initial-cluster-state=new"), []byte("--initial-cluster-state=existing"))
}

// memberNote is there once etcd's data directory has held a member of this cluster.
func (e *Env) memberNote() string { return e.besideSettled("member") }

// checkEtcdData refuses to begin with an empty data directory where there was a member: its
// disk may not be mounted, or the data is lost, and only the user can tell which.
func (e *Env) checkEtcdData() []error {
	if _, begun := e.Host.Recall(e.memberNote()); !begun || e.etcdHasBegun() {
		return nil
	}
	dir := e.Config.Etcd.DataDir
	err := fmt.Errorf("%s holds no data of etcd, and has held this cluster's", dir)
	all := e.Host.Entries()
	if i := slices.IndexFunc(all, isEtcdData); i >= 0 && mountOfRecord(all[i]) != "" {
		err = withHint(fmt.Errorf("%w, on the disk that was mounted at %s", err, mountOfRecord(all[i])), "mount it there again, or put a snapshot there (etcdutl snapshot restore), then run init again")
	}
	return []error{found(e.Catalogue, "etcd-data-gone", err)}
}

// mountOfRecord is where the file system was mounted that a tree lies on; empty for the root's.
func mountOfRecord(r host.Record) string {
	if r.Before.Mount {
		return r.Target
	}
	return r.On
}

// etcdMember is one of the cluster's, as the manifests of all of them name it.
type etcdMember struct{ name, peerURL string }

// onlyMember is the cluster that init makes.
func onlyMember(c *config.Config) []etcdMember {
	return []etcdMember{{name: c.NodeName, peerURL: etcdURL(c.AdvertiseAddress, 2380)}}
}

// initialCluster names all members, this one too. A member without its data asks the others
// who belongs to the cluster; if it knew of none but itself, there would be nobody to ask.
func initialCluster(members []etcdMember) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = m.name + "=" + m.peerURL
	}
	return strings.Join(parts, ",")
}

// electionTimeout is how long a member waits for its leader. Alone it waits only for itself,
// at each start, so half of etcd's default (1000 ms) will do. It must be the same on all
// members: with a second one, the default holds on each, and this member must have been
// restarted with it before the other is added. The user's heartbeat stands for five in it.
func electionTimeout(c *config.Config, members []etcdMember) []config.Arg {
	if len(members) > 1 || !c.Box.SingleNode || config.Argument(c.Etcd.ExtraArgs, "heartbeat-interval") != "" {
		return nil
	}
	return []config.Arg{{Name: "election-timeout", Value: "500"}}
}

func etcdPod(c *config.Config, members []etcdMember) templates.Etcd {
	client := etcdURL(c.AdvertiseAddress, 2379)
	peer := etcdURL(c.AdvertiseAddress, 2380)
	pki := c.CertificatesDir + "/etcd"
	args := []config.Arg{
		{Name: "advertise-client-urls", Value: client},
		{Name: "cert-file", Value: pki + "/server.crt"},
		{Name: "client-cert-auth", Value: "true"},
		{Name: "data-dir", Value: c.Etcd.DataDir},
		{Name: "feature-gates", Value: "InitialCorruptCheck=true"},
		{Name: "initial-advertise-peer-urls", Value: peer},
		{Name: "initial-cluster", Value: initialCluster(members)},
		{Name: "initial-cluster-state", Value: "new"}, // until it has begun: see keepEtcdCluster
		{Name: "key-file", Value: pki + "/server.key"},
		{Name: "listen-client-urls", Value: etcdURL(c.Loopback(), 2379) + "," + client},
		{Name: "listen-metrics-urls", Value: "http://" + c.EtcdMetrics().String()},
		{Name: "listen-peer-urls", Value: peer},
		{Name: "name", Value: c.NodeName},
		{Name: "peer-cert-file", Value: pki + "/peer.crt"},
		{Name: "peer-client-cert-auth", Value: "true"},
		{Name: "peer-key-file", Value: pki + "/peer.key"},
		{Name: "peer-trusted-ca-file", Value: pki + "/ca.crt"},
		{Name: "snapshot-count", Value: "10000"},
		{Name: "trusted-ca-file", Value: pki + "/ca.crt"},
		{Name: "watch-progress-notify-interval", Value: "5s"},
	}
	args = append(args, electionTimeout(c, members)...)
	line := command("etcd", sorted(args), c.Etcd.ExtraArgs)
	pod := podOf(c.Images.Etcd, line, config.Component{ExtraEnvs: c.Etcd.ExtraEnvs})
	pod.Probe = probe(c, c.EtcdMetrics())
	return templates.Etcd{Pod: pod, AdvertiseClientURLs: client, DataDir: c.Etcd.DataDir, CertificatesDir: pki}
}

func etcdURL(a netip.Addr, port uint16) string {
	return fmt.Sprintf("https://%s", netip.AddrPortFrom(a, port))
}
