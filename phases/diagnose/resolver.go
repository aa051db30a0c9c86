package diagnose

import (
	"fmt"
	"net/netip"
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

func resolverEntries() []Entry {
	return []Entry{
		{
			ID: "resolver-file-missing", Title: "the file of name servers is gone",
			Means:  "The kubelet makes each pod's resolv.conf from it. When it is told a file that is not there, it starts no pod at all, not even the control plane.",
			Remedy: "put the file back, be it empty: touch FILE",
			Check:  resolverFileMissing, Cause: resolverMissed,
		},
		{
			ID: "no-resolver", Title: "pods get no name server from this machine",
			Means:  "Pods find each other by cluster DNS, and names outside of the cluster not at all. Where there is no /etc/resolv.conf, bootstrap tells the kubelet to do without, else no pod would start; resolvConf in KubeletConfiguration may say so too.",
			Remedy: "nothing, where pods need no names from outside; else write /etc/resolv.conf before init",
			Check:  noResolver,
		},
		{
			ID: "resolver-loops", Title: "no name server that a pod could reach",
			Means:  "An address such as 127.0.0.53 is the machine's own, and in a pod it is the pod's. Cluster DNS would ask itself; so bootstrap lets it answer for names of the cluster only.",
			Remedy: "name a server that pods reach, in a file of its own: resolvConf in a KubeletConfiguration of the config file",
			Check: func(m *Machine) []Finding {
				return findingIf(m.Resolver.Read && m.Resolver.File != "" && !m.Resolver.Missing && !m.Resolver.outside(), Finding{
					Level: Warning, What: fmt.Sprintf("%s names no server that a pod can reach: pods resolve names of the cluster only", m.Resolver.File),
				})
			},
		},
		{
			ID: "resolver-silent", Title: "a name server does not answer",
			Means:  "Whoever asks it waits for seconds before asking the next. Where none answers, pods resolve names of the cluster only.",
			Remedy: "see that the server runs and is reached: resolvectl status, or dig @SERVER; or take it out of the file",
			Check: func(m *Machine) []Finding {
				var silent []string
				for _, s := range m.Resolver.Silent {
					silent = append(silent, s.String())
				}
				return findingIf(len(silent) > 0, Finding{Level: Warning, What: fmt.Sprintf("%s: no answer from %s", m.Resolver.File, strings.Join(silent, ", "))})
			},
		},
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
	for _, s := range r.Servers {
		if !s.IsLoopback() {
			return true
		}
	}
	return false
}

func resolverFileMissing(m *Machine) []Finding {
	return findingIf(m.Resolver.Missing, Finding{
		Level: Error, What: fmt.Sprintf("%s is not there, and the kubelet makes pods' resolv.conf from it: no pod starts", m.Resolver.File),
		Remedy: "put the file back, be it empty: touch " + m.Resolver.File,
	})
}
