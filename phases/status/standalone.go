package status

import (
	"context"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
)

// lookStandalone fills in what is not in the ledger, of a kubelet without a control plane.
func (e *reporter) lookStandalone(ctx context.Context, q observe.Query, s *Status) {
	var found *diagnose.Evidence
	r := ready.Readiness{Pending: map[string]error{}}
	pods := e.UserPods()
	plan.SideBySide(
		func() { found = e.Evidence(ctx, q) },
		func() {
			var served []ready.WantedPod
			s.PodURL, served = e.PodURLStatus(ctx)
			pods = append(pods, served...)
		},
	)
	r.Note(e.lookAtPods(ctx, pods))
	s.Standalone, s.Ready = true, len(r.Pending) == 0 && found.RuntimeError == ""
	s.Components = []ComponentStatus{runtimeState(found), componentState("kubelet", found, r)}
	r.Answers = true // nobody else could tell more
	for _, pod := range pods {
		s.Components = append(s.Components, componentState(pod.Name, found, r))
	}
	s.Cause = presentCause(e.Catalogue, found)
	for _, f := range found.Files {
		s.Drift = append(s.Drift, host.Drift{Path: f.Path, What: f.Drift})
	}
	s.Disks = e.disks()
	if e.State().WasStandalone() {
		e.Tell.Warn("a control plane was begun upon the standalone kubelet, and is not there yet: run bootstrap init, or bootstrap reset, which removes both")
	}
}

func (r *reporter) lookAtPods(ctx context.Context, pods []ready.WantedPod) []health.Pending {
	c, err := r.DialRuntime()
	if err != nil {
		return []health.Pending{{Name: "kubelet", Reason: err}}
	}
	defer c.Close()
	return health.Look(ctx, r.KubeletChecks(c, pods))
}
