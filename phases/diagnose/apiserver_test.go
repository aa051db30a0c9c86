package diagnose

import (
	"testing"
	"time"
)

// TestKubeletNotAuthorized: what was refused before the wait began was perhaps too early.
func TestKubeletNotAuthorized(t *testing.T) {
	const forbidden = `I1129 11:36:40.1 csi_plugin.go:884] Failed to contact API server: csinodes.storage.k8s.io "n1" is forbidden: User "system:node:n1" cannot get resource "csinodes"`
	status, waits, early := podsFail(forbidden), podsFail(forbidden), podsFail(forbidden)
	for _, e := range []*Evidence{status, waits, early} {
		e.API = Server{Dial: Open, Status: 200}
	}
	waits.Waits, early.Waits = lookedAt.Add(-5*time.Second), lookedAt.Add(-time.Second/2)
	causeTest{name: "status", evidence: status, id: "kubelet-not-authorized", level: Warning}.run(t)
	causeTest{name: "in this wait", evidence: waits, id: "kubelet-not-authorized", level: Warning}.run(t)
	causeTest{name: "before it", evidence: early}.run(t)
}
