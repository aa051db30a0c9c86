package phases

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/patch"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
)

// Env is what every phase is given. All of it is set when it is opened, and never
// changed after that.
type Env struct {
	Config    *config.Config
	Choices   Choices
	Host      *host.Host
	Facts     machine.Facts
	Bundle    *bundle.Bundle // nil without one
	Patches   patch.Set
	Recalled  bool               // the config is the one that this machine was made with
	Catalogue diagnose.Catalogue // of what can be wrong
	Tell      plan.Teller
	API       *cluster.Pool // clients of this node's API server
	// Timeout bounds all waits for the control plane together, and then the one for the
	// addons, in place of the config's. Unlike that, it reaches no manifest: another one
	// restarts nothing.
	Timeout  time.Duration
	Deadline *Deadline // of all waits for the control plane
	Keep     Keep      // what reset leaves
	AllPods  bool      // reset removes manifests of static pods that init did not make too
	Ignore   []string  // IDs of findings that preflight passes over
	Began    time.Time // of this run: what was logged before is of another
	Built    time.Time // when this program's source was; no clock is before it. Zero if unknown
}

// Open completes what a command knows by what is decided once, when it begins.
func Open(e Env) *Env {
	e.API, e.Deadline = &cluster.Pool{}, &Deadline{}
	if e.Config != nil {
		e.Choices = e.choose()
	}
	return &e
}

// OpenInit also chooses the kubelet, and asks one that others installed for its version.
func OpenInit(ctx context.Context, e Env) *Env {
	opened := Open(e)
	opened.Choices.Kubelet = opened.chooseKubelet(ctx)
	return opened
}

// Deadline is one for all waits for the control plane: it runs from the first.
type Deadline struct {
	once sync.Once
	at   time.Time
}

// For is env for one phase, which the ledger and all that is told will name.
func (e *Env) For(phase string) (*Env, plan.Teller) {
	copied := *e
	copied.Tell = e.Tell.For(phase)
	copied.Host = e.Host.Under(phase, copied.Tell.Changed)
	return &copied, copied.Tell
}

func (e *Env) forPhase(name string) *Env {
	env, _ := e.For(name)
	return env
}

// forPurpose is env for effects of which a later run must know what they are for.
func (e *Env) forPurpose(p host.Purpose) *Env {
	copied := *e
	copied.Host = e.Host.For(p)
	return &copied
}

// pending tells what a wait is for.
func (e *Env) pending(all []health.Pending) {
	parts := make([]string, len(all))
	for i, p := range all {
		parts[i] = p.Name + ": " + strings.ReplaceAll(p.Reason.Error(), "\n", "; ")
	}
	e.waiting("%s", strings.Join(parts, "; "))
}

// dialRuntime connects to this node's runtime. One that a plan would install first is nil,
// and holds nothing.
func (e *Env) dialRuntime() (*runtime.CRI, error) {
	choice := e.Choices.Runtime
	switch {
	case choice.None != nil:
		return nil, choice.None
	case e.Host.Plans() && !e.exists(runtime.SocketPath(choice.Endpoint)):
		return nil, nil
	}
	return runtime.Dial(choice.Endpoint)
}

// connect talks to this node's own API server as the kubeconfig's user.
func (e *Env) connect(kubeconfig string) (*cluster.Cluster, error) {
	data, err := e.Host.ReadFile(kubeconfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(err, "run first: bootstrap init")
	}
	if err != nil {
		return nil, err
	}
	c, err := e.API.Connect(data, e.Config.APIServerURL())
	if err == nil && e.Host.Plans() {
		c = c.Plan()
	}
	return c, err
}

// connectForHealth talks to it as super-admin, whose rights need nothing in the cluster,
// or as admin where that kubeconfig was taken away.
func (e *Env) connectForHealth() (*cluster.Cluster, error) {
	c, err := e.connect(superAdminConf)
	if errors.Is(err, fs.ErrNotExist) {
		return e.connect(adminConf)
	}
	return c, err
}

func (e *Env) changedObject(applied cluster.Applied, err error) {
	if err == nil && applied.Verb != cluster.Unchanged {
		e.changed(host.Change{Op: host.OpObject, Verb: host.Verb(applied.Verb), Target: applied.Object})
	}
}

// deadline is when the control plane must be healthy; the first call sets and tells it.
func (e *Env) deadline() time.Time {
	e.Deadline.once.Do(func() {
		e.Deadline.at = time.Now().Add(e.timeout())
		e.note("the control plane must be healthy within %s (--timeout)", e.timeout())
	})
	return e.Deadline.at
}

func (e *Env) timeout() time.Duration { return cmp.Or(e.Timeout, e.Config.ControlPlaneTimeout) }
