// Package status tells how a machine that init has set up is: what runs, what is not ready
// and why, and how long the certificates hold. It must not change anything, and must not
// be imported by phases.
package status

import (
	"context"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
	"bootstrap/phases/spec"
)

// Status is what is installed on this machine, and how it is.
type Status struct {
	Installed    bool                   `json:"installed"`
	Ready        bool                   `json:"ready"` // all that init waits for
	Standalone   bool                   `json:"standalone,omitempty"`
	Since        string                 `json:"since,omitempty"`
	Kubernetes   string                 `json:"kubernetes,omitempty"`
	Node         string                 `json:"node,omitempty"`
	Address      string                 `json:"address,omitempty"`
	Components   []Component            `json:"components,omitempty"`
	PodURL       *ready.PodURLStatus    `json:"staticPodURL,omitempty"`
	Cause        *diagnose.Finding      `json:"cause,omitempty"`
	Certificates []diagnose.Certificate `json:"certificates,omitempty"`
	Etcd         *Etcd                  `json:"etcd,omitempty"`
	Snapshots    *Snapshots             `json:"snapshots,omitempty"`
	Drift        []machine.Drift        `json:"drift,omitempty"`
	Disks        []Disk                 `json:"disks,omitempty"`
	Notes        []string               `json:"notes,omitempty"`
}

// Component is how one component is.
type Component struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// The states of a component.
const (
	StateReady    = "ready"
	StateNotReady = "not-ready"
	StateUnknown  = "unknown" // it runs, and only the API server could tell more
)

// Disk is the room on the file system of a directory.
type Disk struct {
	Path      string `json:"path"`
	FreeBytes uint64 `json:"freeBytes"`
	SizeBytes uint64 `json:"sizeBytes"`
}

// lookBack is how old lines of logs may be to count as evidence.
const lookBack = 15 * time.Minute

// Current looks at the machine and changes nothing. What does not answer is given
// up after 2 s. waits is when a wait began that it may end; zero without.
func Current(ctx context.Context, o *observe.Observer, waits time.Time) (Status, error) {
	since := installedSince(o.Host)
	if since == "" {
		return Status{}, nil
	}
	s := Status{Installed: true, Since: since}
	c, err := o.State().KeptConfig()
	if err != nil {
		return Status{}, err
	}
	if c == nil {
		s.Notes = []string{"there is no control plane, only what init makes before it: run bootstrap init"}
		return s, nil
	}
	var told plan.Events
	seen := observe.Open(observe.Observer{
		Spec: spec.Spec{Config: c, Facts: o.Facts}, Host: o.Host, Catalogue: o.Catalogue, Tell: plan.Teller{Phase: "status", To: told.Take},
	})
	s.Kubernetes, s.Node, s.Address = c.KubernetesVersion, c.NodeName, c.AdvertiseAddress.String()
	query := observe.Query{Stage: observe.Complete, Since: time.Now().Add(-lookBack), Waits: waits}
	s.look(ctx, seen, query)
	if s.Standalone = c.Box.Standalone; s.Standalone && seen.State().WasStandalone() {
		seen.Tell.Warn("a control plane was begun upon the standalone kubelet, and is not there yet: run bootstrap init, or bootstrap reset, which removes both")
	}
	s.Notes = told.Texts(plan.Warning)
	if s.Snapshots = scheduled(o.Host, time.Now()); s.Snapshots != nil && s.Snapshots.Finding != "" {
		s.Notes = append(s.Notes, s.Snapshots.Finding+"; see: journalctl -u "+spec.SnapshotService)
	}
	return s, nil
}

// look fills in what is not in the ledger.
func (s *Status) look(ctx context.Context, o *observe.Observer, q observe.Query) {
	var found *diagnose.Evidence
	var readiness ready.Readiness
	plan.SideBySide(
		func() { found = o.Evidence(ctx, q) },
		func() { readiness = (&ready.Waiter{Observer: o}).Readiness(ctx) },
		func() { s.Etcd = etcdStatus(ctx, o) },
	)
	if found.API.Unanswered > 0 || found.Etcd.Unanswered > 0 { // the probes have waited longer since, and logs may say why
		later := o.Evidence(ctx, q)
		later.Remember(found)
		found = later
	}
	s.Ready = readiness.Holds() && found.RuntimeError == ""
	s.PodURL = readiness.PodURL
	s.Components = componentStates(o.Config, found, readiness)
	s.Cause = presentCause(o.Catalogue, found)
	s.Certificates = found.Certificates
	s.Drift = found.Files
	s.Disks = disks(o.Host, found.Disks)
}

// presentCause is certain only by what was seen since a wait began: what was wrong before
// may have been mended, while the kubelet waits up to five minutes to try again.
func presentCause(all diagnose.Catalogue, found *diagnose.Evidence) *diagnose.Finding {
	if !found.Waits.IsZero() {
		cause, ok := diagnose.First(all.Causes(found.After(found.Waits)))
		if ok && cause.Level == diagnose.Error {
			return &cause
		}
	}
	cause, ok := diagnose.First(all.Causes(found))
	switch {
	case !ok:
		return nil
	case !found.Waits.IsZero():
		cause.Level = diagnose.Warning
	}
	return &cause
}

// installedSince is when the oldest effect that is still there was made; empty if none is.
func installedSince(h *host.Host) string {
	all := h.Entries()
	i := slices.IndexFunc(all, func(r host.Record) bool { return !r.Undone })
	if i < 0 {
		return ""
	}
	return all[i].Time
}

// componentStates has the runtime first, then the kubelet, its static pods and the addons:
// each needs those before it.
func componentStates(c *config.Config, found *diagnose.Evidence, r ready.Readiness) []Component {
	all := []Component{runtimeState(found)}
	for _, name := range slices.Concat([]string{"kubelet"}, spec.NodeComponents(c), r.Addons) {
		all = append(all, componentState(name, found, r))
	}
	return all
}

func runtimeState(found *diagnose.Evidence) Component {
	s := Component{Name: "containerd", State: StateReady}
	if found.RuntimeError == "" {
		return s
	}
	s.State, s.Reason = StateNotReady, found.RuntimeError
	if u := found.Units["containerd.service"]; u.Load == "loaded" && u.Active != "active" {
		s.Reason = ready.UnitDown(u).Error()
	}
	return s
}

func componentState(name string, found *diagnose.Evidence, r ready.Readiness) Component {
	reason := r.Pending[name]
	switch {
	case name == "kubelet" || name == "kube-apiserver" || r.Answers:
	case name == "etcd" && found.Etcd.Status == 200: // it says so itself
		reason = nil
	case name == "etcd" && found.Etcd.Dial == diagnose.Open:
		return Component{name, StateNotReady, oneLine("not healthy: " + strings.Join(found.Etcd.Failed, ", ") + " " + found.Etcd.Error)}
	case found.RuntimeError != "":
		return Component{name, StateUnknown, "neither the API server nor the container runtime answers"}
	case reason == nil:
		return Component{name, StateUnknown, "its container runs; the API server does not answer"}
	}
	if reason != nil {
		return Component{name, StateNotReady, oneLine(reason.Error())}
	}
	return Component{Name: name, State: StateReady}
}

// oneLine keeps an error in its row.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// disks are those that etcd and the container runtime fill.
func disks(h *host.Host, found []diagnose.Disk) []Disk {
	var all []Disk
	for _, d := range found {
		if (d.Daemon == "etcd" || d.Path == spec.ContainerdDir) && d.Size > 0 && h.Exists(d.Path) {
			all = append(all, Disk{Path: d.Path, FreeBytes: d.Available, SizeBytes: d.Size})
		}
	}
	return all
}

// Wait looks until all is ready, nothing is installed, or a certain cause was
// found twice in a row: then waiting is in vain. It ends after timeout with the last look.
func Wait(ctx context.Context, timeout time.Duration, look func(context.Context) (Status, error)) (Status, error) {
	end, before := time.Now().Add(timeout), ""
	for {
		s, err := look(ctx)
		if err == nil {
			err = context.Cause(ctx)
		}
		cause := s.certain()
		if err != nil || s.Ready || !s.Installed || cause != "" && cause == before || time.Now().Add(ready.LookEvery).After(end) {
			return s, err
		}
		before = cause
		health.Sleep(ctx, ready.LookEvery)
	}
}

// certain is the ID of a cause that keeps it from becoming ready.
func (s Status) certain() string {
	if s.Cause == nil || s.Cause.Level != diagnose.Error {
		return ""
	}
	return s.Cause.ID
}

// NotReady are the names of what is not ready or not known.
func (s Status) NotReady() []string {
	var names []string
	for _, c := range s.Components {
		if c.State != StateReady {
			names = append(names, c.Name)
		}
	}
	return names
}
