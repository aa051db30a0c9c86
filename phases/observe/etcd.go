package observe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path"
	"slices"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// EtcdFolder is where the data lies when all links are followed; empty where it is elsewhere.
func (o *Observer) EtcdFolder() string {
	if !o.RunsEtcd() {
		return ""
	}
	return o.Folder(o.Config.Etcd.DataDir)
}

// Folder is where a folder lies when all links are followed, its own name's too.
func (o *Observer) Folder(dir string) string { return path.Dir(o.Host.Resolve(dir + "/x")) }

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
		mount = MountOfRecord(all[i])
	}
	return o.Config.Etcd.DataDir, mount
}

// MountOfRecord is where the file system was mounted that a tree lies on; empty for the root's.
func MountOfRecord(r host.Record) string {
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
	address, _ := netip.ParseAddr(before["localAPIEndpoint.advertiseAddress"]) // without one, etcd is asked over IPv4
	node := config.Node{AdvertiseAddress: address}
	var files etcd.TLS
	for name, content := range map[string]*[]byte{"ca.crt": &files.CA, "healthcheck-client.crt": &files.Cert, "healthcheck-client.key": &files.Key} {
		if *content, err = o.Host.ReadFile(dir + "/etcd/" + name); err != nil {
			return nil, err
		}
	}
	return etcd.Dial(spec.EtcdURL(node.Loopback(), 2379), files, before["nodeRegistration.name"])
}

// askExternalEtcd asks every member for its version, as the API server would reach it.
func (o *Observer) askExternalEtcd(ctx context.Context) (fill, error) {
	etcd := o.Config.Etcd.External
	if etcd == nil || o.Config.Box.Standalone {
		return nil, nil
	}
	urls := etcd.HTTPEndpoints
	if len(urls) == 0 {
		urls = etcd.Endpoints
	}
	client, clientErr := o.externalClient()
	members := make([]diagnose.ExternalEtcd, len(urls))
	err := plan.Each(len(urls), len(urls), func(i int) error {
		if clientErr != nil { // the API server could not ask either
			members[i] = diagnose.ExternalEtcd{URL: urls[i], Error: clientErr.Error()}
		} else {
			members[i] = askEtcd(ctx, client, urls[i])
		}
		return nil
	})
	return func(m *diagnose.Machine) { m.External = members }, err
}

// externalClient asks the external etcd with the certificates that the API server will use.
func (o *Observer) externalClient() (*http.Client, error) {
	external := o.Config.Etcd.External
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if external.CAFile != "" {
		data, err := o.Host.ReadFile(external.CAFile)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		secure.RootCAs.AppendCertsFromPEM(data)
	}
	if external.CertFile != "" {
		if err := readableInPods(o.Host, external.KeyFile); err != nil {
			return nil, fmt.Errorf("%w: %s", err, plan.HintOf(err))
		}
		pair, err := tls.LoadX509KeyPair(o.Host.Path(external.CertFile), o.Host.Path(external.KeyFile))
		if err != nil {
			return nil, err
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}, nil
}

func askEtcd(ctx context.Context, client *http.Client, url string) diagnose.ExternalEtcd {
	member := diagnose.ExternalEtcd{URL: url}
	ctx, cancel := EvidenceTimeout.Bound(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", nil)
	if err != nil {
		member.Error = err.Error()
		return member
	}
	answer, err := client.Do(request)
	if err != nil {
		member.Error, member.Slow = err.Error(), ctx.Err() != nil || machine.IsUnreachable(err)
		return member
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		member.Error, member.Slow = "it answers /version with "+answer.Status, answer.StatusCode >= 500
		return member
	}
	var version struct {
		Server string `json:"etcdserver"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, answer.Body, 1<<10)).Decode(&version); err != nil {
		member.Error = "its answer to /version can't be read: " + err.Error()
	}
	member.Version = version.Server
	return member
}
