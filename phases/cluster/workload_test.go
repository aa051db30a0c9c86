package cluster

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWorkload(t *testing.T) {
	c, s := connect(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		var answer any = map[string]any{"apiVersion": "v1", "kind": "PodList", "items": []any{
			map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "coredns-1"}},
			map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "coredns-0"}, "status": map[string]any{"phase": "Failed"}},
			map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "coredns-2", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
		}}
		if strings.Contains(r.URL.Path, "/deployments/") {
			answer = map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "coredns"}, "spec": map[string]any{
				"replicas": 2,
				"selector": map[string]any{"matchLabels": map[string]any{"k8s-app": "kube-dns"}},
				"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "coredns", "image": "x:v1"}}}},
			}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client sees an answer cut short
	})
	got, err := c.Workload(t.Context(), "deployments", "coredns")
	if err != nil {
		t.Fatal(err)
	}
	if got.Replicas != 2 || got.Template.Spec.Containers[0].Image != "x:v1" || len(got.Pods) != 1 || got.Pods[0].Name != "coredns-1" {
		t.Errorf("%+v", got)
	}
	if want := "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns"; s.requests[1].URL != want {
		t.Errorf("%s, want %s", s.requests[1].URL, want)
	}
}

func TestPodsOfNode(t *testing.T) {
	c, s := connect(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "PodList", "items": []any{
			map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "web-n1", "namespace": "default"}},
		}})
	})
	pods, err := c.PodsOfNode(t.Context(), "n1")
	if err != nil || len(pods) != 1 || pods[0].Name != "web-n1" {
		t.Errorf("%+v, %v", pods, err)
	}
	if want := "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1"; s.requests[0].URL != want {
		t.Errorf("%s, want %s", s.requests[0].URL, want)
	}
}

// TestDeletePod deletes the pod that was seen, and no newer one of its name.
func TestDeletePod(t *testing.T) {
	code := http.StatusOK
	c, s := connect(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		reason := map[int]string{http.StatusNotFound: "NotFound", http.StatusConflict: "Conflict", http.StatusForbidden: "Forbidden"}[code]
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "Status", "code": code, "reason": reason})
	})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-n1", UID: "u1"}}
	for _, code = range []int{http.StatusOK, http.StatusNotFound, http.StatusConflict} {
		if err := c.DeletePod(t.Context(), pod); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
	code = http.StatusForbidden
	if err := c.DeletePod(t.Context(), pod); err == nil || !strings.Contains(err.Error(), "delete pod shop/web-n1") {
		t.Errorf("forbidden: %v", err)
	}
	if r := s.requests[0]; r.URL != "/api/v1/namespaces/shop/pods/web-n1" || !strings.Contains(r.Body, `"preconditions":{"uid":"u1"}`) {
		t.Errorf("%+v", r)
	}
}
