package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	proxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// comparing leaves out the warnings, which are told once.
var comparing = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(Config{}, "Warnings")}

func parseFile(t *testing.T, file string) *Config {
	t.Helper()
	c, err := Parse(filepath.Base(file), []byte(readFile(t, file)), machine)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClusterConfiguration: what is stored gives, when read, all that is the cluster's.
func TestClusterConfiguration(t *testing.T) {
	for _, file := range files(t, "valid-*.yaml") {
		c := parseFile(t, file)
		cluster, err := c.ClusterConfiguration()
		box, err2 := c.BoxConfiguration()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		again, err := Parse("stored.yaml", slices.Concat(cluster, []byte("---\n"), box), Machine{Hostname: "node-1", Address: c.AdvertiseAddress})
		if err != nil {
			t.Errorf("%s: %v\n%s", file, err, cluster)
			continue
		}
		if diff := cmp.Diff(clusterWide(c), clusterWide(again), comparing, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// clusterWide is a Config without what is this node's or for one run.
func clusterWide(c *Config) Config {
	w := Config{Cluster: c.Cluster}
	w.Box.Standalone = false
	w.Kubelet, w.KubeProxy = nil, nil
	return w
}

// TestRecord: what is kept gives the same Config, on any machine, and is kept the same
// again. What is secret stands apart.
func TestRecord(t *testing.T) {
	for _, file := range files(t, "valid-*.yaml") {
		checkRecord(t, parseFile(t, file))
	}
}

func checkRecord(t *testing.T, c *Config) {
	t.Helper()
	kept, err := c.Record()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := kept.Parse(Machine{Hostname: "other", Address: netip.MustParseAddr("203.0.113.7"), Bundled: "v1.35.0", SingleNode: new(!c.Box.SingleNode)})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, kept.Documents, kept.Secrets)
	}
	restored, err := kept.Restore()
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []*Config{parsed, restored} {
		if diff := cmp.Diff(c, again, comparing, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, kept.Documents)
		}
	}
	twice, err := parsed.Record()
	if diff := cmp.Diff(kept, twice); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	for _, token := range c.BootstrapTokens {
		if token.ID == "" {
			continue // it is still to be made
		}
		if !bytes.Contains(kept.Secrets, []byte(token.Secret)) || bytes.Contains(kept.Documents, []byte(token.ID+"."+token.Secret)) {
			t.Errorf("token %s is not where secrets are", token.ID)
		}
	}
	if source := PodURLOf(c.Kubelet); source.URL != "" && bytes.Contains(kept.Documents, []byte("staticPodURL")) {
		t.Errorf("where pods are fetched stands with what is no secret:\n%s", kept.Documents)
	}
}

// TestRecordText: texts stay to the last character.
func TestRecordText(t *testing.T) {
	for _, text := range []string{"a\r\nb", "\n  a\n", " \na", "a\u2028b\n", "\ufeffa\nb", "\u0085\n", "---\n---", "\t\n", "a\n\n", "no", "1:20", "0o7", "~", "a\x7f"} {
		c := parseFile(t, filepath.Join(configDir, "valid-kubelet.yaml"))
		c.APIServer.ExtraEnvs = []EnvVar{{Name: "A", Value: Text(text)}}
		c.Kubelet["resolvConf"] = text
		checkRecord(t, c)
	}
}

// TestStored shows the documents as they are stored: kubeadm reads them too.
func TestStored(t *testing.T) {
	for _, name := range []string{"cluster", "external-etcd", "images", "dual-stack"} {
		c := parseFile(t, filepath.Join(configDir, "valid-"+name+".yaml"))
		cluster, err := c.ClusterConfiguration()
		box, err2 := c.BoxConfiguration()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		golden(t, "../../testdata/golden/config/stored-"+name+".yaml", string(cluster)+"---\n"+string(box))
	}
}

func TestDefaultFile(t *testing.T) {
	for _, m := range []Machine{machine, {Hostname: "box.example.org", Address: netip.MustParseAddr("2001:db8::7")}, {Hostname: "1e3", Address: machine.Address}} {
		file, err := DefaultFile(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Parse("", nil, m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("default.yaml", file, Machine{}) // the file alone says it all
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		if diff := cmp.Diff(want, got, comparing); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, err := DefaultFile(Machine{Hostname: "node"}); err == nil {
		t.Error("a file for a machine without an address")
	}
}

// TestMigrate: a file means the same in v1beta4, and migrating it again changes nothing.
func TestMigrate(t *testing.T) {
	for _, file := range files(t, "valid-*.yaml") {
		migrated, _, err := Migrate(file, []byte(readFile(t, file)))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if bytes.Contains(migrated, []byte(kubeadmV1beta3)) {
			t.Errorf("%s: v1beta3 is left:\n%s", file, migrated)
		}
		again, _, err := Migrate(file, migrated)
		if diff := cmp.Diff(string(migrated), string(again)); diff != "" || err != nil {
			t.Errorf("%s: again: %v %s", file, err, diff)
		}
		got, err := Parse(file, migrated, machine)
		if diff := cmp.Diff(parseFile(t, file), got, comparing, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s\n%s", file, err, diff, migrated)
		}
	}
	if _, _, err := Migrate("x.yaml", []byte("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nfrob: 1\n")); err == nil ||
		!strings.Contains(err.Error(), `x.yaml:3: unknown field "frob"`) {
		t.Errorf("an unknown field: %v", err)
	}
}

// TestMigrateNull: a field without a value stays one.
func TestMigrateNull(t *testing.T) {
	const file = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nconntrack: {maxPerCore: , min: 0}\n"
	migrated, _, err := Migrate("x.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("x.yaml", migrated, machine); err != nil {
		t.Errorf("%v\n%s", err, migrated)
	}
}

func TestMigrateV1beta3(t *testing.T) {
	file := filepath.Join(configDir, "valid-v1beta3.yaml")
	migrated, _, err := Migrate(file, []byte(readFile(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../testdata/golden/config/migrated-v1beta3.yaml", string(migrated))
}

// TestFieldLists keeps the names of Kubernetes' own documents, from their Go types.
func TestFieldLists(t *testing.T) {
	for file, of := range map[string]reflect.Type{
		"fields/kubelet.txt":    reflect.TypeFor[kubeletv1beta1.KubeletConfiguration](),
		"fields/kube-proxy.txt": reflect.TypeFor[proxyv1alpha1.KubeProxyConfiguration](),
	} {
		names := map[string]bool{}
		jsonFields(of, names)
		golden(t, file, strings.Join(sortedKeys(names), "\n")+"\n")
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func jsonFields(of reflect.Type, names map[string]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names[name] = true
		}
		jsonFields(f.Type, names)
	}
}

// TestNoSecretInErrors: a token or key that is refused is not shown.
func TestNoSecretInErrors(t *testing.T) {
	const secret = "0123456789abcdeF"
	for _, text := range []string{
		"bootstrapTokens: [{token: abcdef." + secret + "}]", "bootstrapTokens: [abcdef." + secret + "]", "bootstrapTokens: abcdef." + secret,
		"bootstrapTokens: [{token: [" + secret + "]}]", "bootstrapTokens: [{ttl: 1h, token: !!int " + secret + "}]",
		"certificateKey: " + secret, "certificateKey: [" + secret + "]",
		"bootstrapTokens: [{token: abcdef.0123456789abcdef}, {token: abcdef." + strings.ToLower(secret) + "}]",
	} {
		_, err := Parse("x.yaml", []byte("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"+text), machine)
		if err == nil || strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTokenHidesItsSecret(t *testing.T) {
	token := BootstrapToken{ID: "abcdef", Secret: "0123456789abcdef"}
	c := Config{Run: Run{BootstrapTokens: []BootstrapToken{token}}}
	for _, shown := range []string{token.String(), fmt.Sprintf("%v", token), fmt.Sprintf("%+v", &token), fmt.Sprintf("%#v", token), fmt.Sprintf("%+v", c)} {
		if strings.Contains(shown, token.Secret) || !strings.Contains(shown, token.ID) {
			t.Errorf("%s", shown)
		}
	}
}

// TestFlags: what the command line says goes before the file.
func TestFlags(t *testing.T) {
	file := []byte("apiVersion: bootstrap/v1alpha1\nkind: BoxConfiguration\nsingleNode: true\nwriteKubeconfig: true\n")
	m := machine
	m.Flags = Flags{SingleNode: new(bool), UploadCerts: new(true), WriteKubeconfig: new(bool), PrintJoinCommand: new(true)}
	c, err := Parse("box.yaml", file, m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Box{Network: Flannel}, c.Box); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Run{UploadCerts: true, PrintJoinCommand: true}, c.Run); diff != "" {
		t.Error(diff)
	}
	if len(c.Taints) != 1 {
		t.Errorf("taints %v of a control plane that is kept for itself", c.Taints)
	}
}

// TestSingleNode: a flag goes before the file, that before what the cluster was made
// with, and only then counts whether a token is asked for.
func TestSingleNode(t *testing.T) {
	file := []byte("apiVersion: bootstrap/v1alpha1\nkind: BoxConfiguration\nsingleNode: false\n")
	for name, c := range map[string]struct {
		file        []byte
		made, given *bool
		join        bool
		want        bool
	}{
		"nothing is said": {want: true},
		"a token":         {join: true},
		"made for one":    {join: true, made: new(true), want: true},
		"made for many":   {made: new(false)},
		"the file":        {file: file, made: new(true)},
		"the flag":        {file: file, given: new(true), want: true},
	} {
		m := machine
		m.SingleNode, m.Flags.SingleNode, m.Flags.PrintJoinCommand = c.made, c.given, &c.join
		got, err := Parse("box.yaml", c.file, m)
		if err != nil || got.Box.SingleNode != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
