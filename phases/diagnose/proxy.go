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

func proxyRules() map[string]Rule {
	return map[string]Rule{
		"proxy-for-cluster": {Check: func(m *Machine) []Finding {
			through := strings.Join(m.Proxy.Through, ",")
			return findingIf(m.Proxy.URL != "" && through != "", Finding{
				Level: Warning, What: fmt.Sprintf("the proxy %s would be asked for %s", m.Proxy.URL, through), Remedy: "add to NO_PROXY: " + through,
			})
		}},
	}
}
