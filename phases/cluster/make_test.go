package cluster

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/manifests"
)

// refuse answers every request with this status.
func refuse(code int, reason string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"`+reason+`"}`)
	}
}

func TestMake(t *testing.T) {
	c, s := connect(t, echo)
	if err := c.Make(t.Context(), manifests.SystemNodeCritical, manifests.BootstrapPolicy); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 7 {
		t.Fatalf("%d requests", len(s.requests))
	}
	i := slices.IndexFunc(s.requests, func(r request) bool { return strings.Contains(r.URL, "priorityclasses") })
	got := s.requests[max(0, i)]
	if got.Method != http.MethodPost || got.URL != "/apis/scheduling.k8s.io/v1/priorityclasses?fieldManager=bootstrap" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	if diff := cmp.Diff(decoded(t, manifests.SystemNodeCritical), decoded(t, []byte(got.Body))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMakeLeavesAlone: what is there is not asked for twice, and not changed.
func TestMakeLeavesAlone(t *testing.T) {
	c, s := connect(t, refuse(http.StatusConflict, "AlreadyExists"))
	if err := c.Make(t.Context(), manifests.BootstrapPolicy); err != nil || len(s.requests) != 6 {
		t.Errorf("%d requests, %v", len(s.requests), err)
	}
	c, _ = connect(t, refuse(http.StatusForbidden, "Forbidden"))
	if err := c.Make(t.Context(), manifests.BootstrapPolicy); err == nil || err.Error() != "make ClusterRole system:kube-controller-manager: no" {
		t.Errorf("refused: %v", err)
	}
	c, s = connect(t, echo)
	if err := c.Plan().Make(t.Context(), manifests.BootstrapPolicy); err != nil || len(s.requests) > 0 {
		t.Errorf("a plan sends %d requests, %v", len(s.requests), err)
	}
}
