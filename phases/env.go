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
	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/patch"
	"bootstrap/phases/runtime"
)

// Env is what every phase is given.
type Env struct {
	Config  *config.Config
	Host    *host.Host
	Facts   machine.Facts
	Bundle  *bundle.Bundle // nil without one
	Patches patch.Set
	Report  func(Event) // called from several goroutines at once
	// Timeout bounds all waits for the control plane together, and then the one for the
	// addons, in place of the config's. Unlike that, it reaches no manifest: another one
	// restarts nothing.
	Timeout time.Duration
	Keep    Keep      // what reset leaves
	AllPods bool      // reset removes manifests of static pods that init did not make too
	Ignore  []string  // IDs of findings that preflight passes over
	Began   time.Time // of this run: what was logged before is of another
	Waits   time.Time // when waiting began: what was seen before may be mended. Zero while nothing waits
	Built   time.Time // when this program's source was; no clock is before it. Zero if unknown

	measures  bool           // the disk may be written to, although nothing is changed: preflight's purpose
	awaited   []string       // the static pods that a wait is for; nil for all of this node
	watched   *staticPodWait // the wait for a static pod of the user's; nil where the control plane is meant
	looks     *looks         // of the wait that goes on; nil outside of one
	pause     time.Duration  // between two rounds of a wait; zero for the usual
	phase     string
	firstWait *firstWait
	clients   *clients
	versions  *versions
}

// firstWait is when waiting for the control plane began: one for a whole run.
type firstWait struct {
	once sync.Once
	at   time.Time
}

// clients are those of a whole run, by kubeconfig: each phase would shake hands anew.
type clients struct {
	mu  sync.Mutex
	all map[string]*cluster.Cluster
}

func (c *clients) connect(kubeconfig []byte, server string) (*cluster.Cluster, error) {
	if c == nil {
		return cluster.Connect(kubeconfig, server)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.all[string(kubeconfig)]; ok {
		return known, nil
	}
	made, err := cluster.Connect(kubeconfig, server)
	if err == nil {
		c.all[string(kubeconfig)] = made
	}
	return made, err
}

// versions are what programs of others have told in a whole run: starting a kubelet to
// ask it takes as long as a phase.
type versions struct {
	mu  sync.Mutex
	all map[string]string
}

func (v *versions) of(program string, ask func() (string, error)) (string, error) {
	if v == nil {
		return ask()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.all[program]; ok {
		return known, nil
	}
	told, err := ask()
	if err == nil {
		v.all[program] = told
	}
	return told, err
}

func (e *Env) forPhase(name string) *Env {
	copied := *e
	copied.phase = name
	copied.Host = e.Host.Under(name, copied.changed)
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

// dialRuntime connects to a runtime. The one that a plan would install first is nil,
// and holds nothing.
func (e *Env) dialRuntime(choice Runtime) (*runtime.CRI, error) {
	if e.Host.Plans() && !e.exists(runtime.SocketPath(choice.Endpoint)) {
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
	c, err := e.clients.connect(data, e.Config.APIServerURL())
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

// apply makes an object what the manifest says.
func (e *Env) apply(ctx context.Context, c *cluster.Cluster, manifest []byte) error {
	applied, err := c.Apply(ctx, manifest)
	e.changedObject(applied, err)
	return err
}

func (e *Env) changedObject(applied cluster.Applied, err error) {
	if err == nil && applied.Verb != cluster.Unchanged {
		e.changed(host.Change{Op: host.OpObject, Verb: host.Verb(applied.Verb), Target: applied.Object})
	}
}

// deadline is one for all waits for the control plane; the first call sets and tells it.
func (e *Env) deadline() time.Time {
	e.firstWait.once.Do(func() {
		e.firstWait.at = time.Now()
		e.note("the control plane must be healthy within %s (--timeout)", e.timeout())
	})
	return e.firstWait.at.Add(e.timeout())
}

func (e *Env) timeout() time.Duration { return cmp.Or(e.Timeout, e.Config.ControlPlaneTimeout) }
