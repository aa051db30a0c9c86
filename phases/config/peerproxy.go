package config

import (
	"strconv"
	"strings"
)

// ProxiesToPeers tells whether API servers pass on what another of them serves and they do
// not, as they do from 1.36 on unless extra arguments say otherwise. Where they don't,
// kube-apiserver refuses to start with --peer-ca-file.
func (c *Config) ProxiesToPeers() bool {
	gates := map[string]bool{}
	for _, a := range c.APIServer.ExtraArgs {
		if a.Name != "feature-gates" { // of several, all count
			continue
		}
		for pair := range strings.SplitSeq(a.Value, ",") {
			name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(pair), "kube:"), "=")
			on, err := strconv.ParseBool(value)
			gates[name] = on && err == nil
		}
	}
	if asked, ok := gates["UnknownVersionInteroperabilityProxy"]; ok {
		return asked
	}
	beta, ok := gates["AllBeta"]
	const betaSince = 36
	return (beta || !ok) && c.behavesAs() >= betaSince
}

// behavesAs is the minor release whose feature gates hold in the API server.
func (c *Config) behavesAs() int {
	m, _ := minorOf(c.KubernetesVersion)
	_, emulated, ok := strings.Cut(Argument(c.APIServer.ExtraArgs, "emulated-version"), "1.")
	if n, err := strconv.Atoi(emulated); ok && err == nil {
		return n
	}
	return m.number
}
