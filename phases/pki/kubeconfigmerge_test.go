package pki

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// theirs is a kubeconfig as kubectl writes it, with what people add by hand.
const theirs = `# mine
apiVersion: v1
clusters:
# at work
- cluster:
    certificate-authority: /home/alice/work.crt
    server: "https://work.example:6443"   # behind the VPN
  name: work
contexts:
- context: {cluster: work, user: alice}
  name: work
current-context: work
kind: Config
preferences: {}
users:
- name: alice
  user:
    token: 0123
`

// testKubeconfig is one of a cluster with a CA of its own.
func testKubeconfig(t *testing.T, ca *CA) Kubeconfig {
	t.Helper()
	key, err := NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(Leaf{CommonName: "kubernetes-admin", Client: true, Validity: time.Hour}, key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Kubeconfig{
		Server: "https://192.0.2.10:6443", Cluster: "kubernetes", User: "kubernetes-admin",
		CA: EncodeCert(ca.Cert), Cert: EncodeCert(cert), Key: keyPEM,
	}
}

func testCA(t *testing.T) *CA {
	t.Helper()
	key, err := NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := NewCA("kubernetes", key, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func merge(t *testing.T, old string, k Kubeconfig) string {
	t.Helper()
	merged, err := MergeKubeconfig([]byte(old), k)
	if err != nil {
		t.Fatal(err)
	}
	return string(merged)
}

// without gives the lines of text that are not in added, in order.
func without(text, added string) string {
	count := map[string]int{}
	for line := range strings.Lines(added) {
		count[strings.TrimSpace(line)]++
	}
	var rest strings.Builder
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimSpace(line); count[trimmed] > 0 {
			count[trimmed]--
			continue
		}
		rest.WriteString(line)
	}
	return rest.String()
}

func TestMergeKeepsTheRest(t *testing.T) {
	k := testKubeconfig(t, testCA(t))
	alone, err := EncodeKubeconfig(k)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"as kubectl writes it": theirs,
		"items indented":       strings.NewReplacer("\n- ", "\n  - ", "\n  ", "\n    ").Replace(theirs),
		"no final newline":     strings.TrimSuffix(theirs, "\n"),
		"no users":             theirs[:strings.Index(theirs, "users:")],
	}
	for name, old := range cases {
		t.Run(name, func(t *testing.T) {
			merged := merge(t, old, k)
			ours := strings.Replace(string(alone), "apiVersion: v1\n", "", 1)
			ours = strings.Replace(ours, "kind: Config\n", "", 1)
			ours = strings.NewReplacer("clusters:\n", "", "contexts:\n", "", "current-context: "+k.context()+"\n", "").Replace(ours)
			if strings.Contains(old, "users:") {
				ours = strings.Replace(ours, "users:\n", "", 1)
			}
			if diff := cmp.Diff(strings.TrimSuffix(old, "\n"), strings.TrimSuffix(without(merged, ours), "\n")); diff != "" {
				t.Errorf("the rest (-want +got):\n%s", diff)
			}
			wantEntries(t, merged, k, "work")
			if again := merge(t, merged, k); again != merged {
				t.Errorf("again (-want +got):\n%s", cmp.Diff(merged, again))
			}
		})
	}
}

// wantEntries wants k beside what was there.
func wantEntries(t *testing.T, merged string, k Kubeconfig, current string) {
	t.Helper()
	var all map[string]any // strictly: no key may be there twice
	var f kubeconfigFile
	if err := errors.Join(yaml.UnmarshalStrict([]byte(merged), &all), yaml.Unmarshal([]byte(merged), &f)); err != nil {
		t.Fatalf("%v in\n%s", err, merged)
	}
	if f.CurrentContext != current {
		t.Errorf("current context %q, want %q", f.CurrentContext, current)
	}
	var found int
	for _, c := range f.Clusters {
		if c.Name == k.Cluster && c.Cluster.Server == k.Server && string(c.Cluster.CA) == string(k.CA) {
			found++
		}
	}
	for _, u := range f.Users {
		if u.Name == k.User && string(u.User.Cert) == string(k.Cert) && string(u.User.Key) == string(k.Key) {
			found++
		}
	}
	for _, c := range f.Contexts {
		if c.Name == k.context() && c.Context.Cluster == k.Cluster && c.Context.User == k.User {
			found++
		}
	}
	if found != 3 {
		t.Errorf("%d of the 3 entries in\n%s", found, merged)
	}
}

// TestMergeOddFiles: what is written otherwise is written anew, and nothing is lost.
func TestMergeOddFiles(t *testing.T) {
	k := testKubeconfig(t, testCA(t))
	cases := []struct{ name, old, current, keeps string }{
		{"none", "", k.context(), ""},
		{"only a comment", "# nothing yet\n", k.context(), ""},
		{"kubectl's empty one", "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n", k.context(), ""},
		{"empty lists", "apiVersion: v1\nclusters: []\nextensions: [{name: x}]\nkind: Config\n", k.context(), "name: x"},
		{"JSON", `{"apiVersion":"v1","kind":"Config","clusters":[{"name":"work","cluster":{"server":"https://work"}}],"current-context":"work"}`, "work", "https://work"},
		{"an end marker", theirs + "...\n", "work", "https://work.example:6443"},
		{"CRLF", strings.ReplaceAll(theirs, "\n", "\r\n"), "work", "https://work.example:6443"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			merged := merge(t, c.old, k)
			wantEntries(t, merged, k, c.current)
			if !strings.Contains(merged, c.keeps) {
				t.Errorf("%q is lost:\n%s", c.keeps, merged)
			}
			if again := merge(t, merged, k); again != merged {
				t.Errorf("again (-want +got):\n%s", cmp.Diff(merged, again))
			}
		})
	}
}

// TestMergeUpdates: a new certificate and address take the place of the old ones, and
// what was set by hand beside them stays.
func TestMergeUpdates(t *testing.T) {
	ca := testCA(t)
	first, second := testKubeconfig(t, ca), testKubeconfig(t, ca)
	second.Server = "https://api.example.org:443"
	before := strings.Replace(merge(t, theirs, first), "    user: kubernetes-admin\n", "    user: kubernetes-admin\n    namespace: web\n", 1)
	after := merge(t, before, second)
	wantEntries(t, after, second, "work")
	for _, kept := range []string{"namespace: web", "# behind the VPN", "# at work"} {
		if !strings.Contains(after, kept) {
			t.Errorf("%q is lost:\n%s", kept, after)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	k, other := testKubeconfig(t, testCA(t)), testKubeconfig(t, testCA(t))
	otherUser := other
	otherUser.Cluster = "elsewhere"
	cases := []struct{ name, old, want string }{
		{"another cluster", merge(t, theirs, other), `its entry "kubernetes" of clusters belongs to another cluster`},
		{"another cluster's user", merge(t, theirs, otherUser), `its entry "kubernetes-admin" of users belongs to another cluster`},
		{"a user with a token", strings.Replace(theirs, "name: alice", "name: kubernetes-admin", 1), `its entry "kubernetes-admin" of users`},
		{"another context", strings.Replace(theirs, "  name: work\ncurrent", "  name: kubernetes-admin@kubernetes\ncurrent", 1), `of contexts`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := MergeKubeconfig([]byte(c.old), k)
			if !errors.As(err, new(*ConflictError)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for _, old := range []string{"clusters: {}\nkind: Config\n", "a: [", "hello"} {
		if _, err := MergeKubeconfig([]byte(old), k); err == nil || errors.As(err, new(*ConflictError)) {
			t.Errorf("%q: %v", old, err)
		}
	}
}

// TestClusterInfo wants what kubeadm join looks for: one cluster without a name, and
// nobody's key.
func TestClusterInfo(t *testing.T) {
	data, err := EncodeClusterInfo("https://192.0.2.10:6443", []byte("CA"))
	if err != nil {
		t.Fatal(err)
	}
	var f kubeconfigFile
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		t.Fatal(err)
	}
	want := kubeconfigFile{APIVersion: "v1", Kind: "Config", Clusters: []namedCluster{{}}}
	want.Clusters[0].Cluster.Server, want.Clusters[0].Cluster.CA = "https://192.0.2.10:6443", []byte("CA")
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
