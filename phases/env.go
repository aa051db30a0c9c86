package phases

import (
	"cmp"
	"sync"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// Env is what every phase is given.
type Env struct {
	Config *config.Config
	Host   *host.Host
	Facts  host.Facts
	Bundle *bundle.Bundle // nil without one
	Report func(Event)    // called from several goroutines at once
	// Timeout bounds all waits for the control plane together, in place of the
	// config's. Unlike that, it reaches no manifest: another one restarts nothing.
	Timeout time.Duration

	phase     string
	firstWait *firstWait
}

// firstWait is when waiting for the control plane began: one for a whole run.
type firstWait struct {
	once sync.Once
	at   time.Time
}

func (e *Env) forPhase(name string) *Env {
	copied := *e
	copied.phase = name
	return &copied
}

// deadline is one for all waits of a run; the first call sets and tells it.
func (e *Env) deadline() time.Time {
	timeout := cmp.Or(e.Timeout, e.Config.ControlPlaneTimeout)
	e.firstWait.once.Do(func() {
		e.firstWait.at = time.Now()
		e.note("the control plane must be healthy within %s (--timeout)", timeout)
	})
	return e.firstWait.at.Add(timeout)
}
