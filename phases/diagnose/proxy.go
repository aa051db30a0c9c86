package diagnose

import (
	"fmt"
	"strings"
)

// Proxy is a proxy that the environment names.
type Proxy struct {
	URL     string   // without its password; empty without one
	Through []string // what of the cluster's would go through it
}

func proxyEntries() []Entry {
	return []Entry{{
		ID: "proxy-for-cluster", Title: "what is inside the cluster would go through a proxy",
		Means:  "HTTPS_PROXY is set, and NO_PROXY does not name the cluster's addresses. Programs that heed it, such as kubectl, ask a proxy that knows nothing of the cluster.",
		Remedy: "add this machine's address, the Service range and the pod range to NO_PROXY",
		Check: func(m *Machine) []Finding {
			if m.Proxy.URL == "" || len(m.Proxy.Through) == 0 {
				return nil
			}
			add := strings.Join(m.Proxy.Through, ",")
			return []Finding{{Level: Warning, What: fmt.Sprintf("the proxy %s would be asked for %s", m.Proxy.URL, add), Remedy: "add to NO_PROXY: " + add}}
		},
	}}
}
