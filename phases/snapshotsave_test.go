package phases

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// TestSnapshotFiles: an archive has all that no init can make again for the same cluster, or none is made.
func TestSnapshotFiles(t *testing.T) {
	env := certsDone(t, "default")
	put := func(path, content string) { hosttest.Put(t, env.Host, path, content, 0o600) }
	put(state.ClusterRecord+"/documents.yaml", "kind: ClusterConfiguration\n")
	put(state.ClusterRecord+"/secrets.yaml", "token\n")
	put(spec.ManifestFile("kube-apiserver"), "    - --encryption-provider-config=/etc/kubernetes/encryption/config.yaml\n")
	names := func(withoutPKI bool) (all []string, m snapshot.Meta, err error) {
		m.PKI = !withoutPKI
		dir := scratch(t)
		err = env.gatherFiles(dir, &m)
		_ = fs.WalkDir(os.DirFS(dir.Name()+"/"+content), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				all = append(all, name)
			}
			return err
		})
		return all, m, err
	}
	if _, _, err := names(false); err == nil || !strings.Contains(err.Error(), "would be no backup") {
		t.Errorf("the key of Secrets' encryption is missing: %v", err)
	}
	if _, _, err := names(true); err != nil {
		t.Errorf("it was asked for without keys: %v", err)
	}
	put("/etc/kubernetes/encryption/config.yaml", "keys\n")
	got, m, err := names(false)
	want := []string{"documents/documents.yaml", "encryption.yaml"}
	for _, name := range pkiFiles(env.Config) {
		want = append(want, "pki/"+name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || err != nil || m.Encryption != "/etc/kubernetes/encryption/config.yaml" || len(m.Cluster) != 64 {
		t.Errorf("%+v, %v (-want +got):\n%s", m, err, diff)
	}
	if !slices.Contains(got, "pki/sa.key") || !slices.Contains(got, "pki/etcd/ca.key") || slices.Contains(got, "pki/apiserver.key") {
		t.Errorf("got %v", got)
	}
	hosttest.Remove(t, env.Host, env.PKIFile("etcd/ca", ".key"))
	if _, _, err := names(false); err == nil || !strings.Contains(err.Error(), "etcd/ca.key") {
		t.Errorf("a CA's key is missing: %v", err)
	}
}

// TestEncryptionFile finds the file on this machine, where the API server has it under another path.
func TestEncryptionFile(t *testing.T) {
	env := testEnv(t, "default")
	env.Config.APIServer.ExtraVolumes = []config.Volume{{Name: "keys", HostPath: "/srv/keys", MountPath: "/keys"}}
	for manifest, want := range map[string]string{
		"":                          "",
		"    - --profiling=false\n": "",
		`    - "--encryption-provider-config=/etc/kubernetes/e.yaml"` + "\n": "/etc/kubernetes/e.yaml",
		"    - --encryption-provider-config=/keys/a/e.yaml\n":                "/srv/keys/a/e.yaml",
	} {
		hosttest.Put(t, env.Host, spec.ManifestFile("kube-apiserver"), manifest, 0o600)
		if got, err := env.encryptionFile(); err != nil || got != want {
			t.Errorf("%q: %q, %v", manifest, got, err)
		}
	}
}

// TestRestoredKeys: what is missing is written; Secrets' keys become the archive's.
func TestRestoredKeys(t *testing.T) {
	env := testEnv(t, "default")
	const file = "/etc/kubernetes/encryption/config.yaml"
	dir := scratch(t)
	for _, name := range []string{"pki/ca.key", "pki/etcd/ca.crt", "encryption.yaml"} {
		if err := putContent(dir, name, []byte("archive")); err != nil {
			t.Fatal(err)
		}
	}
	hosttest.Put(t, env.Host, env.PKIFile("ca", ".key"), "here", 0o600)
	hosttest.Put(t, env.Host, file, "here", 0o600)
	env.Restoring = &Restoring{Began: "now", meta: snapshot.Meta{Encryption: file}, dir: dir}
	if err := env.writeRestoredKeys(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{env.PKIFile("ca", ".key"): "here", env.PKIFile("etcd/ca", ".crt"): "archive", file: "archive"} {
		if got, err := env.Host.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, want %q: %v", path, got, want, err)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, spec.SnapshotBucket, "endpoint: https://s3.example:9000\naccessKey: a\nsecretKey: b\n", 0o600)
	bucket, err := env.OpenSnapshots("s3://backup")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = "age1nobody"
	for want, err := range map[string]error{
		"do not go into a bucket as they are": Save{}.check(bucket),
		"no recipient":                        Save{EncryptTo: nobody}.check(bucket),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := (Save{WithoutPKI: true}).check(bucket); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(env.Host.Path(spec.SnapshotBucket), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"s3://backup", "relative"} {
		if _, err := env.OpenSnapshots(at); err == nil {
			t.Errorf("it opens %s", at)
		}
	}
	hosttest.Remove(t, env.Host, spec.SnapshotBucket)
	if _, err := env.OpenSnapshots("s3://backup"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestSchedule: what it makes stands in the ledger, and is gone with --off; a run is told where status reads it.
func TestSchedule(t *testing.T) {
	env := testEnv(t, "default")
	units := []string{spec.SystemdDir + "/" + spec.SnapshotService, spec.SystemdDir + "/" + spec.SnapshotTimer}
	run := func(run Scheduled) {
		t.Helper()
		todo, err := ScheduleSnapshots(env, "/srv/my backup", Save{}, run)
		if err == nil {
			err = todo.Run(t.Context(), env)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ScheduleSnapshots(env, "/srv", Save{}, Scheduled{Every: time.Hour}); err == nil {
		t.Error("there is no cluster")
	}
	env = testEnv(t, "default")
	if err := env.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	if _, err := ScheduleSnapshots(env, "s3://backup", Save{}, Scheduled{Every: time.Hour}); err == nil {
		t.Error("nobody knows where that bucket is")
	}
	run(Scheduled{Every: 90 * time.Minute, Keep: 3})
	service, err := env.Host.ReadFile(units[0])
	if err != nil || !strings.Contains(string(service), `etcd snapshot save --scheduled="1h30m0s" "--to=/srv/my backup" "--encrypt-to=" "--without-pki=false" "--keep=3" "--keep-daily=0"`) {
		t.Errorf("%s, %v", service, err)
	}
	if timer, err := env.Host.ReadFile(units[1]); err != nil || !strings.Contains(string(timer), "OnUnitActiveSec=5400s\n") {
		t.Errorf("%s, %v", timer, err)
	}
	for _, file := range append(units, spec.SnapshotProgram) {
		if !env.Host.Made(file) {
			t.Errorf("%s is not in the ledger", file)
		}
	}
	run(Scheduled{})
	for _, file := range append(units, spec.SnapshotProgram) {
		if env.Host.Exists(file) || env.Host.Made(file) {
			t.Errorf("%s is still there", file)
		}
	}
	if c, err := env.State().RememberedConfig(); err != nil || c == nil {
		t.Errorf("the cluster is gone with its schedule: %v", err)
	}
}

// TestNoteLast: after a failure it is still known since when all went well.
func TestNoteLast(t *testing.T) {
	env := testEnv(t, "default")
	if err := os.MkdirAll(env.Host.Path("/var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for i, problem := range []string{"", "full", "full"} {
		if err := env.noteLast(t.Context(), snapshot.Last{Time: good.Add(time.Duration(i) * time.Hour), Every: "1h", Error: problem}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := env.Host.ReadFile(spec.SnapshotDir + "/last.json")
	if err != nil || !strings.Contains(string(data), `"good":"2026-12-01T00:00:00Z"`) || !strings.Contains(string(data), "full") {
		t.Errorf("%s, %v", data, err)
	}
	if env.Host.Recorded(spec.SnapshotDir) {
		t.Error("reset would remove the user's snapshots")
	}
}
