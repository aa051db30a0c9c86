package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// keeper is an API server that keeps one object.
type keeper struct{ object []byte }

func (k *keeper) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method != http.MethodGet {
		k.object = body
	}
	if k.object == nil {
		refuse(http.StatusNotFound, "NotFound")(w, r, body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(k.object)
}

// TestTakeTurn: one of several does it; another takes over only when that one has not come for as long as it lasts.
func TestTakeTurn(t *testing.T) {
	k := &keeper{}
	c, s := connect(t, k.answer)
	take := func(holder string, lasts time.Duration, want string) {
		t.Helper()
		if has, err := c.TakeTurn(t.Context(), "bootstrap-snapshot", holder, lasts); err != nil || has != want {
			t.Errorf("%s: %q has it, want %q: %v", holder, has, want, err)
		}
	}
	take("node-1", time.Hour, "node-1")
	take("node-2", time.Hour, "node-1")
	take("node-1", time.Hour, "node-1")
	time.Sleep(5 * time.Millisecond)
	take("node-2", time.Millisecond, "node-2")
	take("node-1", time.Hour, "node-2")
	if got := s.requests[2]; got.Method != http.MethodPatch || !strings.Contains(got.URL, "/namespaces/kube-system/leases") {
		t.Errorf("%s %s", got.Method, got.URL)
	}
}

func TestEvent(t *testing.T) {
	k := &keeper{}
	c, s := connect(t, k.answer)
	if err := c.Event(t.Context(), "node-1", "Warning", "SnapshotFailed", "full"); err != nil {
		t.Fatal(err)
	}
	got := s.requests[0]
	for _, part := range []string{`"reason":"SnapshotFailed"`, `"message":"full"`, `"type":"Warning"`, `"kind":"Node"`, `"generateName":"node-1-"`} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("it has no %s: %s", part, got.Body)
		}
	}
	if got.Method != http.MethodPost || !strings.Contains(got.URL, "/namespaces/default/events") {
		t.Errorf("%s %s", got.Method, got.URL)
	}
}
