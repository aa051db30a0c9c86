package phases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"bootstrap/phases/config"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/state"
)

// realEtcd gives a machine with the real etcd and etcdutl, which are built by scripts/components/build.
func realEtcd(t *testing.T, programs ...string) *Env {
	t.Helper()
	env := testEnv(t, "default")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(env.Host.Path("/var/lib"), 0o755), os.MkdirAll(env.Host.Path("/srv"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"etcd", "etcdutl"}, programs...) {
		found, _ := filepath.Glob("../.cache/components/*/" + name)
		shared, _ := filepath.Glob(cache + "/bootstrap/components/*/" + name)
		if found = append(found, shared...); len(found) == 0 {
			t.Skipf("%s is not built: make components", name)
		}
		file, err := filepath.Abs(found[0])
		if err == nil {
			err = errors.Join(os.MkdirAll(env.Host.Path("/usr/local/bin"), 0o755), os.Symlink(file, env.Host.Path("/usr/local/bin/"+name)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return env
}

// scratch is a folder as Host.Scratch gives it.
func scratch(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// withLive runs an etcd that stands for the living one, on the data in a folder.
func withLive(t *testing.T, env *Env, data string, do func(*etcd.Client, *clientv3.Client)) {
	t.Helper()
	dir := scratch(t)
	err := env.tryEtcd(t.Context(), dir, data, func(_ context.Context, c *etcd.Client) error {
		raw, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + dir.Name() + "/client"}, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		defer raw.Close()
		do(c, raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, c *clientv3.Client, values map[string]string) {
	t.Helper()
	for key, value := range values {
		if _, err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t *testing.T, c *clientv3.Client) (map[string]string, int64) {
	t.Helper()
	answer, err := c.Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, kv := range answer.Kvs {
		values[string(kv.Key)] = string(kv.Value)
	}
	return values, answer.Header.Revision
}

// objects are what the archive of these tests holds, and what of it a restore cleans away.
func objects() (kept, stale map[string]string) {
	kept = map[string]string{"/registry/namespaces/default": "ns", "compact_rev_key": "1"}
	for i := range 100 {
		kept[fmt.Sprintf("/registry/pods/default/pod-%d", i)] = fmt.Sprint("pod ", i)
	}
	kept["/registry/leases/kube-node-lease/node-1"] = "node"
	return kept, map[string]string{
		"/registry/masterleases/10.0.0.9": "x", "/registry/leases/kube-system/kube-scheduler": "x", "/registry/leases/kube-system/apiserver-1": "x",
	}
}

// saved makes an archive of a living etcd, in the default folder, with more files.
func saved(t *testing.T, env *Env, c *etcd.Client, more map[string]string) (*Snapshots, snapshot.Entry) {
	t.Helper()
	s, err := env.OpenSnapshots("/var/lib/bootstrap-snapshots")
	if err != nil {
		t.Fatal(err)
	}
	m := snapshot.Meta{Time: time.Now(), Node: "node-1", Member: "node-1", Etcd: "3.6.8", Kubernetes: env.Config.KubernetesVersion, Cluster: "abc", PKI: true}
	m.Members = []snapshot.Member{{ID: "1", Name: "node-1"}}
	entry := snapshot.Entry{}
	err = env.Host.Scratch(t.Context(), func(dir *os.Root) error {
		if err := env.copyDatabase(t.Context(), c, dir, &m); err != nil {
			return err
		}
		entry.Meta = m
		for name, data := range more {
			if err := putContent(dir, name, []byte(data)); err != nil {
				return err
			}
		}
		from, err := dir.OpenRoot(content)
		if err != nil {
			return err
		}
		defer from.Close()
		return env.store(t.Context(), s, from, "", &entry)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, entry
}

var withKey = map[string]string{snapshot.PKI + "/ca.key": "key"}

// TestVerifySnapshot: an archive of a real etcd is proven by another one, and the result stands in the list; one
// whose keys are not those that the living member had is not.
func TestVerifySnapshot(t *testing.T) {
	env := realEtcd(t)
	kept, stale := objects()
	var s *Snapshots
	var entry snapshot.Entry
	withLive(t, env, t.TempDir()+"/data", func(c *etcd.Client, raw *clientv3.Client) {
		put(t, raw, kept)
		put(t, raw, stale)
		s, entry = saved(t, env, c, withKey)
		put(t, raw, map[string]string{"/registry/pods/default/later": "not in the archive"})
	})
	if entry.Meta.Keys["/registry/pods/"] != 100 || entry.Meta.Revision < 100 {
		t.Errorf("counted: %v at %d", entry.Meta.Keys, entry.Meta.Revision)
	}
	got, err := env.VerifySnapshot(t.Context(), s, entry.Name, snapshot.ByEtcd)
	if err != nil || !got.Proven() || got.SHA256 != entry.SHA256 || got.Size != entry.Size {
		t.Errorf("it is good: %+v: %v", got, err)
	}
	listed, err := s.List(t.Context())
	if err != nil || len(listed) != 1 || !listed[0].Proven() {
		t.Errorf("listed: %+v, %v", listed, err)
	}
	forged := *s
	forged.At = "/srv/forged"
	m := entry.Meta
	m.Keys = maps.Clone(m.Keys)
	m.Keys["/registry/pods/"]++
	repack(t, env, s, &forged, entry.Name, m)
	if _, err := env.VerifySnapshot(t.Context(), &forged, entry.Name, snapshot.ByEtcd); err == nil || !strings.Contains(err.Error(), "/registry/pods/: 100, not 101") {
		t.Errorf("a key is missing: %v", err)
	}
	file := env.Host.Path(s.At + "/" + entry.Name)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := env.VerifySnapshot(t.Context(), s, entry.Name, snapshot.Whole); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("a bit was flipped: %v", err)
	}
	if listed, err = s.List(t.Context()); err != nil || listed[0].Proven() || listed[0].Problem == "" || listed[0].Meta.Revision != entry.Meta.Revision {
		t.Errorf("listed: %+v, %v", listed, err)
	}
	left, _ := filepath.Glob(env.Host.Path("/var/lib/bootstrap-*-*"))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestVerifyByAPIServer: a real API server lists what Nodes the archive has.
func TestVerifyByAPIServer(t *testing.T) {
	env := realEtcd(t, "kube-apiserver")
	key, err := pki.NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	sa, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	const node = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1","uid":"1f"}}`
	withLive(t, env, t.TempDir()+"/data", func(c *etcd.Client, raw *clientv3.Client) {
		put(t, raw, map[string]string{"/registry/minions/node-1": node})
		s, entry := saved(t, env, c, map[string]string{snapshot.PKI + "/ca.key": "key", snapshot.PKI + "/sa.key": string(sa)})
		got, err := env.VerifySnapshot(t.Context(), s, entry.Name, snapshot.ByAPIServer)
		if err != nil || got.Proof != snapshot.ByAPIServer {
			t.Errorf("got %+v: %v", got, err)
		}
	})
}

// repack writes an archive anew with another list.
func repack(t *testing.T, env *Env, from, to *Snapshots, name string, m snapshot.Meta) {
	t.Helper()
	err := env.Host.Scratch(t.Context(), func(dir *os.Root) error {
		_, err := env.unpack(t.Context(), from, name, dir)
		if err != nil {
			return err
		}
		from, err := dir.OpenRoot(content)
		if err != nil {
			return err
		}
		defer from.Close()
		return to.put(t.Context(), name, func(w io.Writer) error { return snapshot.Write(w, m, from) })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// restoring prepares a machine with data of a cluster, and an archive of it that is older.
func restoring(t *testing.T) (*Env, map[string]string, snapshot.Entry, *Snapshots) {
	t.Helper()
	env := realEtcd(t)
	env.Config.NodeName = "node-1"
	kept, stale := objects()
	var s *Snapshots
	var entry snapshot.Entry
	if err := env.ownEtcdFolder(); err != nil {
		t.Fatal(err)
	}
	data := env.Host.Path(env.Config.Etcd.DataDir)
	withLive(t, env, data, func(c *etcd.Client, raw *clientv3.Client) {
		put(t, raw, kept)
		put(t, raw, stale)
		s, entry = saved(t, env, c, withKey)
		put(t, raw, map[string]string{"/registry/pods/default/later": "lost"})
	})
	return env, kept, entry, s
}

// begin unpacks the archive, as OpenRestore does, and gives the Env of the run.
func begin(t *testing.T, env *Env, s *Snapshots, name string) *Env {
	t.Helper()
	r := &Restoring{From: s.At + "/" + name, Began: "20261201T000000Z", dir: scratch(t)}
	entry, err := env.unpack(t.Context(), s, name, r.dir)
	if err != nil {
		t.Fatal(err)
	}
	r.meta, r.Archive = entry.Meta, entry.SHA256
	before, err := restoreBefore(env.Host)
	if err == nil {
		r, err = r.goOn(before)
	}
	if err != nil {
		t.Fatal(err)
	}
	opened := *env
	opened.Restoring = r
	return &opened
}

var restorePhases = []Phase{restoreStage, restoreStop, restoreSwitch}

// TestRestore: the machine has exactly the archive's objects, without those that said who was there, above all
// revisions that were ever served; the data of before are kept.
func TestRestore(t *testing.T) {
	env, kept, entry, s := restoring(t)
	run := begin(t, env, s, entry.Name)
	run.Restoring.Highest = 5_000_000_000 // as after a restore before
	for _, phase := range restorePhases {
		runPhase(t, run, phase.Run)
	}
	data := env.Host.Path(env.Config.Etcd.DataDir)
	withLive(t, env, data, func(_ *etcd.Client, raw *clientv3.Client) {
		got, revision := all(t, raw)
		if diff := cmp.Diff(kept, got); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
		if revision <= 5_000_000_000 {
			t.Errorf("revision %d was served", revision)
		}
		if _, err := raw.Get(t.Context(), "compact_rev_key", clientv3.WithRev(entry.Meta.Revision)); err == nil || !strings.Contains(err.Error(), "compacted") {
			t.Errorf("a revision of before is still there: %v", err)
		}
	})
	for name, there := range map[string]bool{run.Restoring.aside() + "/member/wal": true, stageDir: false, memberDir + "/wal": true} {
		if env.Host.Exists(env.Config.Etcd.DataDir+"/"+name) != there {
			t.Errorf("%s: want there %t", name, there)
		}
	}
}

// TestRestoreGoesOn kills a restore in each of its phases, and between the two renames: run again it ends as one that
// was not.
func TestRestoreGoesOn(t *testing.T) {
	for _, killed := range []string{restoreStage.Name, restoreStop.Name, restoreSwitch.Name, "renames", "boot", "keys"} {
		t.Run(killed, func(t *testing.T) {
			env, kept, entry, s := restoring(t)
			killAt(t, begin(t, env, s, entry.Name), killed)
			again := begin(t, reopen(env), s, entry.Name)
			for _, phase := range restorePhases {
				runPhase(t, again, phase.Run)
			}
			withLive(t, again, again.Host.Path(again.Config.Etcd.DataDir), func(_ *etcd.Client, raw *clientv3.Client) {
				if got, revision := all(t, raw); !cmp.Equal(kept, got) || revision <= bump {
					t.Errorf("at %d (-want +got):\n%s", revision, cmp.Diff(kept, got))
				}
			})
			if !again.Host.Exists(again.Config.Etcd.DataDir + "/" + again.Restoring.aside() + "/member") {
				t.Error("the data of before are gone")
			}
		})
	}
}

// killAt leaves what a restore leaves that was killed in a phase.
func killAt(t *testing.T, env *Env, moment string) {
	t.Helper()
	dir := env.Host.Path(env.Config.Etcd.DataDir)
	if moment == restoreStage.Name { // a part of it
		if err := errors.Join(env.keepRestoring(stepBegun), os.MkdirAll(dir+"/"+stageDir+"/member/wal", 0o700)); err != nil {
			t.Fatal(err)
		}
		return
	}
	runPhase(t, env, restoreStage.Run)
	if moment == restoreStop.Name {
		return
	}
	runPhase(t, env, restoreStop.Run)
	folder, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	switch moment {
	case "renames", "boot":
		aside := env.Restoring.aside()
		err = errors.Join(folder.Mkdir(aside, 0o700), folder.Rename(memberDir, aside+"/"+memberDir))
		if moment == "boot" { // an etcd was started, which found nothing
			err = errors.Join(err, folder.MkdirAll(memberDir+"/snap", 0o700), folder.WriteFile(memberDir+"/snap/db", []byte("empty"), 0o600))
		}
	case "keys":
		err = switchTo(folder, env.Restoring.aside())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// undo runs an undo as the command does, but for what is of init.
func undo(t *testing.T, env *Env) *Env {
	t.Helper()
	before, err := restoreBefore(env.Host)
	if err != nil {
		t.Fatal(err)
	}
	env.Restoring = &Restoring{Began: "20261202T000000Z", dir: scratch(t)}
	opened, todo, err := env.loadBefore(t.Context(), RestoreFrom{}, before)
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range todo.Phases() {
		if strings.HasPrefix(phase.Name, "restore-") && phase.Name != restoreCheck.Name {
			runPhase(t, opened, phase.Run)
		}
	}
	return opened
}

// TestRestoreUndo: whenever a restore was killed, an undo has the data of before, above all revisions that were served
// once it was switched.
func TestRestoreUndo(t *testing.T) {
	for _, killed := range []string{restoreStage.Name, restoreSwitch.Name, "renames", "boot", "keys", "later"} {
		t.Run(killed, func(t *testing.T) {
			env, _, entry, s := restoring(t)
			run := begin(t, env, s, entry.Name)
			withLive(t, env, env.Host.Path(env.Config.Etcd.DataDir), func(c *etcd.Client, _ *clientv3.Client) { // as restore-stop saves it
				_, before := saved(t, env, c, withKey)
				run.Restoring.Before = before.Name
			})
			killAt(t, run, killed)
			highest := int64(0)
			if killed == "later" {
				runPhase(t, run, restoreSwitch.Run)
				highest = run.Restoring.Highest
			}
			opened := undo(t, reopen(env))
			withLive(t, opened, opened.Host.Path(opened.Config.Etcd.DataDir), func(_ *etcd.Client, raw *clientv3.Client) {
				got, revision := all(t, raw)
				if got["/registry/pods/default/later"] != "lost" || len(got) < 104 || revision <= highest {
					t.Errorf("%d keys at %d, want above %d", len(got), revision, highest)
				}
			})
			if opened.Host.Exists(opened.Config.Etcd.DataDir + "/" + stageDir) {
				t.Error("what was staged is still there")
			}
		})
	}
}

// TestRestoreUndoNothing: a restore that has ended is no other's to undo.
func TestRestoreUndoNothing(t *testing.T) {
	env := testEnv(t, "default")
	for want, before := range map[string]*Restoring{"no restore is under way": nil, "has ended": {Step: stepDone, Before: "snapshot-1"}} {
		_, _, err := env.loadBefore(t.Context(), RestoreFrom{}, before)
		if err == nil || !strings.Contains(err.Error(), want) || before != nil && !strings.Contains(plan.HintOf(err), "restore snapshot-1") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// TestRestoreAnother: while a restore is staged another archive is refused; one that has staged nothing gives way.
func TestRestoreAnother(t *testing.T) {
	other := &Restoring{Archive: "b"}
	for at, refused := range map[step]bool{stepBegun: false, stepStaged: true, stepSwitched: true, stepDone: false, stepUndone: false} {
		got, err := other.goOn(&Restoring{Archive: "a", Step: at, Highest: 7})
		if (err != nil) != refused || !refused && (got.Archive != "b" || got.Highest != 7) {
			t.Errorf("%d: %+v, %v", at, got, err)
		}
	}
}

func TestNewAddress(t *testing.T) {
	const file = "advertiseAddress: 10.0.0.1\nendpoint: 10.0.0.1:6443\nother: 10.0.0.10\nmore: 110.0.0.1\nlist: [10.0.0.1, 10.0.0.1.5]\n"
	const want = "advertiseAddress: 10.9.9.9\nendpoint: 10.9.9.9:6443\nother: 10.0.0.10\nmore: 110.0.0.1\nlist: [10.9.9.9, 10.0.0.1.5]\n"
	if got := string(newAddress([]byte(file), "10.0.0.1", "10.9.9.9")); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := string(newAddress([]byte("a: fd00::1\nb: '[fd00::1]:1'\nc: fd00::12\n"), "fd00::1", "fd00::2")); got != "a: fd00::2\nb: '[fd00::2]:1'\nc: fd00::12\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestFitsHere(t *testing.T) {
	env := certsDone(t, "default")
	hash, err := env.clusterHash()
	if err != nil {
		t.Fatal(err)
	}
	good := snapshot.Meta{Cluster: hash, Member: "a", Members: []snapshot.Member{{Name: "a"}}, Etcd: "3.6.8", Kubernetes: env.Config.KubernetesVersion}
	if err := env.fitsHere(good, false); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*snapshot.Meta){
		"learner":            func(m *snapshot.Meta) { m.Members = []snapshot.Member{{Name: "a", Learner: true}} },
		"another cluster":    func(m *snapshot.Meta) { m.Cluster = strings.Repeat("0", 64) },
		"is of etcd 3.7.0":   func(m *snapshot.Meta) { m.Etcd = "3.7.0" },
		"is of etcd 4.0.0":   func(m *snapshot.Meta) { m.Etcd = "4.0.0" },
		"is of Kubernetes v": func(m *snapshot.Meta) { m.Kubernetes = "v1.99.0" },
	} {
		m := good
		change(&m)
		if err := env.fitsHere(m, strings.Contains(want, "Kubernetes")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestTakeConfig: on a bare machine the config is that of the archive, with this machine's address in place of that of
// the one which is gone; the Node keeps its name.
func TestTakeConfig(t *testing.T) {
	lost := testEnv(t, "default")
	if err := lost.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	documents, err := lost.Host.ReadFile(state.ClusterRecord + "/documents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := &Restoring{dir: scratch(t), meta: snapshot.Meta{PKI: true}}
	if err := putContent(r.dir, snapshot.Documents+"/documents.yaml", documents); err != nil {
		t.Fatal(err)
	}
	m := config.Machine{Hostname: "another", Address: netip.MustParseAddr("192.0.2.77"), Bundled: lost.Config.KubernetesVersion}
	bare := testEnv(t, "default")
	bare.Restoring = r
	if err := bare.takeConfig(m); err != nil {
		t.Fatal(err)
	}
	c := bare.Config
	if c.AdvertiseAddress.String() != "192.0.2.77" || c.NodeName != lost.Config.NodeName || c.NodeName == "another" {
		t.Errorf("it is %s at %s", c.NodeName, c.AdvertiseAddress)
	}
	if diff := cmp.Diff(lost.Config.Networking, c.Networking, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	bare.Restoring = &Restoring{dir: r.dir}
	if err := bare.takeConfig(m); err == nil || !strings.Contains(err.Error(), "without the cluster's keys") {
		t.Errorf("it has no keys: %v", err)
	}
	bare.Config = nil
	if _, _, err := bare.loadArchive(t.Context(), RestoreFrom{}, nil); err == nil || !strings.Contains(err.Error(), "bundle") {
		t.Errorf("there is no bundle: %v", err)
	}
}

// TestRestorePlan: a dry run lists what the run does, and changes nothing.
func TestRestorePlan(t *testing.T) {
	env, _, entry, s := restoring(t)
	run := begin(t, env, s, entry.Name)
	changes := func(h *host.Host) (all []host.Change) {
		each := *run
		each.Host = h
		r := *run.Restoring
		each.Restoring = &r
		each.Tell.To = func(e plan.Event) {
			if e.Kind == plan.Changed {
				all = append(all, e.Change)
			}
		}
		for _, phase := range restorePhases {
			if err := phase.Run(t.Context(), each.forPhase(phase.Name)); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	planning, err := env.Host.Planning()
	if err != nil {
		t.Fatal(err)
	}
	defer planning.Close()
	planned := changes(planning)
	if before, err := restoreBefore(env.Host); before != nil || err != nil || env.Host.Exists(env.Config.Etcd.DataDir+"/"+stageDir) {
		t.Errorf("a dry run has begun a restore: %v, %v", before, err)
	}
	if diff := cmp.Diff(planned, changes(env.Host)); diff != "" || len(planned) < 3 {
		t.Errorf("%d planned (-planned +made):\n%s", len(planned), diff)
	}
}
