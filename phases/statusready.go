package phases

import (
	"context"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
)

// readiness is one look at all that init waits for.
type readiness struct {
	answers bool             // the API server
	addons  []string         // and the Node: what was asked for in the cluster
	pending map[string]error // by name, why it is not ready
}

func (r readiness) holds() bool { return r.answers && len(r.pending) == 0 }

// confirm goes by how long probes have waited: longer than who looks for evidence.
func (r readiness) confirm(found *diagnose.Evidence) {
	var longest time.Duration
	for _, reason := range r.pending {
		longest = max(longest, health.Unanswered(reason))
	}
	for _, server := range []*diagnose.Server{&found.API, &found.Etcd} {
		if server.Unanswered > 0 {
			server.Unanswered = longest
		}
	}
}

func (r readiness) note(pending []health.Pending) {
	for _, p := range pending {
		r.pending[p.Name] = p.Reason
	}
}

// readiness probes once what wait-control-plane and wait-addons wait for.
func (e *Env) readiness(ctx context.Context) readiness {
	r := readiness{pending: map[string]error{}}
	w, err := e.newControlPlaneWait(Complete)
	if err != nil {
		r.pending["kube-apiserver"] = err
		w = &controlPlaneWait{env: e}
		r.note(health.Look(ctx, []health.Check{{Name: "kubelet", Probe: w.kubelet}}))
		return r
	}
	defer w.cri.Close()
	r.note(health.Look(ctx, w.apiChecks()))
	if r.answers = r.pending["kube-apiserver"] == nil; !r.answers {
		r.note(health.Look(ctx, w.containerChecks()))
		return r
	}
	checks, err := e.clusterChecks()
	if err != nil {
		r.pending["Node"] = err
		r.addons = []string{"Node"}
	}
	for _, c := range checks {
		r.addons = append(r.addons, c.Name)
	}
	r.note(health.Look(ctx, append(w.podChecks(), checks...)))
	return r
}

// containerChecks are all that can be told of static pods without the API server.
func (w *controlPlaneWait) containerChecks() []health.Check {
	var checks []health.Check
	for _, name := range nodeComponents(w.env.Config) {
		if name == "kube-apiserver" {
			continue
		}
		checks = append(checks, health.Check{Name: name, Probe: func(ctx context.Context) error { return w.containerDown(ctx, name) }})
	}
	return checks
}

// podChecks are mirrorPod's, also if some of the manifests can't be read.
func (w *controlPlaneWait) podChecks() []health.Check {
	w.hashes, w.steady = map[string]string{}, steady
	var checks []health.Check
	for _, name := range nodeComponents(w.env.Config) {
		uid, err := w.env.manifestUID(name)
		w.hashes[name] = uid
		probe := w.mirrorPod(name)
		if err != nil {
			probe = func(context.Context) error { return err }
		}
		checks = append(checks, health.Check{Name: name, Probe: probe})
	}
	return checks
}

// clusterChecks are those of the Node and the addons; none where init would not wait.
func (e *Env) clusterChecks() ([]health.Check, error) {
	if err := e.dialEndpoint(); err != nil {
		e.warn("Node and addons: not looked at, as the control plane endpoint does not answer: %v", err)
		return nil, nil
	}
	c, err := e.connect(adminConf)
	if err != nil {
		return nil, err
	}
	return e.addonChecks(c), nil
}
