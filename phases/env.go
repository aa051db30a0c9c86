package phases

import (
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
	phase  string
}

func (e *Env) forPhase(name string) *Env {
	copied := *e
	copied.phase = name
	return &copied
}
