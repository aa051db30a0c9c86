package phases

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/etcd"
	"bootstrap/phases/health"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
)

// VerifySnapshot reads an archive to its end, and tries it, by the proof that is wanted. How that ended is kept beside it.
func (e *Env) VerifySnapshot(ctx context.Context, s *Snapshots, name string, want snapshot.Proof) (entry snapshot.Entry, err error) {
	before, noteErr := s.readNote(ctx, name)
	err = e.Host.Scratch(ctx, func(dir *os.Root) error {
		if entry, err = e.unpack(ctx, s, name, dir); err != nil {
			return err
		}
		if noteErr == nil && entry.SHA256 != before.SHA256 {
			return fmt.Errorf("%w: it is not the file that the note beside it is of", snapshot.ErrDamaged)
		}
		if err := e.checkRevision(ctx, dir, entry.Meta); err != nil || want == snapshot.Whole {
			return err
		}
		return e.tryArchive(ctx, dir, entry.Meta, want)
	})
	cut := s.bucket != nil && errors.Is(err, io.ErrUnexpectedEOF) // perhaps on its way
	if err != nil && (noteErr != nil || cut || !errors.Is(err, snapshot.ErrDamaged)) {
		return entry, err // it says nothing of the archive, or there is nothing to say it in
	}
	entry.Tried, entry.Proof = time.Now().UTC().Truncate(time.Second), want
	if before.Proven() && want == snapshot.Whole {
		entry.Proof = before.Proof
	}
	if err != nil {
		before.Tried, before.Problem = entry.Tried, err.Error()
		entry = before
	}
	if noted := s.note(ctx, entry); noted != nil {
		e.Tell.Warn("the result is not kept beside the archive: %v", noted)
	}
	return entry, err
}

// unpack reads an archive to its end, into a scratch folder.
func (e *Env) unpack(ctx context.Context, s *Snapshots, name string, dir *os.Root) (entry snapshot.Entry, err error) {
	r, err := s.open(ctx, name)
	if err != nil {
		return entry, err
	}
	defer r.Close()
	sum := sha256.New()
	whole := io.TeeReader(r, sum)
	plain, err := snapshot.Unseal(whole, s.Identities)
	if errors.Is(err, snapshot.ErrSealed) {
		err = plan.Refused(plan.Hint(err, "--identity FILE, with the key by which it can be read"))
	}
	if err == nil {
		err = dir.Mkdir(content, 0o700)
	}
	if err != nil {
		return entry, err
	}
	into, err := dir.OpenRoot(content)
	if err != nil {
		return entry, err
	}
	defer into.Close()
	room := func(size int64) error { return e.checkRoom("/var/lib", 2*size) }
	entry.Name = name
	if entry.Meta, err = snapshot.Read(plain, into, room); err == nil {
		_, err = io.Copy(io.Discard, whole)
	}
	entry.SHA256 = hex.EncodeToString(sum.Sum(nil))
	sizes, sizeErr := s.sizes(ctx)
	entry.Size = sizes[name]
	return entry, errors.Join(err, sizeErr)
}

func (e *Env) checkRevision(ctx context.Context, dir *os.Root, m snapshot.Meta) error {
	revision, err := e.revisionOf(ctx, dir)
	if err == nil && revision != m.Revision {
		err = fmt.Errorf("%w: the database has revision %d, and the archive says %d", snapshot.ErrDamaged, revision, m.Revision)
	}
	return err
}

// restoreDatabase makes a data directory of a scratch folder's database, of this node as the only member, with a token
// by which no member of before may join. bump is added to the revision, and all before it is compacted; 0: as it was.
func (e *Env) restoreDatabase(ctx context.Context, dir *os.Root, to string, bump int64) error {
	etcdutl, err := e.program(ctx, dir, "etcdutl")
	if err != nil {
		return err
	}
	member := spec.OnlyMember(e.Config)[0]
	args := []string{
		"snapshot", "restore", contentFile(dir, snapshot.Database), "--data-dir=" + to, "--name=" + member.Name,
		"--initial-cluster=" + member.Name + "=" + member.PeerURL, "--initial-advertise-peer-urls=" + member.PeerURL, "--initial-cluster-token=bootstrap-" + rand.Text(),
	}
	if bump > 0 {
		args = append(args, fmt.Sprintf("--bump-revision=%d", bump), "--mark-compacted")
	}
	_, err = e.Host.Run(ctx, etcdutl, args...)
	return err
}

// tryEtcd runs an etcd on a data directory for as long as do asks it. It listens at a socket in the scratch folder
// alone.
func (e *Env) tryEtcd(ctx context.Context, dir *os.Root, data string, do func(context.Context, *etcd.Client) error) error {
	program, err := e.program(ctx, dir, "etcd")
	if err != nil {
		return err
	}
	line := []string{
		program, "--data-dir=" + data, "--name=" + e.Config.NodeName, "--listen-client-urls=unix://" + dir.Name() + "/client", "--advertise-client-urls=http://localhost:0",
		"--listen-peer-urls=unix://peer:0", "--initial-advertise-peer-urls=unix://peer:0", "--enable-grpc-gateway=false", "--quota-backend-bytes=8589934592",
	}
	return e.Host.Try(ctx, dir.Name(), line, func(ctx context.Context) error {
		client, err := etcd.DialSocket(dir.Name() + "/client")
		if err != nil {
			return err
		}
		defer client.Close()
		err = answers(ctx, "etcd", func(ctx context.Context) error {
			_, err := client.Status(ctx)
			return err
		})
		if err != nil {
			return err
		}
		return do(ctx, client)
	})
}

// answers waits until there is an answer.
func answers(ctx context.Context, name string, ask func(context.Context) error) error {
	soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return health.Wait(soon, health.Pause, []health.Check{{Name: "a trial's " + name, Probe: ask}}, func([]health.Pending) {})
}

// tryArchive restores a scratch folder's database, starts etcd on it, and compares its keys with those that a living
// member had at that revision.
func (e *Env) tryArchive(ctx context.Context, dir *os.Root, m snapshot.Meta, want snapshot.Proof) error {
	data := dir.Name() + "/data"
	if err := e.restoreDatabase(ctx, dir, data, 0); err != nil {
		return err
	}
	return e.tryEtcd(ctx, dir, data, func(ctx context.Context, client *etcd.Client) error {
		if err := compareKeys(ctx, client, m.Revision, m.Keys); err != nil || want != snapshot.ByAPIServer {
			return err
		}
		return e.tryAPIServer(ctx, dir, m)
	})
}

func compareKeys(ctx context.Context, client *etcd.Client, revision int64, want map[string]int64) error {
	counts, err := client.CountKeys(ctx, revision)
	if err != nil {
		return fmt.Errorf("count its keys at revision %d: %w", revision, err)
	}
	if unlike := etcd.Unlike(want, counts); len(unlike) > 0 {
		return fmt.Errorf("%w: it has not the keys that the living cluster had: %s", snapshot.ErrDamaged, strings.Join(unlike, "; "))
	}
	return nil
}

// tryAPIServer has an API server read the trial's objects, and list the Nodes.
func (e *Env) tryAPIServer(ctx context.Context, dir *os.Root, m snapshot.Meta) error {
	if !m.PKI {
		return plan.Hint(errors.New("an API server needs the key of service accounts, and the archive was made without"), "leave out --with-apiserver")
	}
	program, err := e.program(ctx, dir, "kube-apiserver")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	l.Close() // so that it is free
	_, port, _ := net.SplitHostPort(address)
	here, token, key := dir.Name(), rand.Text(), contentFile(dir, snapshot.PKI+"/sa.key")
	if err := dir.WriteFile("tokens.csv", []byte(token+",bootstrap,bootstrap,system:masters\n"), 0o600); err != nil {
		return err
	}
	line := []string{
		program, "--etcd-servers=unix://" + here + "/client", "--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + here + "/serving",
		"--token-auth-file=" + here + "/tokens.csv", "--authorization-mode=RBAC", "--service-account-issuer=https://trial", "--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key, "--service-cluster-ip-range=" + e.Config.Networking.ServiceSubnets[0].String(), "--endpoint-reconciler-type=none",
	}
	if m.Encryption != "" {
		line = append(line, "--encryption-provider-config="+contentFile(dir, snapshot.Encryption))
	}
	return e.Host.Try(ctx, dir.Name(), line, func(ctx context.Context) error {
		return answers(ctx, "kube-apiserver", func(ctx context.Context) error {
			names, err := nodesAt(ctx, "https://"+address, here+"/serving/apiserver.crt", token)
			if err == nil && m.Keys["/registry/minions/"] != int64(len(names)) {
				err = fmt.Errorf("it lists %d Nodes of %d", len(names), m.Keys["/registry/minions/"])
			}
			return err
		})
	})
}

// nodesAt lists the Nodes of an API server as the bearer of a token.
func nodesAt(ctx context.Context, server, ca, token string) ([]string, error) {
	trusted, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	const kubeconfig = `{"clusters": [{"name": "a", "cluster": {"server": %q, "certificate-authority-data": %q}}], "users": [{"name": "a", "user": {"token": %q}}],
		"contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}], "current-context": "a"}`
	c, err := cluster.Connect(fmt.Appendf(nil, kubeconfig, server, base64.StdEncoding.EncodeToString(trusted), token), "")
	if err != nil {
		return nil, err
	}
	return c.NodeNames(ctx)
}
