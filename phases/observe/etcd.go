package observe

import (
	"cmp"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"

	"bootstrap/phases/config"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// EtcdFolder is where the data lies when all links are followed; empty where it is elsewhere.
func (o *Observer) EtcdFolder() string {
	if !o.RunsEtcd() {
		return ""
	}
	return o.Host.Resolve(o.Config.Etcd.DataDir)
}

// EtcdHasBegun tells whether etcd's log is there. From then on etcd takes the members of
// its cluster from its data, and reads no flag about how it begins. A log that can't be
// looked at, as by a user who only asks for a plan, is not gone.
func (o *Observer) EtcdHasBegun() bool {
	dir := cmp.Or(config.Argument(o.Config.Etcd.ExtraArgs, "wal-dir"), o.Config.Etcd.DataDir+"/member/wal")
	files, err := os.ReadDir(o.Host.Path(dir))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.ContainsFunc(files, func(f fs.DirEntry) bool { return path.Ext(f.Name()) == ".wal" })
}

// lostEtcdData is etcd's folder if a member was there and is gone, and where the file system was
// mounted that it lay on. Only the user can tell whether that is not mounted, or the data is lost.
func (o *Observer) lostEtcdData() (dir, mount string) {
	if _, begun := o.Host.Recall(o.State().MemberNote()); !begun || o.EtcdHasBegun() {
		return "", ""
	}
	all := o.Host.Entries()
	if i := slices.IndexFunc(all, state.IsEtcdData); i >= 0 {
		mount = mountOfRecord(all[i])
	}
	return o.Config.Etcd.DataDir, mount
}

// mountOfRecord is where the file system was mounted that a tree lies on; empty for the root's.
func mountOfRecord(r host.Record) string {
	if r.Before.Mount {
		return r.Target
	}
	return r.On
}

// EtcdClient asks this node's etcd; nil if it runs none.
func (o *Observer) EtcdClient() (*etcd.Client, error) {
	before, err := o.State().SettledBefore()
	dir := before["certificatesDir"]
	if err != nil || dir == "" || !o.Host.Real() || !o.Host.Exists(spec.ManifestFile("etcd")) {
		return nil, nil
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if a, err := netip.ParseAddr(before["localAPIEndpoint.advertiseAddress"]); err == nil && a.Is6() {
		loopback = netip.IPv6Loopback()
	}
	var files etcd.TLS
	for name, content := range map[string]*[]byte{"ca.crt": &files.CA, "healthcheck-client.crt": &files.Cert, "healthcheck-client.key": &files.Key} {
		if *content, err = o.Host.ReadFile(dir + "/etcd/" + name); err != nil {
			return nil, err
		}
	}
	return etcd.Dial(spec.EtcdURL(loopback, 2379), files, before["nodeRegistration.name"])
}
