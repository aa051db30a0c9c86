package phases

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/etcd"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// Save is how an archive is made.
type Save struct {
	WithoutPKI bool   // nor the keys of Secrets' encryption
	EncryptTo  string // a recipient of age's; empty: not encrypted
	Try        bool   // as Verify.Deep, before it is encrypted
}

func (o Save) check(s *Snapshots) error {
	if s.bucket != nil && !o.WithoutPKI && o.EncryptTo == "" {
		return plan.Hint(errors.New("the cluster's keys do not go into a bucket as they are"),
			"--encrypt-to AGE-RECIPIENT, by: age-keygen; or, if the keys are kept elsewhere: --without-pki")
	}
	if _, err := snapshot.Seal(io.Discard, o.EncryptTo); o.EncryptTo != "" && err != nil {
		return fmt.Errorf("--encrypt-to: %w", err)
	}
	return nil
}

// SaveSnapshot makes an archive of the cluster as it is now.
func (e *Env) SaveSnapshot(ctx context.Context, s *Snapshots, o Save) (snapshot.Entry, error) {
	if err := o.check(s); err != nil {
		return snapshot.Entry{}, plan.Refused(err)
	}
	m := snapshot.Meta{Time: time.Now().UTC().Truncate(time.Second), Node: e.Config.NodeName, Kubernetes: e.Config.KubernetesVersion}
	sources, err := e.snapshotFiles(&m, o.WithoutPKI)
	if err != nil {
		return snapshot.Entry{}, err
	}
	var entry snapshot.Entry
	err = e.Host.Scratch("bootstrap-snapshot", func(dir string) error {
		database := dir + "/" + snapshot.Database
		if err := e.saveDatabase(ctx, &m, database); err != nil {
			return err
		}
		if o.Try {
			if err := e.tryArchive(ctx, dir, m, false); err != nil {
				return err
			}
			entry.Verified = &snapshot.Verified{Time: time.Now().UTC().Truncate(time.Second), Deep: true}
		}
		sources = append([]snapshot.Source{{Name: snapshot.Database, Path: e.Host.Path(database)}}, sources...)
		entry.Name = snapshot.NameOf(m, o.EncryptTo != "")
		written, err := s.put(ctx, entry.Name, func(w io.Writer) error { return writeArchive(w, &m, sources, o.EncryptTo) })
		entry.Meta, entry.Size, entry.SHA256 = m, written.Size, written.SHA256
		return err
	})
	if err == nil {
		err = s.note(ctx, entry)
	}
	if err != nil && plan.HintOf(err) == "" {
		err = plan.Hint(err, "the archives of before are as they were; see to it, and run it again: bootstrap etcd snapshot save")
	}
	return entry, err
}

func writeArchive(w io.Writer, m *snapshot.Meta, sources []snapshot.Source, recipient string) error {
	if recipient == "" {
		return snapshot.Write(w, m, sources)
	}
	sealed, err := snapshot.Seal(w, recipient)
	if err != nil {
		return err
	}
	return errors.Join(snapshot.Write(sealed, m, sources), sealed.Close())
}

func (e *Env) saveDatabase(ctx context.Context, m *snapshot.Meta, file string) error {
	client, err := e.snapshotSource(ctx, m)
	if err != nil {
		return err
	}
	defer client.Close()
	return e.copyDatabase(ctx, client, m, file)
}

// copyDatabase takes the database from a member, proves that it is whole, and counts its keys on the living member at
// the very revision that it has.
func (e *Env) copyDatabase(ctx context.Context, client *etcd.Client, m *snapshot.Meta, file string) error {
	_, err := e.Host.StreamUnrecorded(file, 0o600, func(w io.Writer) error { return client.Snapshot(ctx, w) })
	if err != nil {
		return fmt.Errorf("read the database of etcd's member %s: %w", m.Member, err)
	}
	if err := snapshot.CheckDatabase(e.Host.Path(file)); err != nil {
		return err
	}
	status, err := e.databaseStatus(ctx, file)
	if err != nil {
		return err
	}
	m.Revision = status.Revision
	if m.Keys, err = client.CountKeys(ctx, m.Revision); err != nil {
		return fmt.Errorf("count the keys at revision %d: %w", m.Revision, err)
	}
	return nil
}

// snapshotSource is the member that the database is taken from.
func (e *Env) snapshotSource(ctx context.Context, m *snapshot.Meta) (*etcd.Client, error) {
	client, err := e.EtcdClient()
	if err == nil && client == nil {
		err = plan.Hint(errors.New("no etcd of a cluster of bootstrap's is on this machine"), "run it on a control plane")
	}
	if err != nil {
		return nil, err
	}
	status, err := client.Status(ctx)
	if err != nil {
		client.Close()
		return nil, plan.Hint(fmt.Errorf("etcd does not answer: %w", err), "bootstrap status")
	}
	members, err := client.Members(ctx)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("etcd's members: %w", err)
	}
	m.Etcd, m.Members = status.Version, membersOf(members)
	source := etcd.Source(members, status.Leader, status.Member)
	if source == nil {
		client.Close()
		return nil, etcd.ErrNoSource
	}
	m.Member = source.Name
	if source.ID == status.Member {
		return client, nil
	}
	client.Close()
	files, err := e.EtcdTLS(e.Config.CertificatesDir)
	if err != nil {
		return nil, err
	}
	return etcd.Dial(source.ClientURLs[0], files, source.Name)
}

func membersOf(all []*etcd.Member) []snapshot.Member {
	var members []snapshot.Member
	for _, m := range all {
		members = append(members, snapshot.Member{ID: fmt.Sprintf("%x", m.ID), Name: m.Name, Peers: m.PeerURLs, Learner: m.IsLearner})
	}
	return members
}

// snapshotFiles are what the database is worth nothing without.
func (e *Env) snapshotFiles(m *snapshot.Meta, withoutPKI bool) ([]snapshot.Source, error) {
	var err error
	if m.Cluster, err = e.clusterHash(); err != nil {
		return nil, err
	}
	var sources []snapshot.Source
	for _, name := range []string{"documents.yaml", "patches.json"} { // secrets.yaml is of one run of init alone
		data, err := e.Host.ReadFile(state.ClusterRecord + "/" + name)
		if err == nil {
			sources = append(sources, snapshot.Source{Name: snapshot.Documents + name, Data: data})
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	m.Encryption, err = e.encryptionFile()
	if err != nil || withoutPKI {
		return sources, err
	}
	for _, name := range pkiFiles(e.Config) {
		data, err := e.Host.ReadFile(e.Config.CertificatesDir + "/" + name)
		if err != nil {
			return nil, plan.Hint(fmt.Errorf("a snapshot without the cluster's keys would be no backup: %w", err),
				"put it there; or, if it is kept elsewhere: --without-pki")
		}
		sources = append(sources, snapshot.Source{Name: snapshot.PKI + name, Data: data})
	}
	if m.Encryption == "" {
		return sources, nil
	}
	data, err := e.Host.ReadFile(m.Encryption)
	if err != nil {
		return nil, plan.Hint(fmt.Errorf("a snapshot without the keys that Secrets are encrypted with would be no backup: %w", err),
			"put the file there; or, if the keys are kept elsewhere: --without-pki")
	}
	return append(sources, snapshot.Source{Name: snapshot.Encryption, Data: data}), nil
}

// pkiFiles are those that init can't make again for the same cluster.
func pkiFiles(c *config.Config) []string {
	files := []string{spec.ServiceAccountKey + ".key", spec.ServiceAccountKey + ".pub"}
	for _, a := range spec.Authorities(c) {
		files = append(files, a.File+".crt", a.File+".key")
	}
	return files
}

// clusterHash tells clusters apart: a restore changes etcd's own ID, and never the CA.
func (e *Env) clusterHash() (string, error) {
	data, err := e.Host.ReadFile(e.PKIFile("ca", ".crt"))
	if err != nil {
		return "", err
	}
	return hashOfCA(data)
}

func hashOfCA(data []byte) (string, error) {
	cert, err := pki.ParseCert(data)
	if err != nil {
		return "", fmt.Errorf("ca.crt: %w", err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:]), nil
}

// encryptionFile is where this machine has the file with the keys of Secrets' encryption that the API server is
// given; empty where it encrypts nothing.
func (e *Env) encryptionFile() (string, error) {
	manifest, err := e.Host.ReadFile(spec.ManifestFile("kube-apiserver"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, value, found := strings.Cut(string(manifest), "--encryption-provider-config=")
	if !found {
		return "", nil
	}
	file := path.Clean(strings.FieldsFunc(value, func(r rune) bool { return r == '"' || r == '\'' || r == '\n' })[0])
	volumes := e.Config.APIServer.ExtraVolumes
	i := slices.IndexFunc(volumes, func(v config.Volume) bool { return file == v.MountPath || strings.HasPrefix(file, v.MountPath+"/") })
	if i >= 0 {
		file = volumes[i].HostPath + strings.TrimPrefix(file, volumes[i].MountPath)
	}
	return file, nil
}

// databaseStatus is what etcdutl says of a database.
type databaseStatus struct {
	Revision int64 `json:"revision"`
	TotalKey int64 `json:"totalKey"`
}

func (e *Env) databaseStatus(ctx context.Context, file string) (s databaseStatus, err error) {
	err = e.withPrograms(ctx, func(dir string) error {
		out, err := e.Host.Run(ctx, dir+"/etcdutl", "snapshot", "status", e.Host.Path(file), "--write-out=json")
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		return err
	}, "etcdutl")
	if err != nil {
		err = fmt.Errorf("the database can't be read: %w", err)
	}
	return s, err
}
