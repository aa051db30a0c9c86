package state

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
)

var comparing = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// otherMachine is the machine later, on which nothing is to be derived anew.
var otherMachine = config.Machine{Hostname: "other", Address: netip.MustParseAddr("203.0.113.7"), Bundled: "v1.35.0"}

// givenState is one whose config says something of each kind that is kept, and secrets.
func givenState(t *testing.T, secret string) *State {
	t.Helper()
	s := testState(t, "default")
	c := s.Config
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
	if s.Patches, err = patch.Read(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

// again is what a later run works with.
func again(t *testing.T, s *State) *State {
	t.Helper()
	later := *s
	later.Config, later.Patches = nil, patch.Set{}
	if used, err := useRemembered(&later, otherMachine); !used || err != nil {
		t.Fatalf("%v, %v", used, err)
	}
	return &later
}

// useRemembered makes the config that of what was made before, if there is one.
func useRemembered(s *State, m config.Machine) (bool, error) {
	c, patches, err := s.Remembered(m)
	if c == nil || err != nil {
		return false, err
	}
	s.Config, s.Patches = c, patches
	return true, nil
}

// TestRemember: a later run is given all that the first was, the contents of its patches
// too, and what was for one run until that has come to its end. Secrets stand apart.
func TestRemember(t *testing.T) {
	const secret = "s3cret0123456789"
	s := givenState(t, secret)
	if err := s.KeepSettled(); err != nil {
		t.Fatal(err)
	}
	later := again(t, s)
	if diff := cmp.Diff(s.Config, later.Config, comparing); diff != "" {
		t.Errorf("a run that goes on (-want +got):\n%s", diff)
	}
	if err := s.RememberDone(); err != nil {
		t.Fatal(err)
	}
	later = again(t, s)
	if diff := cmp.Diff(s.Config.Lasting(), later.Config, comparing); diff != "" {
		t.Errorf("another run (-want +got):\n%s", diff)
	}
	patched, err := later.Patches.Apply("etcd", []byte("metadata: {name: etcd}\n"))
	if err != nil || !strings.Contains(string(patched), "a: b") {
		t.Errorf("patched: %s, %v", patched, err)
	}
	if known, err := s.RememberedConfig(); err != nil || cmp.Diff(s.Config.Lasting(), known, comparing) != "" || spec.KeepsOff(known) == "" {
		t.Errorf("what is known: %+v, %v", known, err)
	}
	checkApart(t, s, secret)
	ledger := func() string {
		data, err := os.ReadFile(s.Host.Path("/var/lib/bootstrap/ledger"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	before := ledger()
	for _, each := range []*State{s, later} { // with the same config file, and without
		if err := each.KeepSettled(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, ledger()); diff != "" {
		t.Errorf("again, with nothing new: %s", diff)
	}
}

// checkApart wants secrets in no file but that for them, and all for root alone.
func checkApart(t *testing.T, s *State, secret string) {
	t.Helper()
	err := filepath.WalkDir(s.Host.Path("/var/lib/bootstrap"), func(path string, d fs.DirEntry, err error) error {
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
	s := givenState(t, "s3cret0123456789")
	if err := s.KeepSettled(); err != nil {
		t.Fatal(err)
	}
	s.Config, s.Patches = configtest.Valid(t, "default"), patch.Set{}
	if err := s.KeepSettled(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Config, again(t, s).Config, comparing); diff != "" {
		t.Error(diff)
	}
	files, _ := filepath.Glob(s.Host.Path(ClusterRecord + "/*"))
	if len(files) != 1 {
		t.Errorf("%q are left", files)
	}
}

// TestRememberedFlags: the command line goes before what is kept.
func TestRememberedFlags(t *testing.T) {
	s := settledState(t)
	m := otherMachine
	m.Flags = config.Flags{SingleNode: new(bool), PrintJoinCommand: new(true)}
	if used, err := useRemembered(s, m); !used || err != nil || !s.Config.PrintJoinCommand {
		t.Fatalf("%v, %v: %+v", used, err, s.Config)
	}
	differ, err := s.UnlikeBefore()
	if err != nil || len(differ) != 1 || !strings.HasPrefix(differ[0], "nodeRegistration.taints is") {
		t.Errorf("%q, %v", differ, err)
	}
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
		s := settledState(t)
		if err := damage(s.Host.Path(documentsIn(ClusterRecord))); err != nil {
			t.Fatal(err)
		}
		used, err := useRemembered(s, otherMachine)
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
	s := settledState(t)
	old := *configtest.Valid(t, "default")
	old.APIServer.ExtraArgs = nil
	note, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{s.configNote(): string(note), StandaloneNote: string(note)} {
		if err := s.Host.Remember(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if known, err := s.RememberedConfig(); err != nil || cmp.Diff(&old, known, comparing) != "" {
		t.Errorf("%+v, %v", known, err)
	}
	if used, err := useRemembered(s, otherMachine); used || err != nil {
		t.Errorf("without a config file: %v, %v", used, err)
	}
	if err := s.Host.Remember(s.besideSettled("file"), "/root/cluster.yaml"); err != nil {
		t.Fatal(err)
	}
	_, err = useRemembered(s, otherMachine)
	plantest.CheckError(t, err, "was made with a config file, /root/cluster.yaml,", "give it again: --config /root/cluster.yaml;")
	if err := s.KeepSettled(); err != nil {
		t.Fatal(err)
	}
	if used, err := useRemembered(s, otherMachine); !used || err != nil {
		t.Errorf("once it was given: %v, %v", used, err)
	}
}

// TestNothingRemembered: on a new machine, upon a standalone kubelet, and where that is gone,
// the defaults are meant.
func TestNothingRemembered(t *testing.T) {
	alone := config.Machine{Flags: config.Flags{Standalone: new(true)}}
	unused := func(s *State, m config.Machine) {
		t.Helper()
		if used, err := useRemembered(s, m); used || err != nil {
			t.Errorf("%v, %v", used, err)
		}
	}
	s := testState(t, "standalone")
	unused(s, otherMachine)
	unused(s, alone)
	makeStandalone(t, s)
	unused(s, otherMachine)
	if used, err := useRemembered(s, alone); !used || err != nil || !s.Config.Box.Standalone {
		t.Errorf("standalone again: %v, %v", used, err)
	}
	if err := s.Host.UndoAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	unused(s, alone)
}
