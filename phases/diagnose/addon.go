package diagnose

import (
	"fmt"
	"slices"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/runtime"
)

var (
	dnsLoop      = lazyregexp.New(`plugin/loop: Loop \(([^)]*)\) detected`)
	conntrack    = lazyregexp.New(`(?:open |write |set )?\S*(nf_conntrack_\w+)\S*:? .*(?:permission denied|read-only file system|operation not permitted)`)
	noIPTables   = lazyregexp.New(`(?:iptables|nftables|nft) is not (?:available|supported)|could not run nftables command|exec: "(?:nft|iptables)": executable file not found`)
	noBridge     = lazyregexp.New(`bridge-nf-call-\w+: no such file`)
	noInterface  = lazyregexp.New(`[Ff]ailed to find (?:any valid )?(?:interface|default interface).*|[Uu]nable to find default v[46]? ?route.*`)
	noVXLAN      = lazyregexp.New(`operation not supported.*vxlan|vxlan.*(?:operation not supported|not supported)|failed to create vxlan`)
	noServices   = lazyregexp.New(`dial tcp (\S+:443): (?:i/o timeout|connect: (?:connection refused|no route to host|network is unreachable))`)
	waitsForAPI  = lazyregexp.New(`plugin/ready: .*"kubernetes"`)
	watchFails   = lazyregexp.New(`Failed to watch|failed to list`)
	apiSaidNo    = lazyregexp.New(`is forbidden|Unauthorized|x509: `) // so it was reached
	noToken      = lazyregexp.New(`open (/var/run/secrets/kubernetes\.io/serviceaccount/\S+): no such file or directory`)
	proxyRefused = lazyregexp.New(`"(?:Error running ProxyServer|command failed)" err="(.+)"`)
)

// notSettings are no fault of a program's settings: its pod lacks its service account, does not trust the API
// server, or may not set the kernel.
var notSettings = lazyregexp.New(`/var/run/secrets/|in-cluster configuration|no configuration has been provided|x509: |/proc/sys/net/ipv`)

// addonRules are about the addons: kube-proxy, the pod network and cluster DNS.
func addonRules() map[string]Rule {
	return map[string]Rule{
		"kubelet-mounts-hidden":       {Cause: mountsHidden},
		"kube-proxy-conntrack":        {Cause: addonLogged("kube-proxy", conntrack, "kube-proxy may not set %s")},
		"kube-proxy-no-firewall":      {Cause: addonLogged("kube-proxy", noIPTables, "kube-proxy has no firewall to write to: %s")},
		"kube-proxy-refuses-settings": {Cause: addonLogged("kube-proxy", proxyRefused, "kube-proxy refuses its settings: %s")},
		"flannel-no-br-netfilter":     {Cause: addonLogged("flanneld", noBridge, "flannel misses br_netfilter: %s")},
		"flannel-no-interface":        {Cause: addonLogged("flanneld", noInterface, "flannel: %s")},
		"flannel-no-vxlan":            {Cause: addonLogged("flanneld", noVXLAN, "flannel: %s")},
		"coredns-loop":                {Cause: addonLogged("coredns", dnsLoop, "cluster DNS asks itself: loop %s")},
		"firewall-flushed":            {Cause: firewallFlushed},
		"services-unreachable":        {Cause: servicesUnreachable},
		"addon-crashes":               {Cause: addonCrashes},
	}
}

// addonTry is the newest try of a container of an addon.
type addonTry struct {
	runtime.Container
	certain bool // that it goes on to end like this
}

// addonContainers are the newest tries of containers with these names, in all pods of
// kube-system that run. What one ended with is certain only while addons are waited for, and for a
// pod that is not of before: until then init may be about to replace the pod or what it reads.
func (e *Evidence) addonContainers(names ...string) []addonTry {
	var newest []addonTry
	for _, name := range names {
		for _, p := range e.Pods {
			i := slices.IndexFunc(p.Containers, func(c runtime.Container) bool { return c.Name == name })
			if p.Namespace != "kube-system" || !p.Ready || i < 0 || e.isOver(p.Containers[i]) {
				continue
			}
			c := p.Containers[i]
			newest = append(newest, addonTry{c, e.Addons && (p.Created.After(e.Since) || c.Started.After(e.Waits))})
		}
	}
	return newest
}

// addonLogged: a container of an addon has ended, and says why. It is nothing that may come
// yet. what has one verb, for the pattern's first group or all of the match.
func addonLogged(name string, pattern lazyregexp.Regexp, what string) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		for _, c := range e.addonContainers(name) {
			line, match := lastMatch(texts(c.Log), pattern)
			tooEarly := c.Attempt == 0 && noInterface().MatchString(line) // the default route may come yet
			if failed(c.Container) && match != nil && !tooEarly && !passing().MatchString(line) && !notSettings().MatchString(line) {
				return finding(certainIf(c.certain), what, match[len(match)-1]).see(addonLog(name)).proof(line)
			}
		}
		return nil
	}
}

// mountsHidden: a container misses its token, which the kubelet has mounted where the runtime does not see it.
func mountsHidden(e *Evidence) Findings {
	for _, c := range e.addonContainers(addonNames...) {
		line, match := lastMatch(texts(c.Log), noToken)
		if failed(c.Container) && match != nil && e.Units[kubeletUnit].OwnMounts {
			const what = "%s misses %s: a setting of the kubelet's unit, as PrivateMounts or ProtectSystem, hides what the kubelet mounts for pods"
			return finding(certainIf(c.certain), what, c.Name, match[1]).see("systemctl cat kubelet").proof(line)
		}
	}
	return nil
}

// addonLog is the command that shows what a container of an addon wrote.
func addonLog(container string) string {
	return fmt.Sprintf("tail -n 20 /var/log/pods/kube-system_*/%s/*.log", container)
}

// firewallFlushed is never certain. A kube-proxy that does not reach the API server has written nothing yet.
func firewallFlushed(e *Evidence) Findings {
	for _, lost := range e.Firewall.Lost {
		for _, c := range e.addonContainers(lost.Container) {
			_, waits := lastMatch(lastLines(texts(c.Log), 5), watchFails)
			long := map[bool]time.Duration{true: startsUp, false: steady}[Crowded(e.Crowding)]
			if waits == nil && e.upFor(c.Container, long) {
				const what = "the firewall has no table %s, which %s writes when it starts: something has removed it, and Services or pods are cut off"
				return finding(Warning, what, lost.Name, c.Name).see("nft list tables")
			}
		}
	}
	return nil
}

// stale is when a line that a client writes at each try tells of what is over.
const stale = 2 * time.Minute

// servicesUnreachable is what a slow kube-proxy looks like too, so it is never certain. What was said before the
// present wait may have been for want of an API server.
func servicesUnreachable(e *Evidence) Findings {
	since := slices.MaxFunc([]time.Time{e.Now.Add(-stale), e.Waits}, time.Time.Compare)
	for _, c := range e.addonContainers("coredns", "flanneld") {
		line, match := lastMatch(lastLines(logSince(c.Container, since), 5), noServices)
		if match != nil && e.Now.Sub(c.Started) >= steady {
			return finding(Warning, "%s can't reach the API server at %s", c.Name, match[1]).see(addonLog(c.Name)).proof(line)
		}
	}
	return dnsWithoutAPI(e)
}

// dnsWithoutAPI: cluster DNS waits for the API server without a word why, for 30 s in which
// the Services could be reached.
func dnsWithoutAPI(e *Evidence) Findings {
	const enough, quiet = 30 * time.Second, 15 * time.Second // it says that it waits each second
	old := func(t addonTry) bool { return e.upFor(t.Container, enough) }
	if e.API.Status != 200 || !slices.ContainsFunc(e.addonContainers("kube-proxy"), old) {
		return nil
	}
	for _, c := range e.addonContainers("coredns") {
		line, match := lastMatch(lastLines(logSince(c.Container, e.Now.Add(-quiet)), 2), waitsForAPI)
		if _, no := lastMatch(texts(c.Log), apiSaidNo); match != nil && no == nil && old(c) {
			return finding(Warning, "coredns has waited for the API server for over 30 s, and it answers: it can't be reached at its Service address").
				see(addonLog("coredns")).proof(line)
		}
	}
	return nil
}

var addonNames = []string{"kube-proxy", "cni-install", "flanneld", "coredns"} // of containers

func addonCrashes(e *Evidence) Findings {
	for _, c := range e.addonContainers(addonNames...) {
		if failed(c.Container) && c.Attempt > 0 {
			return hasEnded(Warning, c.Name, c.Container).see(addonLog(c.Name))
		}
	}
	return nil
}
