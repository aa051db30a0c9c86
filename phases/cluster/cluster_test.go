package cluster

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"bootstrap/manifests"
)

func TestFailedChecks(t *testing.T) {
	cases := []struct {
		name, body string
		want       []string
	}{
		{"two of four", "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed\n",
			[]string{"etcd", "poststarthook/rbac/bootstrap-roles"}},
		{"another answer", `{"kind":"Status","message":"Unauthorized"}`, []string{`{"kind":"Status","message":"Unauthorized"}`}},
		{"several lines", "not\n  today\n", []string{"not today"}},
		{"spaces before", "  [-]etcd failed\r\n", []string{"etcd"}},
		{"nothing", "", []string{""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, failedChecks(c.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// request is one that the server was sent.
type request struct{ Method, URL, ContentType, Body string }

// server answers as an API server would and keeps what it was asked.
type server struct {
	mu       sync.Mutex
	requests []request
	answer   func(http.ResponseWriter, *http.Request, []byte)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body cut short fails the comparison
	s.mu.Lock()
	asked, _, _ := strings.Cut(r.URL.String(), "timeout=") // client-go's own, the last parameter
	s.requests = append(s.requests, request{r.Method, strings.TrimRight(asked, "?&"), r.Header.Get("Content-Type"), string(body)})
	s.mu.Unlock()
	s.answer(w, r, body)
}

// connect starts a TLS server; the kubeconfig names another one, which must not be asked.
func connect(t *testing.T, answer func(http.ResponseWriter, *http.Request, []byte)) (*Cluster, *server) {
	t.Helper()
	s := &server{answer: answer}
	listener := httptest.NewTLSServer(s)
	t.Cleanup(listener.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
	c, err := Connect(kubeconfig(t, ca), listener.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func kubeconfig(t *testing.T, ca []byte) []byte {
	t.Helper()
	data, err := clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{"c": {Server: "https://balancer.invalid:6443", CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*api.AuthInfo{"u": {Token: "secret"}},
		Contexts:       map[string]*api.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// echo has nothing and answers with what was sent, as JSON.
func echo(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		return
	}
	data, err := yaml.YAMLToJSON(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // the client sees an answer cut short
}

func TestHealthy(t *testing.T) {
	c, s := connect(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\n")
		}
	})
	if err := c.Healthy(t.Context(), "/livez"); err != nil {
		t.Error(err)
	}
	err := c.Healthy(t.Context(), "/readyz")
	unhealthy := &UnhealthyError{}
	if !errors.As(err, &unhealthy) || err.Error() != "/readyz fails: etcd" || len(unhealthy.Failed) != 1 {
		t.Errorf("%T %v", err, err)
	}
	if len(s.requests) != 2 || s.requests[0].Method != "GET" || s.requests[0].URL != "/livez" {
		t.Errorf("%+v", s.requests)
	}
}

func TestHealthyWithoutServer(t *testing.T) {
	c, err := Connect(kubeconfig(t, nil), "https://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Healthy(t.Context(), "/livez"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1: connect: connection refused") || strings.Contains(err.Error(), "Get ") {
		t.Errorf("%v", err)
	}
}

func TestHealthyDistrustsOthers(t *testing.T) {
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	other.Config.ErrorLog = log.New(io.Discard, "", 0)
	other.StartTLS()
	defer other.Close()
	c, err := Connect(kubeconfig(t, nil), other.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Healthy(t.Context(), "/livez"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server of another CA: %v", err)
	}
}

func TestConnectRefuses(t *testing.T) {
	if _, err := Connect([]byte("hello: ["), "https://127.0.0.1:1"); err == nil {
		t.Error("it takes what is no kubeconfig")
	}
}

// TestApply wants a server-side apply at the right address for each of our manifests.
func TestApply(t *testing.T) {
	const query = "?fieldManager=bootstrap&force=true"
	cases := map[string][]byte{
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins":           manifests.ClusterAdmins,
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:apiserver-kubelet-client": manifests.KubeletAPIAdmin,
		"/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical":                         manifests.SystemNodeCritical,
	}
	for path, manifest := range cases {
		t.Run(path, func(t *testing.T) {
			c, s := connect(t, echo)
			applied, err := applyAll(t, c, manifest)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.requests) != 2 || s.requests[0].Method != "GET" || len(applied) != 1 || applied[0].Verb != Created {
				t.Fatalf("%d requests, %v", len(s.requests), applied)
			}
			got := s.requests[1]
			if got.Method != "PATCH" || got.ContentType != "application/apply-patch+yaml" || got.URL != path+query {
				t.Errorf("%s %s %s", got.Method, got.URL, got.ContentType)
			}
			if diff := cmp.Diff(decoded(t, manifest), decoded(t, []byte(got.Body))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func decoded(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestApplyError(t *testing.T) {
	c, _ := connect(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not allowed", "reason": "Forbidden", "code": 403})
	})
	err := c.ApplyAll(t.Context(), manifests.ClusterAdmins)
	if err == nil || err.Error() != "apply ClusterRoleBinding kubeadm:cluster-admins: not allowed" {
		t.Error(err)
	}
}

// TestLabelNode wants nothing but the labels in the request: all else stays as it is.
func TestLabelNode(t *testing.T) {
	c, nodes, s := connectStore(t)
	nodes.objects["/api/v1/nodes/node-1"] = map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "node-1"}}
	if err := c.LabelNode(t.Context(), "node-1", map[string]string{"a/b": ""}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": "node-1", "labels": map[string]any{"a/b": ""}},
	}
	if diff := cmp.Diff(want, decoded(t, []byte(s.requests[1].Body))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(s.requests[1].URL, "/api/v1/nodes/node-1?") {
		t.Error(s.requests[1].URL)
	}
}

func TestGet(t *testing.T) {
	c, s := connect(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		kind := map[bool]string{true: "Pod", false: "Node"}[strings.Contains(r.URL.Path, "/pods/")]
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "x", "uid": kind + "-uid"}})
	})
	pod, err := c.Pod(t.Context(), "etcd-node-1")
	if err != nil || pod.UID != "Pod-uid" {
		t.Errorf("%v %v", pod, err)
	}
	node, err := c.Node(t.Context(), "node-1")
	if err != nil || node.UID != "Node-uid" {
		t.Errorf("%v %v", node, err)
	}
	var got []string
	for _, r := range s.requests {
		got = append(got, r.Method+" "+r.URL)
	}
	if diff := cmp.Diff([]string{"GET /api/v1/namespaces/kube-system/pods/etcd-node-1", "GET /api/v1/nodes/node-1"}, got); diff != "" {
		t.Error(diff)
	}
}
