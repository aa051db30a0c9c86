package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"bootstrap/phases/runtime"
)

var (
	dnsLoop      = regexp.MustCompile(`plugin/loop: Loop \(([^)]*)\) detected`)
	conntrack    = regexp.MustCompile(`(?:open |write |set )?\S*(nf_conntrack_\w+)\S*:? .*(?:permission denied|read-only file system|operation not permitted)`)
	noIPTables   = regexp.MustCompile(`(?:iptables|nftables|nft) is not (?:available|supported)|could not run nftables command|exec: "(?:nft|iptables)": executable file not found`)
	noBridge     = regexp.MustCompile(`bridge-nf-call-\w+: no such file`)
	noInterface  = regexp.MustCompile(`[Ff]ailed to find (?:any valid )?(?:interface|default interface).*|[Uu]nable to find default v[46]? ?route.*`)
	noVXLAN      = regexp.MustCompile(`operation not supported.*vxlan|vxlan.*(?:operation not supported|not supported)|failed to create vxlan`)
	noServices   = regexp.MustCompile(`dial tcp (\S+:443): (?:i/o timeout|connect: (?:connection refused|no route to host|network is unreachable))`)
	waitsForAPI  = regexp.MustCompile(`plugin/ready: .*"kubernetes"`)
	proxyRefused = regexp.MustCompile(`"Error running ProxyServer" err="(.+)"|"command failed" err="(.+)"`)
)

// networkRules are about the addons: kube-proxy, the pod network and cluster DNS.
func networkRules() map[string]Rule {
	return map[string]Rule{
		"kube-proxy-conntrack":        {Cause: addonLogged("kube-proxy", conntrack, "kube-proxy may not set %s")},
		"kube-proxy-no-firewall":      {Cause: addonLogged("kube-proxy", noIPTables, "kube-proxy has no firewall to write to: %s")},
		"kube-proxy-refuses-settings": {Cause: kubeProxyRefuses},
		"flannel-no-br-netfilter":     {Cause: addonLogged("flanneld", noBridge, "flannel misses br_netfilter: %s")},
		"flannel-no-interface":        {Cause: addonLogged("flanneld", noInterface, "flannel: %s")},
		"flannel-no-vxlan":            {Cause: addonLogged("flanneld", noVXLAN, "flannel: %s")},
		"coredns-loop":                {Cause: addonLogged("coredns", dnsLoop, "cluster DNS asks itself: loop %s")},
		"services-unreachable":        {Cause: servicesUnreachable},
	}
}

// addonTry is the newest try of a container of an addon.
type addonTry struct {
	runtime.Container
	level Level // of what it ended with
}

// addonContainers are the newest tries of a container, in all pods of kube-system that
// have one of that name and run.
func (e *Evidence) addonContainers(name string) []addonTry {
	var newest []addonTry
	for _, p := range e.Pods {
		tries := slices.DeleteFunc(slices.Clone(p.Containers), func(c runtime.Container) bool { return c.Name != name })
		if p.Namespace == "kube-system" && p.Ready && len(tries) > 0 && !e.isOver(tries[0]) {
			newest = append(newest, addonTry{tries[0], e.addonLevel(p, tries[0])})
		}
	}
	return newest
}

// addonLevel: before addons are waited for, init may be about to replace the pod or what
// it reads; then a pod of before may still have to go.
func (e *Evidence) addonLevel(p runtime.Sandbox, newest runtime.Container) Level {
	if e.Addons && (p.Created.After(e.Since) || newest.Started.After(e.Waits)) {
		return Error
	}
	return Warning
}

// addonLogged: a container of an addon has ended, and says why. what has one verb, for
// the pattern's first group or all of the match.
func addonLogged(name string, pattern *regexp.Regexp, what string) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding {
		for _, c := range e.addonContainers(name) {
			line, match := lastMatch(texts(c.Log), pattern)
			if failed(c.Container) && match != nil {
				return provedByAddon(c.level, name, fmt.Sprintf(what, said(match[len(match)-1])), line)
			}
		}
		return nil
	}
}

// provedByAddon is for lines that a container of an addon wrote.
func provedByAddon(level Level, container, what string, lines ...string) []Finding {
	see := fmt.Sprintf("tail -n 20 /var/log/pods/kube-system_*/%s/*.log", container)
	return proved(level, what, see, lines...)
}

func kubeProxyRefuses(e *Evidence) []Finding {
	for _, c := range e.addonContainers("kube-proxy") {
		line, match := lastMatch(texts(c.Log), proxyRefused)
		if c.Exited && match != nil && !passing.MatchString(line) {
			return provedByAddon(c.level, "kube-proxy", "kube-proxy refuses its settings: "+said(firstOf(match[1:])), line)
		}
	}
	return nil
}

// stale is when a line that a client writes at each try tells of what is over.
const stale = 2 * time.Minute

// servicesUnreachable is what a slow kube-proxy looks like too, so it is never certain.
func servicesUnreachable(e *Evidence) []Finding {
	for _, name := range []string{"coredns", "flanneld"} {
		for _, c := range e.addonContainers(name) {
			line, match := lastMatch(lastLines(logSince(c.Container, e.Now.Add(-stale)), 5), noServices)
			if match != nil && e.Now.Sub(c.Started) >= steady {
				return provedByAddon(Warning, name, fmt.Sprintf("%s can't reach the API server at %s", name, match[1]), line)
			}
		}
	}
	return dnsWithoutAPI(e)
}

// dnsWithoutAPI: cluster DNS waits for the API server without a word why, for 30 s in which
// the Services could be reached.
func dnsWithoutAPI(e *Evidence) []Finding {
	const enough, quiet = 30 * time.Second, 15 * time.Second // it says that it waits each second
	old := func(t addonTry) bool { return e.upFor(t.Container, enough) }
	if e.API.Status != 200 || !slices.ContainsFunc(e.addonContainers("kube-proxy"), old) {
		return nil
	}
	for _, c := range e.addonContainers("coredns") {
		line, match := lastMatch(lastLines(logSince(c.Container, e.Now.Add(-quiet)), 2), waitsForAPI)
		if match != nil && old(c) {
			what := "coredns has waited for the API server for over 30 s, and it answers: it can't be reached at its Service address"
			return provedByAddon(Warning, "coredns", what, line)
		}
	}
	return nil
}
