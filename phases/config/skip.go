package config

import "strings"

// skip takes names of phases, of kubeadm init and of bootstrap init. Those of addons are kubeadm's way to leave room
// for others: they are the cluster's, not of one run. values/phases.txt tells which of kubeadm's have no part here,
// as init has nothing for them to do, or keeps the files that it finds.
func (b *builder) skip(c *Config, names []string) {
	phases := table("values/phases.txt")
	for i, name := range names {
		field, here := at("skipPhases", i), strings.Join(phases[name], "")
		phase, _, _ := strings.Cut(name, "/")
		switch {
		case phases[name] == nil:
			b.bad(field, "%s", unknownName("there is no phase", name, list("values/phases.txt"))[0])
		case here == "nothing":
			b.warn(field, "passed over: %s is a phase of kubeadm's that bootstrap init has not", name)
		case here == "part":
			b.warn(field, "passed over: phase %s is left out as a whole, or not", phase)
		case phase == "addon":
			c.DNSDisabled = c.DNSDisabled || name != "addon/kube-proxy"
			c.ProxyDisabled = c.ProxyDisabled || name != "addon/coredns"
		case name == "etcd/local":
			c.SkipPhases = append(c.SkipPhases, phase)
		default:
			c.SkipPhases = append(c.SkipPhases, name)
		}
	}
}
