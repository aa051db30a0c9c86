package phases

import (
	"errors"

	"bootstrap/phases/config"
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
// plane may be made beside its pods later.
const standaloneNote = "standalone"

// CheckStandaloneAlone refuses to make a standalone kubelet of one that has a control plane.
func (e *Env) CheckStandaloneAlone() error {
	if !e.Config.Box.Standalone || !e.made(kubeletConf) {
		return nil
	}
	return withHint(errors.New("there is a control plane on this machine: a standalone kubelet is one without"),
		"remove it, and run this again: bootstrap reset")
}

// WasStandalone tells whether a control plane was made beside the pods of a standalone kubelet.
func (e *Env) WasStandalone() bool {
	c, err := e.standaloneConfig()
	return err == nil && c != nil && e.made(kubeletConf)
}

// standaloneConfig is what a standalone kubelet on this machine was made with, be it that
// a control plane was made beside its pods; nil without.
func (e *Env) standaloneConfig() (*config.Config, error) {
	if !e.made(kubeletDropIn) {
		return nil, nil
	}
	return e.noted(standaloneNote)
}

// forgetStandalone is for a reset that keeps the ledger: another kubelet may come.
func (e *Env) forgetStandalone() error {
	if note, _ := e.Host.Recall(standaloneNote); note == "" {
		return nil
	}
	return e.Host.Remember(standaloneNote, "")
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

// unlikeStandalone tells what the config wants to change of a standalone kubelet, whose
// pods would not live through it.
func (e *Env) unlikeStandalone() ([]string, error) {
	before, err := e.standaloneConfig()
	if err != nil || before == nil {
		return nil, err
	}
	var differ []string
	was := settledAlone(before)
	for i, s := range settledAlone(e.Config) {
		mayChange := e.Config.Box.Standalone && s.Field == config.PodURLField
		if s.Value != was[i].Value && !e.namesRuntimeInUse(s) && !mayChange {
			differ = append(differ, s.differs("with the standalone kubelet", was[i].Value))
		}
	}
	return differ, nil
}
