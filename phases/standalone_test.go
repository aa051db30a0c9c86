package phases

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/plan/plantest"
)

func TestStandaloneOrder(t *testing.T) {
	want := [][]string{{"preflight"}, {"runtime", "kubelet"}, {"images"}, {"kubelet-start"}, {"wait-kubelet"}}
	if diff := cmp.Diff(want, stepNames(InitPlan(configtest.Valid(t, "standalone")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stepNames(Init()), stepNames(InitPlan(configtest.Valid(t, "default")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStandaloneKubelet: it knows no API server, lets nobody in, and the header of its URL
// is neither shown nor uploaded.
func TestStandaloneKubelet(t *testing.T) {
	env := testEnv(t, "standalone")
	if args := strings.Join(kubeletArgs(env.Config), " "); strings.Contains(args, "kubeconfig") || strings.Contains(args, "taints") {
		t.Errorf("flags: %s", args)
	}
	var told []host.Change
	env.Host = env.Host.Under("kubelet", func(c host.Change) { told = append(told, c) })
	if err := env.writeKubeletConfig("unix:///x"); err != nil {
		t.Fatal(err)
	}
	data, err := env.Host.ReadFile(kubeletConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"mode: AlwaysAllow", "staticPodURL: https://pods.example.com/", "Bearer not-a-real-token", "clientCAFile: /etc/ssl/operators.crt"} {
		if !strings.Contains(string(data), line) {
			t.Errorf("no %q in:\n%s", line, data)
		}
	}
	if len(told) == 0 || told[len(told)-1].Diff != "" {
		t.Errorf("shown: %+v", told)
	}
	if mode, err := env.Host.Mode(kubeletConfig); err != nil || mode != 0o600 {
		t.Errorf("mode %o, %v", mode, err)
	}
	env.Config.Box.Standalone = false
	uploaded, err := env.clusterKubeletConfig()
	if err != nil || strings.Contains(string(uploaded), "staticPodURL") || strings.Contains(string(uploaded), "not-a-real-token") {
		t.Errorf("for other nodes: %v\n%s", err, uploaded)
	}
	if nodeNetwork(env.Config, env.Facts).Masq {
		t.Error("in a cluster, flannel hides pods' addresses, and only from the world")
	}
}

// makeStandalone is what init --standalone leaves, as far as the ledger tells.
func makeStandalone(t *testing.T, env *Env) {
	t.Helper()
	if _, err := env.Host.WriteFile(kubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.remember(standaloneNote, standaloneRecord); err != nil {
		t.Fatal(err)
	}
}

// TestControlPlaneBeside: a control plane may be made beside a standalone kubelet's pods, and
// the other way round it is refused.
func TestControlPlaneBeside(t *testing.T) {
	env := testEnv(t, "standalone")
	makeStandalone(t, env)
	if note, _ := env.Host.Recall(standaloneNote); strings.Contains(note, "not-a-real-token") {
		t.Errorf("the ledger keeps %s", note)
	}
	if err := env.CheckStandaloneAlone(); err != nil || env.WasStandalone() {
		t.Errorf("standalone again: %v", err)
	}
	if _, err := env.Host.WriteFile(kubeletConf, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	plantest.CheckError(t, env.CheckStandaloneAlone(), "there is a control plane on this machine", "remove it, and run this again: bootstrap reset")
	if !env.WasStandalone() {
		t.Error("reset does not know that it removes a standalone kubelet too")
	}
	env.Config = configtest.Valid(t, "default")
	if err := env.CheckStandaloneAlone(); err != nil {
		t.Errorf("a control plane: %v", err)
	}
}

// TestStandaloneGone: a reset that keeps the runtime keeps the ledger, and no standalone
// kubelet: the next one may be a control plane's alone.
func TestStandaloneGone(t *testing.T) {
	env := testEnv(t, "standalone")
	if _, err := env.forPurpose(host.Runtime).Host.WriteFile(containerdUnit, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	makeStandalone(t, env)
	env.Keep.Runtime = true
	runPhase(t, env, runUndo)
	if !env.made(containerdUnit) {
		t.Fatal("the runtime is not kept")
	}
	for _, file := range []string{kubeletDropIn, kubeletConf} {
		if _, err := env.Host.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := env.standaloneConfig(); c != nil || err != nil || env.WasStandalone() {
		t.Errorf("%v, %v", c, err)
	}
}

// TestCheckStandalone: what its pods live by is not changed.
func TestCheckStandalone(t *testing.T) {
	env := testEnv(t, "standalone")
	if found := env.checkSettled(); len(found) > 0 {
		t.Errorf("before there is one: %v", found)
	}
	makeStandalone(t, env)
	if found := env.checkSettled(); len(found) > 0 {
		t.Errorf("unchanged: %v", found)
	}
	url := env.Config.Kubelet["staticPodURL"]
	delete(env.Config.Kubelet, "staticPodURL")
	if found := env.checkSettled(); len(found) > 0 {
		t.Errorf("without its URL: %v", found)
	}
	env.Config = configtest.Valid(t, "default")
	found := env.checkSettled()
	if len(found) != 1 {
		t.Fatalf("a control plane upon it, without its URL: %v", found)
	}
	plantest.CheckError(t, found[0], `staticPodURL is "https://pods.example.com/node-1.yaml?..." with the standalone kubelet and "" in the config`)
	env.Config.Kubelet = map[string]any{"staticPodURL": url}
	if found := env.checkSettled(); len(found) > 0 {
		t.Errorf("a control plane upon it: %v", found)
	}
	env.Config.NodeName, env.Config.Networking.PodSubnets = "other", prefixes("10.9.0.0/16")
	if found = env.checkSettled(); len(found) != 2 {
		t.Fatalf("%v", found)
	}
	plantest.CheckError(t, found[0], `networking.podSubnet is "10.244.0.0/16" with the standalone kubelet and "10.9.0.0/16"`)
	plantest.CheckError(t, found[1], `nodeRegistration.name is "node-1"`)
}

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
		pods, err := podsIn([]byte(c.text))
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
	if data, err := fetchPods(t.Context(), source); err != nil || string(data) != "pods" {
		t.Errorf("%s, %v", data, err)
	}
	_, err := fetchPods(t.Context(), config.PodURL{URL: source.URL})
	plantest.CheckError(t, err, "it answers 403 Forbidden")
	server.Close()
	_, err = fetchPods(t.Context(), source)
	plantest.CheckError(t, err, "connection refused")
	if strings.Contains(err.Error(), "secret-key") {
		t.Error(err)
	}
	if source.Shown() != server.URL+"/?..." {
		t.Errorf("shown as %s", source.Shown())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fetchPods(ctx, source); err == nil {
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

func TestHealthzOf(t *testing.T) {
	for text, want := range map[string]string{
		"": "127.0.0.1:10248", "healthzPort: 0": "", "healthzPort: 9": "127.0.0.1:9", "healthzBindAddress: '::1'": "[::1]:10248",
	} {
		if got, err := healthzOf([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestStandalonePorts: only the kubelet's have to be free.
func TestStandalonePorts(t *testing.T) {
	var owners []string
	for _, p := range ports(configtest.Valid(t, "standalone")) {
		owners = append(owners, p.owner)
	}
	if diff := cmp.Diff([]string{"kubelet health", "kubelet"}, owners); diff != "" {
		t.Error(diff)
	}
}

// TestPodURLSecrets: all of a header's values are known to be secret, also those of a
// configuration that was replaced.
func TestPodURLSecrets(t *testing.T) {
	env := testEnv(t, "standalone")
	hosttest.Put(t, env.Host, kubeletConfig, "staticPodURL: https://x/?now=url-key-now\nstaticPodURLHeader: {Authorization: [Bearer header-now]}\n", 0o600)
	hosttest.Put(t, env.Host, "/var/lib/bootstrap/saved/7", "staticPodURLHeader: {X: [header-before]}\n", 0o600)
	known, err := json.Marshal(env.machineSecrets(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{`"header-now"`, `"now=url-key-now"`, `"header-before"`, `"not-a-real-token"`} {
		if !strings.Contains(string(known), secret) {
			t.Errorf("%s is not known", secret)
		}
	}
}
