package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"time"
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

// networkEntries are about the addons: kube-proxy, the pod network and cluster DNS.
func networkEntries() []Entry {
	return []Entry{
		{
			ID:     "kube-proxy-conntrack",
			Title:  "kube-proxy may not set the limits of connection tracking",
			Means:  "In a container or another network namespace these settings can only be read. kube-proxy ends when it is told to set one and can't.",
			Remedy: "set conntrack.maxPerCore: 0, conntrack.min: 0 and the time-outs to 0s in KubeProxyConfiguration, then run bootstrap init again",
			Cause: func(e *Evidence) []Finding {
				return e.addonLogged("kube-proxy", conntrack, "kube-proxy may not set %s")
			},
		},
		{
			ID:     "kube-proxy-no-firewall",
			Title:  "kube-proxy can't use this kernel's firewall",
			Means:  "The mode that kube-proxy runs in needs nftables or iptables in the kernel, and its program in the image.",
			Remedy: "set another mode in KubeProxyConfiguration (nftables needs Linux 5.13), or load the modules: modprobe nf_tables",
			Cause: func(e *Evidence) []Finding {
				return e.addonLogged("kube-proxy", noIPTables, "kube-proxy has no firewall to write to: %s")
			},
		},
		{
			ID:     "kube-proxy-refuses-settings",
			Title:  "kube-proxy refuses its settings",
			Means:  "It reads its config from the ConfigMap kube-proxy, says what is wrong, and ends.",
			Remedy: "correct KubeProxyConfiguration in the config file, then run bootstrap init again",
			Cause:  kubeProxyRefuses,
		},
		{
			ID:     "flannel-no-br-netfilter",
			Title:  "the kernel module br_netfilter is missing",
			Means:  "Without it traffic between pods on one node passes by the firewall, and flannel does not start.",
			Remedy: "modprobe br_netfilter; if there is no such module, install the kernel's extra modules",
			Cause: func(e *Evidence) []Finding {
				return e.addonLogged("flanneld", noBridge, "flannel misses br_netfilter: %s")
			},
		},
		{
			ID:     "flannel-no-interface",
			Title:  "flannel finds no network interface to use",
			Means:  "It takes the one with the Node's address or the default route.",
			Remedy: "add a default route, or set localAPIEndpoint.advertiseAddress to an address of this machine",
			Cause:  func(e *Evidence) []Finding { return e.addonLogged("flanneld", noInterface, "flannel: %s") },
		},
		{
			ID:     "flannel-no-vxlan",
			Title:  "the kernel has no VXLAN",
			Means:  "flannel carries traffic between nodes in VXLAN.",
			Remedy: "modprobe vxlan; or bring another network: network: none in BoxConfiguration",
			Cause:  func(e *Evidence) []Finding { return e.addonLogged("flanneld", noVXLAN, "flannel: %s") },
		},
		{
			ID:     "coredns-loop",
			Title:  "cluster DNS asks itself",
			Means:  "CoreDNS asks the servers in this machine's resolv.conf. A loopback address there is, inside its pod, CoreDNS itself.",
			Remedy: "name a real server in the file that pods get (resolvConf in KubeletConfiguration; /run/systemd/resolve/resolv.conf with systemd-resolved), restart the kubelet, and delete the pods of coredns",
			Link:   "https://coredns.io/plugins/loop/",
			Cause: func(e *Evidence) []Finding {
				return e.addonLogged("coredns", dnsLoop, "cluster DNS asks itself: loop %s")
			},
		},
		{
			ID:     "services-unreachable",
			Title:  "pods can't reach the API server at its Service address",
			Means:  "kube-proxy has not written its rules yet, or something drops what goes from pods to the node.",
			Remedy: "see that kube-proxy runs (bootstrap pods), and that the FORWARD chain of the firewall lets pods pass",
			Cause:  servicesUnreachable,
		},
	}
}

// addonTry is the newest try of a container of an addon.
type addonTry struct {
	Container
	level Level // of what it ended with
}

// addonContainers are the newest tries of a container, in all pods of kube-system that
// have one of that name and run.
func (e *Evidence) addonContainers(name string) []addonTry {
	var newest []addonTry
	for _, p := range e.Pods {
		tries := slices.DeleteFunc(slices.Clone(p.Containers), func(c Container) bool { return c.Name != name })
		if p.Namespace == "kube-system" && p.Ready && len(tries) > 0 && !e.isOver(tries[0]) {
			newest = append(newest, addonTry{tries[0], e.addonLevel(p, tries[0])})
		}
	}
	return newest
}

// addonLevel: before addons are waited for, init may be about to replace the pod or what
// it reads; then a pod of before may still have to go.
func (e *Evidence) addonLevel(p Pod, newest Container) Level {
	if e.Addons && (p.Created.After(e.Since) || newest.Started.After(e.Waits)) {
		return Error
	}
	return Warning
}

// addonLogged: a container of an addon has ended, and says why. what has one verb, for
// the pattern's first group or all of the match.
func (e *Evidence) addonLogged(name string, pattern *regexp.Regexp, what string) []Finding {
	for _, c := range e.addonContainers(name) {
		if !c.failed() {
			continue
		}
		line, match := lastMatch(c.Log, pattern)
		if match == nil {
			continue
		}
		return []Finding{{Level: c.level, What: fmt.Sprintf(what, said(match[len(match)-1])), See: addonLogCommand(name), Excerpt: excerpt(line)}}
	}
	return nil
}

func kubeProxyRefuses(e *Evidence) []Finding {
	for _, c := range e.addonContainers("kube-proxy") {
		line, match := lastMatch(c.Log, proxyRefused)
		if !c.Exited || match == nil || passing.MatchString(line) {
			continue
		}
		return []Finding{{
			Level: c.level, What: "kube-proxy refuses its settings: " + said(firstOf(match[1:])), See: addonLogCommand("kube-proxy"), Excerpt: excerpt(line),
		}}
	}
	return nil
}

// stale is when a line that a client writes at each try tells of what is over.
const stale = 2 * time.Minute

// servicesUnreachable is what a slow kube-proxy looks like too, so it is never certain.
func servicesUnreachable(e *Evidence) []Finding {
	for _, name := range []string{"coredns", "flanneld"} {
		for _, c := range e.addonContainers(name) {
			line, match := lastMatch(lastLines(c.logSince(e.Now.Add(-stale)), 5), noServices)
			if match == nil || e.Now.Sub(c.Started) < steady {
				continue
			}
			return []Finding{{
				Level: Warning, What: fmt.Sprintf("%s can't reach the API server at %s", name, match[1]), See: addonLogCommand(name), Excerpt: excerpt(line),
			}}
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
		line, match := lastMatch(lastLines(c.logSince(e.Now.Add(-quiet)), 2), waitsForAPI)
		if match == nil || !old(c) {
			continue
		}
		return []Finding{{
			Level: Warning, What: "coredns has waited for the API server for over 30 s, and it answers: it can't be reached at its Service address",
			See: addonLogCommand("coredns"), Excerpt: excerpt(line),
		}}
	}
	return nil
}

func addonLogCommand(name string) string {
	return fmt.Sprintf("tail -n 20 /var/log/pods/kube-system_*/%s/*.log", name)
}
