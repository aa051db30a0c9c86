package phases

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
)

// Verify is how an archive is tried.
type Verify struct {
	Identities []byte // age's; empty without
	Deep       bool   // by an etcd that is started on it
	APIServer  bool   // and an API server
}

// VerifySnapshot reads an archive to its end, and tries it. How that ended is kept beside it.
func (e *Env) VerifySnapshot(ctx context.Context, s *Snapshots, name string, o Verify) (snapshot.Entry, error) {
	before, noteErr := s.readNote(ctx, name)
	entry := snapshot.Entry{Name: name}
	err := e.Host.Scratch("bootstrap-verify", func(dir string) (err error) {
		entry.Meta, entry.Size, entry.SHA256, err = e.unpack(ctx, s, name, o.Identities, dir)
		if err == nil && noteErr == nil && entry.SHA256 != before.SHA256 {
			err = fmt.Errorf("%w: it is not the file that the note beside it is of", snapshot.ErrDamaged)
		}
		if err != nil || !o.Deep {
			return err
		}
		return e.tryArchive(ctx, dir, entry.Meta, o.APIServer)
	})
	if errors.Is(err, snapshot.ErrSealed) {
		return entry, plan.Refused(plan.Hint(err, "--identity FILE, with the key by which it can be read"))
	}
	cut := s.bucket != nil && errors.Is(err, io.ErrUnexpectedEOF) // perhaps on its way
	if err != nil && (noteErr != nil || cut || !errors.Is(err, snapshot.ErrDamaged)) {
		return entry, err // it says nothing of the archive, or there is nothing to say it in
	}
	result := &snapshot.Verified{Time: time.Now().UTC().Truncate(time.Second), Deep: o.Deep, APIServer: o.APIServer}
	if err != nil {
		entry, result.Error = before, err.Error()
	}
	entry.Verified = result
	if noted := s.note(ctx, entry); noted != nil {
		e.Tell.Warn("the result is not kept beside the archive: %v", noted)
	}
	return entry, err
}

// unpack reads an archive to its end into a folder of the machine, and checks the database.
func (e *Env) unpack(ctx context.Context, s *Snapshots, name string, identities []byte, dir string) (m snapshot.Meta, size int64, sum string, err error) {
	r, err := s.open(ctx, name)
	if err != nil {
		return m, 0, "", err
	}
	defer r.Close()
	whole := &counted{hash: sha256.New(), r: r}
	plain, err := snapshot.Unseal(whole, identities)
	if err != nil {
		return m, 0, "", err
	}
	free := func(m snapshot.Meta) error { return e.fits(dir, m.Files[0].Size) }
	m, err = snapshot.Read(plain, free, func(f snapshot.File, content io.Reader) error {
		file := dir + "/" + strings.ReplaceAll(f.Name, "/", ".")
		_, err := e.Host.StreamUnrecorded(file, 0o600, func(w io.Writer) error {
			_, err := io.Copy(w, content)
			return err
		})
		return err
	})
	if err == nil {
		err = snapshot.CheckDatabase(e.Host.Path(dir + "/" + snapshot.Database))
	}
	if err == nil {
		_, err = io.Copy(io.Discard, whole)
	}
	if err != nil {
		return m, 0, "", err
	}
	status, err := e.databaseStatus(ctx, dir+"/"+snapshot.Database)
	if err == nil && status.Revision != m.Revision {
		err = fmt.Errorf("%w: the database has revision %d, and its list says %d", snapshot.ErrDamaged, status.Revision, m.Revision)
	}
	return m, whole.size, hex.EncodeToString(whole.hash.Sum(nil)), err
}

// unpacked is a file of the archive that unpack has written.
func (e *Env) unpacked(dir, name string) ([]byte, error) {
	return e.Host.ReadFile(dir + "/" + strings.ReplaceAll(name, "/", "."))
}

// counted is a reader of which size and hash are known in the end.
type counted struct {
	hash hash.Hash
	r    io.Reader
	size int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.size += int64(n)
	_, _ = c.hash.Write(p[:n]) // a hash takes all
	return n, err
}

// fits refuses a database for which there is no room beside that of others.
func (e *Env) fits(dir string, size int64) error {
	disk, err := e.Host.Disk(dir)
	if err == nil && uint64(size) > disk.Available {
		err = fmt.Errorf("the database takes %d bytes, and %s has room for %d", size, path.Dir(dir), disk.Available)
	}
	return err
}

// restored is how etcdutl makes a data directory of a database.
type restored struct {
	database, dir string // seen from this process
	name, peer    string // of the only member
	token         string
	bump          int64 // added to the revision, and all before it is compacted; 0: as it was
	etcdutl       string
}

func (e *Env) restoreDatabase(ctx context.Context, r restored) error {
	args := []string{
		"snapshot", "restore", r.database, "--data-dir=" + r.dir, "--name=" + r.name, "--initial-cluster=" + r.name + "=" + r.peer,
		"--initial-advertise-peer-urls=" + r.peer, "--initial-cluster-token=" + r.token,
	}
	if r.bump > 0 {
		args = append(args, fmt.Sprintf("--bump-revision=%d", r.bump), "--mark-compacted")
	}
	_, err := e.Host.Run(ctx, r.etcdutl, args...)
	return err
}

// newToken is of a cluster that no member of the one before may join.
func newToken() string { return "bootstrap-" + strings.ToLower(rand.Text()[:16]) }

// unitName is of a unit that no other trial has, also of one that has only just ended.
func unitName(of string) string {
	return "bootstrap-" + of + "-" + strings.ToLower(rand.Text()[:8]) + ".scope"
}

// tryEtcd runs an etcd on a data directory for as long as do asks it. It listens at a socket alone.
func (e *Env) tryEtcd(ctx context.Context, program, data, name string, do func(context.Context, *etcd.Client) error) error {
	run := path.Dir(data)
	trial := host.Trial{Unit: unitName("etcd"), Dir: run, Program: program, Args: []string{
		"--data-dir=" + data, "--name=" + name, "--listen-client-urls=unix://" + run + "/client", "--advertise-client-urls=http://localhost:0",
		"--listen-peer-urls=unix://peer:0", "--initial-advertise-peer-urls=unix://peer:0", "--enable-grpc-gateway=false", "--quota-backend-bytes=8589934592",
		"--logger=zap", "--log-outputs=" + run + "/etcd.log",
	}}
	return e.Host.Try(ctx, trial, func(ctx context.Context) error {
		client, err := etcd.DialSocket(run + "/client")
		if err != nil {
			return err
		}
		defer client.Close()
		if err := answersWithin(ctx, time.Minute, func(ctx context.Context) error { _, err := client.Status(ctx); return err }); err != nil {
			return fmt.Errorf("an etcd that was started on it does not answer: %w: %s", err, lastLine(run+"/etcd.log"))
		}
		return do(ctx, client)
	})
}

// answersWithin asks until there is an answer.
func answersWithin(ctx context.Context, patience time.Duration, ask func(context.Context) error) error {
	for end := time.Now().Add(patience); ; {
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ask(soon)
		cancel()
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return errors.Join(err, ctx.Err())
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func lastLine(file string) string {
	data, _ := os.ReadFile(file) // without it there is nothing to tell
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}

// tryArchive restores an unpacked archive, starts etcd on it, and compares its keys with those that a living member
// had at that revision.
func (e *Env) tryArchive(ctx context.Context, dir string, m snapshot.Meta, apiServer bool) error {
	programs := []string{"etcdutl", "etcd"}
	if apiServer {
		programs = append(programs, "kube-apiserver")
	}
	return e.withPrograms(ctx, func(bin string) error {
		here := e.Host.Path(dir)
		r := restored{database: here + "/" + snapshot.Database, dir: here + "/data", name: "trial", peer: "http://localhost:2380", token: newToken(), etcdutl: bin + "/etcdutl"}
		if err := e.restoreDatabase(ctx, r); err != nil {
			return err
		}
		return e.tryEtcd(ctx, bin+"/etcd", r.dir, r.name, func(ctx context.Context, client *etcd.Client) error {
			if err := compareKeys(ctx, client, m); err != nil || !apiServer {
				return err
			}
			return e.tryAPIServer(ctx, bin+"/kube-apiserver", dir, m)
		})
	}, programs...)
}

func compareKeys(ctx context.Context, client *etcd.Client, m snapshot.Meta) error {
	counts, err := client.CountKeys(ctx, m.Revision)
	if err != nil {
		return fmt.Errorf("count its keys at revision %d: %w", m.Revision, err)
	}
	if unlike := etcd.Unlike(m.Keys, counts); len(unlike) > 0 {
		return fmt.Errorf("%w: it has not the keys that the living cluster had at revision %d: %s", snapshot.ErrDamaged, m.Revision, strings.Join(unlike, "; "))
	}
	return nil
}

// tryAPIServer has an API server read the trial's objects, and list the Nodes.
func (e *Env) tryAPIServer(ctx context.Context, program, dir string, m snapshot.Meta) error {
	here := e.Host.Path(dir)
	port, err := freePort()
	if err != nil {
		return err
	}
	key := here + "/" + strings.ReplaceAll(snapshot.PKI+"sa.key", "/", ".")
	if !m.HasPKI() {
		return plan.Hint(errors.New("an API server needs the key of service accounts, and the archive was made without"), "leave out --with-apiserver")
	}
	token := rand.Text()
	if _, err := e.Host.WriteUnrecorded(dir+"/tokens.csv", []byte(token+",bootstrap,bootstrap,system:masters\n"), 0o600); err != nil {
		return err
	}
	args := []string{
		"--etcd-servers=unix://" + here + "/client", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + here + "/serving",
		"--token-auth-file=" + here + "/tokens.csv", "--authorization-mode=RBAC", "--service-account-issuer=https://trial", "--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key, "--service-cluster-ip-range=" + e.Config.Networking.ServiceSubnets[0].String(), "--endpoint-reconciler-type=none",
	}
	if m.Encryption != "" {
		args = append(args, "--encryption-provider-config="+here+"/"+strings.ReplaceAll(snapshot.Encryption, "/", "."))
	}
	trial := host.Trial{Unit: unitName("apiserver"), Dir: here, Program: program, Args: args}
	return e.Host.Try(ctx, trial, func(ctx context.Context) error {
		list := func(ctx context.Context) error {
			serving, err := e.Host.ReadFile(dir + "/serving/apiserver.crt")
			if err != nil {
				return err
			}
			names, err := cluster.ListWith(ctx, fmt.Sprintf("https://127.0.0.1:%d", port), serving, token, "nodes")
			if err == nil && m.Keys["/registry/minions/"] != int64(len(names)) {
				err = fmt.Errorf("it lists %d Nodes of %d", len(names), m.Keys["/registry/minions/"])
			}
			return err
		}
		if err := answersWithin(ctx, 2*time.Minute, list); err != nil {
			return fmt.Errorf("an API server that was started on it: %w", err)
		}
		return nil
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
