package pki

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clientcmdapiv1 "k8s.io/client-go/tools/clientcmd/api/v1"
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
    token: "0123"
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

// TestMergeKeepsTheRest: another cluster's entries stay, with the fields that people add.
func TestMergeKeepsTheRest(t *testing.T) {
	k := testKubeconfig(t, testCA(t))
	cases := map[string]string{
		"as kubectl writes it": theirs,
		"items indented":       strings.NewReplacer("\n- ", "\n  - ", "\n  ", "\n    ").Replace(theirs),
		"no final newline":     strings.TrimSuffix(theirs, "\n"),
		"no users":             theirs[:strings.Index(theirs, "users:")],
	}
	for name, old := range cases {
		t.Run(name, func(t *testing.T) {
			merged := merge(t, old, k)
			var want, got clientcmdapiv1.Config
			if err := errors.Join(yaml.Unmarshal([]byte(old), &want), yaml.UnmarshalStrict([]byte(merged), &got)); err != nil {
				t.Fatal(err)
			}
			got.Clusters = slices.DeleteFunc(got.Clusters, func(c clientcmdapiv1.NamedCluster) bool { return c.Name == k.Cluster })
			got.AuthInfos = slices.DeleteFunc(got.AuthInfos, func(u clientcmdapiv1.NamedAuthInfo) bool { return u.Name == k.User })
			got.Contexts = slices.DeleteFunc(got.Contexts, func(c clientcmdapiv1.NamedContext) bool { return c.Name == k.context() })
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the rest (-want +got):\n%s", diff)
			}
			wantEntries(t, merged, k, "work")
			if again := merge(t, merged, k); again != merged {
				t.Errorf("again (-want +got):\n%s", cmp.Diff(merged, again))
			}
		})
	}
}

// TestMergeWritesOnlyChanges: a file that has all of it already keeps its bytes, and so its
// comments and its order.
func TestMergeWritesOnlyChanges(t *testing.T) {
	k := testKubeconfig(t, testCA(t))
	commented := "# mine\n" + merge(t, theirs, k)
	if again := merge(t, commented, k); again != commented {
		t.Errorf("(-want +got):\n%s", cmp.Diff(commented, again))
	}
}

// wantEntries wants k beside what was there.
func wantEntries(t *testing.T, merged string, k Kubeconfig, current string) {
	t.Helper()
	var f clientcmdapiv1.Config // strictly: no key may be there twice
	if err := yaml.UnmarshalStrict([]byte(merged), &f); err != nil {
		t.Fatalf("%v in\n%s", err, merged)
	}
	if f.CurrentContext != current {
		t.Errorf("current context %q, want %q", f.CurrentContext, current)
	}
	var found int
	for _, c := range f.Clusters {
		if c.Name == k.Cluster && c.Cluster.Server == k.Server && string(c.Cluster.CertificateAuthorityData) == string(k.CA) {
			found++
		}
	}
	for _, u := range f.AuthInfos {
		if u.Name == k.User && string(u.AuthInfo.ClientCertificateData) == string(k.Cert) && string(u.AuthInfo.ClientKeyData) == string(k.Key) {
			found++
		}
	}
	for _, c := range f.Contexts {
		if c.Name == k.context() && c.Context.Cluster == k.Cluster && c.Context.AuthInfo == k.User {
			found++
		}
	}
	if found != 3 {
		t.Errorf("%d of the 3 entries in\n%s", found, merged)
	}
}

// TestMergeOddFiles: what is written otherwise is read too, and nothing is lost.
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
	if !strings.Contains(after, "namespace: web") {
		t.Errorf("the namespace is lost:\n%s", after)
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
	const want = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://192.0.2.10:6443
  name: ""
contexts: null
current-context: ""
kind: Config
users: null
`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
