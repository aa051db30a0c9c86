package observe

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
)

func TestForeignOnDisk(t *testing.T) {
	o := testObserver(t, "default")
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/web", "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}}", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/notes.txt", "to do: [", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/.swp", "x", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600) // an error of its own
	manifests := o.foreignManifests()
	if len(manifests) != 2 || manifests[0].Path != "/etc/kubernetes/manifests/notes.txt" || manifests[0].Error == "" {
		t.Fatalf("%+v", manifests)
	}
	if diff := cmp.Diff(diagnose.Manifest{Path: "/etc/kubernetes/manifests/web", Name: "default/web", Ports: []int{80}}, manifests[1]); diff != "" {
		t.Error(diff)
	}
	hosttest.Put(t, o.Host, "/etc/cni/net.d/10-calico.conflist", `{"plugins": [{"type": "calico"}, {"type": "portmap"}]}`, 0o600)
	hosttest.Put(t, o.Host, "/opt/cni/bin/portmap", "x", 0o755)
	if got := reopen(o).missingPlugins(); len(got) != 1 || got[0] != "calico, in /etc/cni/net.d/10-calico.conflist" {
		t.Errorf("missing plugins: %q", got)
	}
}

// TestBusyEtcd: what may pass is told from what does not.
func TestBusyEtcd(t *testing.T) {
	for code, slow := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusNotFound: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		defer server.Close()
		if got := askEtcd(t.Context(), server.Client(), server.URL); got.Slow != slow || got.Error == "" {
			t.Errorf("%d: %+v", code, got)
		}
	}
	release := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	if got := askEtcd(t.Context(), silent.Client(), silent.URL); !got.Slow || got.Error == "" {
		t.Errorf("silent: %+v", got)
	}
}
