package phases

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/patch"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

var comparing = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// otherMachine is the machine later, on which nothing is to be derived anew.
var otherMachine = config.Machine{Hostname: "other", Address: netip.MustParseAddr("203.0.113.7"), Bundled: "v1.35.0"}

// givenEnv is an Env whose config says something of each kind that is kept, and secrets.
func givenEnv(t *testing.T, secret string) *Env {
	t.Helper()
	env := testEnv(t, "default")
	c := env.Config
	c.BootstrapTokens = []config.BootstrapToken{{ID: "abcdef", Secret: secret, Usages: []string{"signing"}}}
	c.CertificateKey = strings.Repeat("0f", 32)
	c.PrintJoinCommand = true
	c.APIServer = config.Component{
		ExtraArgs: moreArgs, ExtraEnvs: []config.EnvVar{{Name: "A", Value: "b"}},
		ExtraVolumes: []config.Volume{{Name: "x", HostPath: "/srv/x", MountPath: "/x"}},
	}
	c.KubeletExtraArgs, c.CertSANs = moreArgs, []string{"more.example"}
	c.Kubelet = map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "registerWithTaints": []any{}, "resolvConf": "/etc/own.conf",
		"staticPodURL": "https://pods.example/x?key=" + secret, "staticPodURLHeader": map[string]any{"X": []any{secret}},
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "etcd+merge.yaml"), []byte("metadata: {labels: {a: b}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.PatchesDir = dir
	var err error
	if env.Patches, err = ReadPatches(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return env
}

// again is what a later run works with.
func again(t *testing.T, env *Env) *Env {
	t.Helper()
	later := *env
	later.Config, later.Patches = nil, patch.Set{}
	if used, err := useRemembered(&later, otherMachine); !used || err != nil {
		t.Fatalf("%v, %v", used, err)
	}
	return &later
}

// TestRemember: a later run is given all that the first was, the contents of its patches
// too, and what was for one run until that has come to its end. Secrets stand apart.
func TestRemember(t *testing.T) {
	const secret = "s3cret0123456789"
	env := givenEnv(t, secret)
	if err := env.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	later := again(t, env)
	if diff := cmp.Diff(env.Config, later.Config, comparing); diff != "" {
		t.Errorf("a run that goes on (-want +got):\n%s", diff)
	}
	if err := env.State().RememberDone(); err != nil {
		t.Fatal(err)
	}
	later = again(t, env)
	if diff := cmp.Diff(env.Config.Lasting(), later.Config, comparing); diff != "" {
		t.Errorf("another run (-want +got):\n%s", diff)
	}
	patched, err := later.Patches.Apply("etcd", []byte("metadata: {name: etcd}\n"))
	if err != nil || !strings.Contains(string(patched), "a: b") {
		t.Errorf("patched: %s, %v", patched, err)
	}
	if known, err := env.State().RememberedConfig(); err != nil || cmp.Diff(env.Config.Lasting(), known, comparing) != "" || spec.KeepsOff(known) == "" {
		t.Errorf("what is known: %+v, %v", known, err)
	}
	checkApart(t, env, secret)
	ledger := func() string {
		data, err := os.ReadFile(env.Host.Path("/var/lib/bootstrap/ledger"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	before := ledger()
	for _, e := range []*Env{env, later} { // with the same config file, and without
		if err := e.State().KeepSettled(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, ledger()); diff != "" {
		t.Errorf("again, with nothing new: %s", diff)
	}
}

// checkApart wants secrets in no file but that for them, and all for root alone.
func checkApart(t *testing.T, env *Env, secret string) {
	t.Helper()
	err := filepath.WalkDir(env.Host.Path("/var/lib/bootstrap"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), secret) != (filepath.Base(path) == "secrets.yaml") {
			t.Errorf("%s:\n%s", path, data)
		}
		if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRememberLess: what a config no longer says is not kept from before.
func TestRememberLess(t *testing.T) {
	env := givenEnv(t, "s3cret0123456789")
	if err := env.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	env.Config, env.Patches = configtest.Valid(t, "default"), patch.Set{}
	if err := env.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(env.Config, again(t, env).Config, comparing); diff != "" {
		t.Error(diff)
	}
	files, _ := filepath.Glob(env.Host.Path(state.ClusterRecord + "/*"))
	if len(files) != 1 {
		t.Errorf("%q are left", files)
	}
}

// TestRememberedFlags: the command line goes before what is kept.
func TestRememberedFlags(t *testing.T) {
	env := settledEnv(t)
	m := otherMachine
	m.Flags = config.Flags{SingleNode: new(bool), PrintJoinCommand: new(true)}
	if used, err := useRemembered(env, m); !used || err != nil || !env.Config.PrintJoinCommand {
		t.Fatalf("%v, %v: %+v", used, err, env.Config)
	}
	found := env.Observe().CheckSettled()
	if len(found) != 1 {
		t.Fatalf("%v", found)
	}
	plantest.CheckError(t, found[0], "nodeRegistration.taints is")
}

// TestRememberedDamaged: what can't be read is never taken for the defaults.
func TestRememberedDamaged(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"gone":     os.Remove,
		"not ours": func(path string) error { return os.WriteFile(path, []byte("kind: Frob\n"), 0o600) },
		"of a newer": func(path string) error {
			return os.WriteFile(path, []byte("apiVersion: bootstrap/v1alpha1\nkind: BoxConfiguration\nfrob: 1\n"), 0o600)
		},
	} {
		env := settledEnv(t)
		if err := damage(env.Host.Path(state.DocumentsIn(state.ClusterRecord))); err != nil {
			t.Fatal(err)
		}
		used, err := useRemembered(env, otherMachine)
		if used {
			t.Errorf("%s: it is used", name)
		}
		plantest.CheckError(t, err, "what this machine was made with can't be used again: ", "--config FILE", "--config ''")
	}
}

// TestRememberedBefore: of a machine that was made before there were these files, the note
// tells what it needs to be looked at; and init without its config file only where there was
// none.
func TestRememberedBefore(t *testing.T) {
	env := settledEnv(t)
	old := *configtest.Valid(t, "default")
	old.APIServer.ExtraArgs = nil
	note, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{env.State().ConfigNote(): string(note), state.StandaloneNote: string(note)} {
		if err := env.Host.Remember(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if known, err := env.State().RememberedConfig(); err != nil || cmp.Diff(&old, known, comparing) != "" {
		t.Errorf("%+v, %v", known, err)
	}
	if used, err := useRemembered(env, otherMachine); used || err != nil {
		t.Errorf("without a config file: %v, %v", used, err)
	}
	if err := env.Host.Remember(env.State().BesideSettled("file"), "/root/cluster.yaml"); err != nil {
		t.Fatal(err)
	}
	_, err = useRemembered(env, otherMachine)
	plantest.CheckError(t, err, "was made with a config file, /root/cluster.yaml,", "give it again: --config /root/cluster.yaml;")
	if err := env.State().KeepSettled(); err != nil {
		t.Fatal(err)
	}
	if used, err := useRemembered(env, otherMachine); !used || err != nil {
		t.Errorf("once it was given: %v, %v", used, err)
	}
}

// useRemembered makes the config that of what was made before, if there is one.
func useRemembered(env *Env, m config.Machine) (bool, error) {
	c, patches, err := env.State().Remembered(m)
	if c == nil || err != nil {
		return false, err
	}
	env.Config, env.Patches = c, patches
	return true, nil
}
