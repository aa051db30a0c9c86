package config

import "strings"

// ProxiesToPeers tells whether API servers pass on what another of them serves and they do
// not, as they do from 1.36 on. Where extra arguments switch that off, kube-apiserver refuses
// to start with --peer-ca-file: so it is left out with any that might.
func (c *Config) ProxiesToPeers() bool {
	const gate = "UnknownVersionInteroperabilityProxy"
	for _, a := range c.APIServer.ExtraArgs {
		switch {
		case a.Name == "emulated-version":
			return false
		case a.Name == "feature-gates" && strings.Contains(a.Value, gate):
			return strings.Contains(a.Value, gate+"=true")
		case a.Name == "feature-gates" && strings.Contains(a.Value, "AllBeta"):
			return false
		}
	}
	m, _ := minorOf(c.KubernetesVersion)
	return m.number >= 36
}
