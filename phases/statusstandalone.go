package phases

import (
	"context"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
)

// PodURLStatus is what the URL of the kubelet's static pods gives, and what has come of it.
type PodURLStatus struct {
	URL    string   `json:"url"`             // without what may be a key in it
	Error  string   `json:"error,omitempty"` // why it gives nothing now
	Serves []string `json:"serves,omitempty"`
	Runs   []string `json:"runs,omitempty"` // of what it served last
}

// lookStandalone fills in what is not in the ledger, of a kubelet without a control plane.
func (e *Env) lookStandalone(ctx context.Context, q Query, s *Status) {
	var found *diagnose.Evidence
	r := readiness{pending: map[string]error{}}
	pods := e.userPods()
	sideBySide(
		func() { found = e.evidence(ctx, q) },
		func() {
			var served []wantedPod
			s.PodURL, served = e.podURLStatus(ctx)
			pods = append(pods, served...)
		},
	)
	r.note(e.lookAtPods(ctx, pods))
	s.Standalone, s.Ready = true, len(r.pending) == 0 && found.RuntimeError == ""
	s.Components = []ComponentStatus{runtimeState(found), componentState("kubelet", found, r)}
	r.answers = true // nobody else could tell more
	for _, pod := range pods {
		s.Components = append(s.Components, componentState(pod.name, found, r))
	}
	s.Cause = presentCause(e.Catalogue, found)
	for _, f := range found.Files {
		s.Drift = append(s.Drift, host.Drift{Path: f.Path, What: f.Drift})
	}
	s.Disks = e.disks()
	if e.WasStandalone() {
		e.warn("a control plane was begun upon the standalone kubelet, and is not there yet: run bootstrap init, or bootstrap reset, which removes both")
	}
}

func (e *Env) lookAtPods(ctx context.Context, pods []wantedPod) []health.Pending {
	c, err := e.dialRuntime()
	if err != nil {
		return []health.Pending{{Name: "kubelet", Reason: err}}
	}
	defer c.Close()
	return health.Look(ctx, e.kubeletChecks(c, pods))
}

// podURLStatus also gives the pods that are served; nil for a kubelet that fetches none.
func (e *Env) podURLStatus(ctx context.Context) (*PodURLStatus, []wantedPod) {
	source, err := e.kubeletPodURL()
	if err != nil || source.URL == "" || !e.Host.Real() {
		return nil, nil
	}
	s := &PodURLStatus{URL: source.Shown(), Runs: e.podsOfURL(ctx)}
	data, err := fetchPods(ctx, source)
	if err != nil {
		s.Error = err.Error()
		return s, nil
	}
	served, err := podsIn(data)
	if err != nil {
		s.Error = err.Error()
		return s, nil
	}
	var pods []wantedPod
	for _, pod := range served {
		w := e.wanted(&pod)
		pods, s.Serves = append(pods, w), append(s.Serves, w.name)
	}
	return s, pods
}

// podsOfURL are those that the runtime has from the URL.
func (e *Env) podsOfURL(ctx context.Context) []string {
	ctx, cancel := evidenceTimeout.bound(ctx)
	defer cancel()
	all, err := Pods(ctx, e, PodQuery{All: true})
	if err != nil {
		return nil // that it does not answer is said elsewhere
	}
	var names []string
	for _, pod := range all {
		if pod.Source == "http" && pod.Ready {
			names = append(names, pod.Namespace+"/"+pod.Name)
		}
	}
	return names
}
