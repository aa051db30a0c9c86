package state

import (
	"slices"

	"bootstrap/phases/config"
	"bootstrap/phases/spec"
)

// StandaloneNote names the note in the ledger that says where the config of a standalone kubelet
// is kept. It is there once that kubelet ran, and stays when a control plane is made beside its pods.
const StandaloneNote = "standalone"

// WasStandalone tells whether a control plane was made beside the pods of a standalone kubelet.
func (s *State) WasStandalone() bool {
	c, err := s.StandaloneConfig()
	return err == nil && c != nil && s.Host.Made(spec.KubeletConf)
}

// StandaloneConfig is what the standalone kubelet on this machine was made with, also where a
// control plane was made beside its pods since. It is nil where there was none.
func (s *State) StandaloneConfig() (*config.Config, error) {
	if !s.Host.Made(spec.KubeletDropIn) {
		return nil, nil
	}
	return s.noted(StandaloneNote)
}

// ForgetStandalone is for a reset that keeps the ledger: the next kubelet may be another.
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
		{socketField, c.CRISocket, "the pods run in it"},
		{"nodeRegistration.name", c.NodeName, "the static pods carry it, and would begin anew"},
		{config.PodURLField, config.PodURLOf(c.Kubelet).Shown(), "a control plane is made beside its pods, and they would end"},
	}
}

// unlikeStandalone says what the config wants to change of a standalone kubelet, whose pods would
// not live through it. Another URL of pods is refused only where a control plane is made.
func (s *State) unlikeStandalone() ([]string, error) {
	before, err := s.StandaloneConfig()
	if err != nil || before == nil {
		return nil, err
	}
	now := settledAlone(s.Config)
	if s.Config.Box.Standalone {
		now = slices.DeleteFunc(now, func(each Setting) bool { return each.Field == config.PodURLField })
	}
	return s.unlike(valuesOf(settledAlone(before)), "with the standalone kubelet", now), nil
}
