package observe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

func TestMountOfRecord(t *testing.T) {
	for _, c := range []struct {
		r    host.Record
		want string
	}{
		{host.Record{Target: "/srv/etcd"}, ""},
		{host.Record{Target: "/srv/etcd", On: "/srv"}, "/srv"},
		{host.Record{Target: "/srv/etcd", On: "/srv", Before: host.State{Mount: true}}, "/srv/etcd"},
	} {
		if got := MountOfRecord(c.r); got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
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

// TestExternalEtcdIsAsked: its version, or why there is none.
func TestExternalEtcdIsAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = w.Write([]byte(`{"etcdserver":"3.4.30","etcdcluster":"3.4.0"}`))
		}
	}))
	defer server.Close()
	o := testObserver(t, "default")
	o.Config.Etcd = config.Etcd{External: &config.ExternalEtcd{Endpoints: []string{server.URL, "http://127.0.0.1:1"}}}
	fill, err := o.askExternalEtcd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m diagnose.Machine
	fill(&m)
	if len(m.External) != 2 || m.External[0].Version != "3.4.30" || m.External[0].Error != "" || !strings.Contains(m.External[1].Error, "refused") {
		t.Errorf("%+v", m.External)
	}
	hosttest.Put(t, o.Host, "/etc/other", "", 0o600)
	o.Config.Etcd.External.CAFile = "/etc/none.crt"
	if fill, err = o.askExternalEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(&m)
	if !strings.Contains(m.External[0].Error, "/etc/none.crt") {
		t.Errorf("without its CA: %+v", m.External)
	}
}
