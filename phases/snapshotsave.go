package phases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	Try        bool   // by an etcd, before it is encrypted
}

func (o Save) check(s *Snapshots) error {
	if s.bucket != nil && !o.WithoutPKI && o.EncryptTo == "" {
		return plan.Hint(errors.New("the cluster's keys do not go into a bucket as they are"),
			"--encrypt-to AGE-RECIPIENT, by: age-keygen; or, if the keys are kept elsewhere: --without-pki")
	}
	if _, err := snapshot.Seal(io.Discard, o.EncryptTo); err != nil {
		return fmt.Errorf("--encrypt-to: %w", err)
	}
	return nil
}

// SaveSnapshot makes an archive of the cluster as it is now.
func (e *Env) SaveSnapshot(ctx context.Context, s *Snapshots, o Save) (entry snapshot.Entry, err error) {
	if err := o.check(s); err != nil {
		return entry, plan.Refused(err)
	}
	err = e.Host.Scratch(ctx, func(dir *os.Root) error {
		entry.Meta = snapshot.Meta{Time: time.Now().UTC().Truncate(time.Second), Node: e.Config.NodeName, Kubernetes: e.Config.KubernetesVersion, PKI: !o.WithoutPKI}
		if err := e.gatherFiles(dir, &entry.Meta); err != nil {
			return err
		}
		if err := e.gatherDatabase(ctx, dir, &entry.Meta); err != nil {
			return err
		}
		if o.Try {
			if err := e.tryArchive(ctx, dir, entry.Meta, snapshot.ByEtcd); err != nil {
				return err
			}
			entry.Tried, entry.Proof = time.Now().UTC().Truncate(time.Second), snapshot.ByEtcd
		}
		from, err := dir.OpenRoot(content)
		if err != nil {
			return err
		}
		defer from.Close()
		return e.store(ctx, s, from, o.EncryptTo, &entry)
	})
	if err != nil && plan.HintOf(err) == "" {
		err = plan.Hint(err, "the archives of before are as they were; see to it, and run it again: bootstrap etcd snapshot save")
	}
	return entry, err
}

// content is the folder of a scratch folder in which an archive's files lie.
const content = "content"

func contentFile(dir *os.Root, name string) string { return dir.Name() + "/" + content + "/" + name }

// store packs what was gathered, and reads it again from where it is stored before it counts.
func (e *Env) store(ctx context.Context, s *Snapshots, from *os.Root, recipient string, entry *snapshot.Entry) (err error) {
	entry.Name = snapshot.NameOf(entry.Meta, recipient != "")
	written, stored := sha256.New(), sha256.New()
	err = s.put(ctx, entry.Name, func(w io.Writer) error {
		sealed, err := snapshot.Seal(io.MultiWriter(w, written), recipient)
		if err != nil {
			return err
		}
		return errors.Join(snapshot.Write(sealed, entry.Meta, from), sealed.Close())
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // it would only take room
			err = errors.Join(err, s.remove(context.WithoutCancel(ctx), entry.Name))
		}
	}()
	r, err := s.open(ctx, entry.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	if entry.Size, err = io.Copy(stored, r); err != nil {
		return err
	}
	entry.SHA256 = hex.EncodeToString(written.Sum(nil))
	if !bytes.Equal(stored.Sum(nil), written.Sum(nil)) {
		return fmt.Errorf("%s/%s: what was read again is not what was written", s.At, entry.Name)
	}
	return s.note(ctx, *entry)
}

// gatherFiles takes what the database is worth nothing without.
func (e *Env) gatherFiles(dir *os.Root, m *snapshot.Meta) (err error) {
	if m.Cluster, err = e.clusterHash(); err == nil {
		m.Encryption, err = e.encryptionFile()
	}
	if err != nil {
		return err
	}
	files := map[string]string{} // secrets.yaml is of one run of init alone
	for _, name := range []string{"documents.yaml", "patches.json"} {
		if file := state.ClusterRecord + "/" + name; e.Host.Exists(file) {
			files[snapshot.Documents+"/"+name] = file
		}
	}
	for _, name := range pkiFiles(e.Config) {
		files[snapshot.PKI+"/"+name] = e.Config.CertificatesDir + "/" + name
	}
	if m.Encryption != "" {
		files[snapshot.Encryption] = m.Encryption
	}
	for name, file := range files {
		if isKey := !strings.HasPrefix(name, snapshot.Documents); isKey && !m.PKI {
			continue
		}
		data, err := e.Host.ReadFile(file)
		if err != nil {
			return plan.Hint(fmt.Errorf("a snapshot without the cluster's keys would be no backup: %w", err),
				"put it there; or, if the keys are kept elsewhere: --without-pki")
		}
		if err := putContent(dir, name, data); err != nil {
			return err
		}
	}
	return nil
}

func putContent(dir *os.Root, name string, data []byte) error {
	file := content + "/" + name
	return errors.Join(dir.MkdirAll(path.Dir(file), 0o700), dir.WriteFile(file, data, 0o600))
}

// pkiFiles are those that init can't make again for the same cluster.
func pkiFiles(c *config.Config) []string {
	files := []string{spec.ServiceAccountKey + ".key", spec.ServiceAccountKey + ".pub"}
	for _, a := range spec.Authorities(c) {
		files = append(files, a.File+".crt", a.File+".key")
	}
	return files
}

func (e *Env) gatherDatabase(ctx context.Context, dir *os.Root, m *snapshot.Meta) error {
	client, err := e.snapshotSource(ctx, m)
	if err != nil {
		return err
	}
	defer client.Close()
	return e.copyDatabase(ctx, client, dir, m)
}

// snapshotSource is the member that the database is taken from.
func (e *Env) snapshotSource(ctx context.Context, m *snapshot.Meta) (*etcd.Client, error) {
	own, err := e.EtcdClient()
	if err == nil && own == nil {
		err = plan.Hint(errors.New("no etcd of a cluster of bootstrap's is on this machine"), "run it on a control plane")
	}
	if err != nil {
		return nil, err
	}
	status, err := own.Status(ctx)
	var members []*etcd.Member
	if err == nil {
		members, err = own.Members(ctx)
	}
	source := etcd.Source(members, status.Leader, status.Member)
	if err == nil && source == nil {
		err = errors.New("it has no member with a vote that a snapshot could be taken from")
	}
	if err != nil {
		own.Close()
		return nil, plan.Hint(fmt.Errorf("etcd: %w", err), "bootstrap status")
	}
	m.Etcd, m.Member = status.Version, source.Name
	for _, each := range members {
		m.Members = append(m.Members, snapshot.Member{ID: fmt.Sprintf("%x", each.ID), Name: each.Name, Peers: each.PeerURLs, Learner: each.IsLearner})
	}
	if source.ID == status.Member {
		return own, nil
	}
	defer own.Close()
	return own.At(source)
}

// copyDatabase takes the database from a member, and counts its keys on the living member at the very revision that
// it has.
func (e *Env) copyDatabase(ctx context.Context, client *etcd.Client, dir *os.Root, m *snapshot.Meta) error {
	status, err := client.Status(ctx)
	if err == nil {
		err = e.checkRoom("/var/lib", 3*status.SizeBytes) // it, what it is restored to, and the archive
	}
	if err == nil {
		err = dir.MkdirAll(content, 0o700)
	}
	if err != nil {
		return err
	}
	file, err := dir.Create(content + "/" + snapshot.Database)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := client.Snapshot(ctx, file); err != nil {
		return fmt.Errorf("read the database of etcd's member %s: %w", m.Member, err)
	}
	if m.Revision, err = e.revisionOf(ctx, dir); err != nil {
		return err
	}
	if m.Keys, err = client.CountKeys(ctx, m.Revision); err != nil {
		err = fmt.Errorf("count the keys at revision %d: %w", m.Revision, err)
	}
	return err
}

// checkRoom refuses what would leave no room on a folder's disk for others.
func (e *Env) checkRoom(folder string, size int64) error {
	disk, err := e.Host.Disk(folder)
	if err == nil && uint64(size) > disk.Available {
		err = fmt.Errorf("it takes %d KiB, and %s has room for %d KiB", size>>10, folder, disk.Available>>10)
	}
	return err
}

// revisionOf asks etcdutl for the revision of a scratch folder's database, which it reads to its end for that.
func (e *Env) revisionOf(ctx context.Context, dir *os.Root) (int64, error) {
	etcdutl, err := e.program(ctx, dir, "etcdutl")
	if err != nil {
		return 0, err
	}
	var status struct{ Revision int64 }
	out, err := e.Host.Run(ctx, etcdutl, "snapshot", "status", contentFile(dir, snapshot.Database), "--write-out=json")
	if err == nil {
		err = json.Unmarshal(out, &status)
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: the database can't be read: %w", snapshot.ErrDamaged, err)
	}
	return status.Revision, err
}

// clusterHash tells clusters apart: a restore changes etcd's own ID, and never the CA.
func (e *Env) clusterHash() (string, error) {
	data, err := e.Host.ReadFile(e.PKIFile("ca", ".crt"))
	if err != nil {
		return "", err
	}
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
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
