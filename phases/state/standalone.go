package state

import (
	"bootstrap/phases/config"
	"bootstrap/phases/spec"
)

// StandaloneNote keeps the config of a standalone kubelet, from when it ran. A control
// plane may be made beside its pods later.
const StandaloneNote = "standalone"

// WasStandalone tells whether a control plane was made beside the pods of a standalone kubelet.
func (s *State) WasStandalone() bool {
	c, err := s.StandaloneConfig()
	return err == nil && c != nil && s.Host.Made(spec.KubeletConf)
}

// StandaloneConfig is what a standalone kubelet on this machine was made with, be it that
// a control plane was made beside its pods; nil without.
func (s *State) StandaloneConfig() (*config.Config, error) {
	if !s.Host.Made(spec.KubeletDropIn) {
		return nil, nil
	}
	return s.noted(StandaloneNote)
}

// ForgetStandalone is for a reset that keeps the ledger: another kubelet may come.
func (s *State) ForgetStandalone() error {
	if note, _ := s.Host.Recall(StandaloneNote); note == "" {
		return nil
	}
	return s.Host.Remember(StandaloneNote, "")
}

// settledAlone are the settings that pods of a standalone kubelet live by.
func settledAlone(c *config.Config) []Setting {
	return []Setting{
		{"networking.podSubnet", config.Joined(c.Networking.PodSubnets), "pods have addresses of it"},
		{"network", c.Box.Network, "pods have its addresses"},
		{"nodeRegistration.criSocket", c.CRISocket, "the pods run in it"},
		{"nodeRegistration.name", c.NodeName, "the static pods carry it, and would begin anew"},
		{config.PodURLField, config.PodURLOf(c.Kubelet).Shown(), "a control plane is made beside its pods, and they would end"},
	}
}

// unlikeStandalone tells what the config wants to change of a standalone kubelet, whose
// pods would not live through it.
func (s *State) unlikeStandalone() ([]string, error) {
	before, err := s.StandaloneConfig()
	if err != nil || before == nil {
		return nil, err
	}
	var differ []string
	was := settledAlone(before)
	for i, now := range settledAlone(s.Config) {
		mayChange := s.Config.Box.Standalone && now.Field == config.PodURLField
		if now.Value != was[i].Value && !s.namesRuntimeInUse(now) && !mayChange {
			differ = append(differ, now.differs("with the standalone kubelet", was[i].Value))
		}
	}
	return differ, nil
}
