package status

import (
	"context"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
)

// lookStandalone fills in what is not in the ledger, of a kubelet without a control plane.
func (r *reporter) lookStandalone(ctx context.Context, q observe.Query, s *Status) {
	var found *diagnose.Evidence
	readiness := ready.Readiness{Pending: map[string]error{}}
	pods := r.UserPods()
	plan.SideBySide(
		func() { found = r.Evidence(ctx, q) },
		func() {
			var served []ready.WantedPod
			s.PodURL, served = r.PodURLStatus(ctx)
			pods = append(pods, served...)
		},
	)
	readiness.Add(r.lookAtPods(ctx, pods))
	s.Standalone, s.Ready = true, len(readiness.Pending) == 0 && found.RuntimeError == ""
	s.Components = []Component{runtimeState(found), componentState("kubelet", found, readiness)}
	readiness.Answers = true // nobody else could tell more
	for _, pod := range pods {
		s.Components = append(s.Components, componentState(pod.Name, found, readiness))
	}
	s.Cause = presentCause(r.Catalogue, found)
	s.Drift = found.Files
	s.Disks = r.disks()
	if r.State().WasStandalone() {
		r.Tell.Warn("a control plane was begun upon the standalone kubelet, and is not there yet: run bootstrap init, or bootstrap reset, which removes both")
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
