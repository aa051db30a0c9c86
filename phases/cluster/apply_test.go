package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"bootstrap/manifests"
)

// store is an API server that keeps what it is sent: enough of server-side apply for
// objects whose maps nobody else writes.
type store struct {
	mu      sync.Mutex
	objects map[string]map[string]any
	refuse  func(r *http.Request) int // an HTTP status, or 0
}

func newStore() *store { return &store{objects: map[string]map[string]any{}} }

func (s *store) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		if code := s.refuse(r); code != 0 {
			answerStatus(w, code, "refused")
			return
		}
	}
	object, found := s.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/secrets"):
		s.list(w, r)
		return
	case r.Method == http.MethodPatch:
		object = s.put(r.URL.Path, body)
	case !found:
		answerStatus(w, http.StatusNotFound, "not found")
		return
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

func (s *store) put(path string, body []byte) map[string]any {
	var object map[string]any
	if err := yaml.Unmarshal(body, &object); err != nil {
		panic(err)
	}
	object["metadata"].(map[string]any)["uid"] = "uid of " + path
	s.objects[path] = object
	return object
}

func (s *store) list(w http.ResponseWriter, r *http.Request) {
	items := []any{}
	_, kind, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "type=")
	for path, object := range s.objects {
		if strings.HasPrefix(path, r.URL.Path+"/") && object["type"] == kind {
			items = append(items, object)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "SecretList", "items": items})
}

func answerStatus(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	reason := map[int]string{http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden"}[code]
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

func connectStore(t *testing.T) (*Cluster, *store, *server) {
	t.Helper()
	s := newStore()
	c, asked := connect(t, s.serve)
	c.pause = time.Millisecond
	return c, s, asked
}

// applyAll also gives what is told.
func applyAll(t *testing.T, c *Cluster, manifests ...[]byte) ([]Applied, error) {
	t.Helper()
	return told(c, func(c *Cluster) error { return c.ApplyAll(t.Context(), manifests...) })
}

func told(c *Cluster, do func(*Cluster) error) (all []Applied, err error) {
	err = do(c.Telling(func(a Applied) { all = append(all, a) }))
	return all, err
}

func TestApplyAll(t *testing.T) {
	c, s, _ := connectStore(t)
	configMap, err := manifests.ConfigMap("kube-public", "cluster-info", map[string]string{"kubeconfig": "x"})
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{manifests.BootstrapToken, configMap}
	applied, err := applyAll(t, c, all...)
	if err != nil {
		t.Fatal(err)
	}
	var created []string
	for _, a := range applied {
		created = append(created, a.Verb+" "+a.Object)
	}
	want := []string{
		"create Role kubeadm:bootstrap-signer-clusterinfo", "create RoleBinding kubeadm:bootstrap-signer-clusterinfo",
		"create ClusterRole kubeadm:get-nodes", "create ClusterRoleBinding kubeadm:get-nodes", "create ClusterRoleBinding kubeadm:kubelet-bootstrap",
		"create ClusterRoleBinding kubeadm:node-autoapprove-bootstrap", "create ClusterRoleBinding kubeadm:node-autoapprove-certificate-rotation",
		"create ConfigMap cluster-info",
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.objects) != len(want) || s.objects["/api/v1/namespaces/kube-public/configmaps/cluster-info"] == nil {
		t.Errorf("%v", s.objects)
	}
	again, err := applyAll(t, c, all...)
	if err != nil || len(again) > 0 {
		t.Errorf("again: %v, %v", again, err)
	}
}

// TestApplyAllGoesOn: what can be applied is, and each failure is told.
func TestApplyAllGoesOn(t *testing.T) {
	c, s, _ := connectStore(t)
	s.refuse = func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "kubelet-config") {
			return http.StatusForbidden
		}
		return 0
	}
	applied, err := applyAll(t, c, manifests.UploadConfig)
	if want := "apply Role kubeadm:kubelet-config: refused\napply RoleBinding kubeadm:kubelet-config: refused"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if len(applied) != 2 || len(s.objects) != 2 {
		t.Errorf("%v", applied)
	}
}

func TestApplyAllPlans(t *testing.T) {
	c, s, asked := connectStore(t)
	applied, err := applyAll(t, c.Plan(), manifests.UploadCerts)
	if err != nil || len(applied) != 2 || applied[0].Verb != Created || len(s.objects) != 0 {
		t.Errorf("%v, %v", applied, err)
	}
	if i := slices.IndexFunc(asked.requests, func(r request) bool { return r.Method != "GET" }); i >= 0 {
		t.Errorf("%+v", asked.requests[i])
	}
}

// TestApplyAnswerLost: what was made by a try whose answer was lost is told as made.
func TestApplyAnswerLost(t *testing.T) {
	s, lost := newStore(), false
	c, _ := connect(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method != http.MethodPatch || lost {
			s.serve(w, r, body)
			return
		}
		s.put(r.URL.Path, body)
		lost = true
		answerStatus(w, http.StatusGatewayTimeout, "the answer comes too late")
	})
	c.pause = time.Millisecond
	applied, err := applyAll(t, c.Within(time.Minute), manifests.ClusterAdmins)
	if err != nil || len(applied) != 1 || applied[0].Verb != Created || !lost {
		t.Errorf("%v, %v", applied, err)
	}
}

// TestLabelNodeNotThere: a Node is registered by its kubelet, never made here.
func TestLabelNodeNotThere(t *testing.T) {
	c, s, _ := connectStore(t)
	err := c.LabelNode(t.Context(), "node-1", map[string]string{"a/b": ""})
	if !apierrors.IsNotFound(err) || len(s.objects) != 0 {
		t.Errorf("%v, %v", err, s.objects)
	}
}

// TestRetry: what may pass is tried again, what is final is not.
func TestRetry(t *testing.T) {
	const kind = `{"kind":"Status","apiVersion":"v1","status":"Failure",`
	cases := []struct {
		name, answer string
		code, tries  int
	}{
		{"busy", kind + `"code":429}`, 429, 3},
		{"no webhook yet", kind + `"message":"failed calling webhook","code":500}`, 500, 3},
		{"no etcd yet", "", 503, 3},
		{"no namespace yet", kind + `"reason":"NotFound","details":{"kind":"namespaces","name":"kube-public"},"code":404}`, 404, 3},
		{"admission has not read yet", kind + `"message":"x is forbidden: not yet ready to handle request","reason":"Forbidden","code":403}`, 403, 3},
		{"no role yet", kind + `"message":"x is forbidden: RBAC: clusterrole.rbac.authorization.k8s.io \"cluster-admin\" not found","reason":"Forbidden","code":403}`, 403, 3},
		{"no right", kind + `"message":"x is forbidden: cannot patch","reason":"Forbidden","code":403}`, 403, 1},
		{"nonsense", kind + `"reason":"BadRequest","code":400}`, 400, 1},
		{"invalid", kind + `"reason":"Invalid","code":422}`, 422, 1},
		{"unknown kind", kind + `"reason":"NotFound","code":404}`, 404, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tries := 0
			cluster, _ := connect(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Method == http.MethodPatch {
					tries++
				}
				if r.Method != http.MethodPatch || tries == 3 {
					echo(w, r, body)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.answer)
			})
			cluster.pause = time.Millisecond
			err := cluster.Within(time.Minute).ApplyAll(t.Context(), manifests.ClusterAdmins)
			if tries != c.tries || (err == nil) != (c.tries == 3) {
				t.Errorf("%d tries, want %d: %v", tries, c.tries, err)
			}
		})
	}
}

func TestRetryEnds(t *testing.T) {
	nobody, err := Connect(kubeconfig(t, nil), "https://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	nobody.pause = time.Millisecond
	if err := nobody.Within(20*time.Millisecond).ApplyAll(t.Context(), manifests.ClusterAdmins); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
	// A server of another CA is no server that is still to come.
	c, asked := connect(t, echo)
	other, err := Connect(kubeconfig(t, nil), c.server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = other.Within(time.Hour).ApplyAll(ctx, manifests.ClusterAdmins)
	if err == nil || !strings.Contains(err.Error(), "certificate") || ctx.Err() != nil {
		t.Errorf("%v, %v, %d requests", err, ctx.Err(), len(asked.requests))
	}
}
