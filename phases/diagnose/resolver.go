package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resolver is who answers pods' questions for names outside of the cluster.
type Resolver struct {
	Read    bool   // else nothing is known of it
	Own     bool   // the config says which file, or none
	File    string // that the kubelet makes pods' resolv.conf from; empty without
	Missing bool   // the kubelet is told a file that is not there
	Servers []netip.Addr
	Silent  []netip.Addr // of those, which did not answer; nil if they were not asked
}

func resolverRules() map[string]Rule {
	return map[string]Rule{
		"resolver-file-missing": {Check: resolverFileMissing, Cause: resolverMissed},
		"no-resolver":           {Check: noResolver},
		"resolver-loops": {Check: func(m *Machine) []Finding {
			r := m.Resolver
			loops := r.Read && r.File != "" && !r.Missing && !r.outside()
			return warnIf(loops, "%s names no server that a pod can reach: pods resolve names of the cluster only", r.File)
		}},
		"resolver-silent": {Check: func(m *Machine) []Finding {
			var silent []string
			for _, s := range m.Resolver.Silent {
				silent = append(silent, s.String())
			}
			return warnIf(silent != nil, "%s: no answer from %s", m.Resolver.File, strings.Join(silent, ", "))
		}},
	}
}

func noResolver(m *Machine) []Finding {
	f := Finding{Level: Warning, What: "no /etc/resolv.conf: pods get no resolver from this machine"}
	if m.Resolver.Own {
		f.What = "KubeletConfiguration has an empty resolvConf: pods get no resolver from this machine"
		f.Remedy = "nothing, where pods need no names from outside; else name a file there, or leave it out"
	}
	return findingIf(m.Resolver.Read && m.Resolver.File == "", f)
}

// outside tells whether a server is not the machine's own loopback.
func (r Resolver) outside() bool {
	return slices.ContainsFunc(r.Servers, func(s netip.Addr) bool { return !s.IsLoopback() })
}

func resolverFileMissing(m *Machine) []Finding {
	return findingIf(m.Resolver.Missing, Finding{
		Level: Error, What: fmt.Sprintf("%s is not there, and the kubelet makes pods' resolv.conf from it: no pod starts", m.Resolver.File),
		Remedy: "put the file back, be it empty: touch " + m.Resolver.File,
	})
}
