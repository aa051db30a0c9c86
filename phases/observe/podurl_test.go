package observe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/plan/plantest"
)

func TestPodsIn(t *testing.T) {
	const pod = "metadata: {name: web}\nspec: {containers: [{name: web, image: x}]}\n"
	for _, c := range []struct {
		text  string
		names string // or why not
	}{
		{"apiVersion: v1\nkind: Pod\n" + pod, "web"},
		{`{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "x"}]}}, {"metadata": {"name": "b"}, "spec": {"containers": [{"name": "x"}]}}]}`, "a b"},
		{"apiVersion: v1\nkind: PodList\nitems: []\n", ""},
		{"apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}]\n", "items[0]: spec.containers is missing"},
		{" \n", "it is empty"},
		{"apiVersion: apps/v1\nkind: Deployment\n" + pod, "it is no Pod of apiVersion v1"},
		{"<html>", "cannot unmarshal"},
		{"apiVersion: v1\nkind: Pod\nspec: {containers: [{name: web}]}\n", "metadata.name is missing"},
	} {
		pods, err := PodsIn([]byte(c.text))
		var names []string
		for _, p := range pods {
			names = append(names, p.Name)
		}
		if err == nil && strings.Join(names, " ") != c.names || err != nil && !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v, %v", c.text, names, err)
		}
	}
}

// TestFetchPods: what the URL gives is fetched as the kubelet does it, and no error has a
// key in it.
func TestFetchPods(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "secret-key" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte("pods"))
	}))
	source := config.PodURL{URL: server.URL + "/?k=secret-key", Header: http.Header{"X-Key": {"secret-key"}}}
	if data, err := FetchPods(t.Context(), source); err != nil || string(data) != "pods" {
		t.Errorf("%s, %v", data, err)
	}
	_, err := FetchPods(t.Context(), config.PodURL{URL: source.URL})
	plantest.CheckError(t, err, "it answers 403 Forbidden")
	server.Close()
	_, err = FetchPods(t.Context(), source)
	plantest.CheckError(t, err, "connection refused")
	if strings.Contains(err.Error(), "secret-key") {
		t.Error(err)
	}
	if source.Shown() != server.URL+"/?..." {
		t.Errorf("shown as %s", source.Shown())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FetchPods(ctx, source); err == nil {
		t.Error("cancelled, and no error")
	}
}

func TestIsPlain(t *testing.T) {
	for given, want := range map[string]bool{
		"http://pods.example/": true, "http://192.0.2.1:80/": true, "https://192.0.2.1/": false, "http://127.0.0.1:9/x": false, "http://[::1]/": false, "http://localhost/": false,
	} {
		if isPlain(given) != want {
			t.Errorf("%s: %t", given, !want)
		}
	}
}
