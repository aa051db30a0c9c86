package phases

import (
	"errors"
	"fmt"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// Standalone is the plan of bootstrap init --standalone: a kubelet that runs static pods
// without an API server.
func Standalone() Plan {
	return Plan{
		{preflight},
		{runtimePhase, kubelet},
		{images},
		{kubeletStart},
		{waitKubelet},
	}
}

// InitPlan is the plan by which init makes what the config asks for.
func InitPlan(c *config.Config) Plan {
	if c.Box.Standalone {
		return Standalone()
	}
	return Init()
}

// standaloneNote keeps the config of a standalone kubelet, from when it ran. A control
// plane that is made upon it is a layer, so that reset takes only that away.
const standaloneNote = "standalone"

// BeginInit tells the ledger of the machine what is to be made upon what is there.
func BeginInit(h *host.Host, c *config.Config) error {
	env := &Env{Host: h}
	if c.Box.Standalone {
		return env.checkNoControlPlane()
	}
	if alone, err := env.standaloneConfig(); alone == nil || err != nil {
		return err
	}
	h.BeginLayer()
	return nil
}

func (e *Env) checkNoControlPlane() error {
	err := errors.New("there is a control plane on this machine: a standalone kubelet is one without")
	switch {
	case e.Host.HasLayer():
		return withHint(err, "go back to the standalone kubelet that was here before: bootstrap reset")
	case e.made(kubeletConf):
		return withHint(err, "remove it, and run this again: bootstrap reset")
	}
	return nil
}

// standaloneConfig is what a standalone kubelet on this machine was made with, be it that
// a control plane was made upon it; nil without. The note outlives a kubelet whose reset
// kept the runtime.
func (e *Env) standaloneConfig() (*config.Config, error) {
	if !e.made(kubeletDropIn) {
		return nil, nil
	}
	return e.noted(standaloneNote)
}

// settledAlone are the settings that pods of a standalone kubelet live by.
func settledAlone(c *config.Config) []setting {
	return []setting{
		{"networking.podSubnet", joined(c.Networking.PodSubnets), "pods have addresses of it"},
		{"network", c.Box.Network, "pods have its addresses"},
		{"nodeRegistration.criSocket", c.CRISocket, "the pods run in it"},
		{"nodeRegistration.name", c.NodeName, "the static pods carry it, and would begin anew"},
		{config.PodURLField, config.PodURLOf(c.Kubelet).Shown(), "a control plane is made beside its pods, and they would end"},
	}
}

// checkStandalone finds what the config wants to change of a standalone kubelet, whose
// pods would not live through it.
func (e *Env) checkStandalone() []error {
	before, err := e.standaloneConfig()
	if err != nil {
		return []error{err}
	}
	if before == nil {
		return nil
	}
	var findings []error
	was := settledAlone(before)
	for i, s := range settledAlone(e.Config) {
		mayChange := e.Config.Box.Standalone && s.Field == config.PodURLField
		if s.Value != was[i].Value && !e.isSo(s) && !mayChange {
			findings = append(findings, found(e.Catalogue, "setting-settled", fmt.Errorf("%s is %q with the standalone kubelet and %q in the config; it can't be changed: %s",
				s.Field, was[i].Value, s.Value, s.why)))
		}
	}
	return findings
}
