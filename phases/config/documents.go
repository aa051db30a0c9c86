package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	netutils "k8s.io/utils/net"
)

// told makes a function that tells reasons against a field of a document of Kubernetes' own.
func (b *builder) told(kind string) func(field string, reasons []string) {
	return func(field string, reasons []string) {
		for _, why := range reasons {
			b.badIn(kind, field, "%s", why)
		}
	}
}

// validateKubeletValues refuses what the kubelet does (pkg/kubelet/apis/config/validation).
func (b *builder) validateKubeletValues(kubelet map[string]any) {
	tell := b.told(kubeletKind)
	known := table("values/kubelet.txt")
	for _, field := range slices.Sorted(maps.Keys(known)) {
		tell(field, unfitWord(known[field], textOf(kubelet, field)))
	}
	for _, field := range []string{"address", "healthzBindAddress", "clusterDNS"} {
		for _, ip := range wordsOf(kubelet, field) {
			tell(field, reasonIf(!isIP(ip), "%q is no IP address", ip))
		}
	}
	suites := wordsOf(kubelet, "tlsCipherSuites")
	tell("tlsCipherSuites", append(unfitSuites(suites), withoutHTTP2(suites, textOf(kubelet, "tlsMinVersion"))...))
	size := textOf(kubelet, "containerLogMaxSize")
	tell("containerLogMaxSize", reasonIf(size != "" && (strings.HasSuffix(size, "%") || !isThreshold(size)), "%q is no quantity such as 10Mi", size))
	tell("systemReserved", unfitReserved(textsOf(kubelet, "systemReserved")))
	tell("kubeReserved", unfitReserved(textsOf(kubelet, "kubeReserved")))
	soft, periods := textsOf(kubelet, "evictionSoft"), textsOf(kubelet, "evictionSoftGracePeriod")
	tell("evictionHard", unfitSignals(textsOf(kubelet, "evictionHard"), isThreshold, "500Mi or 10%"))
	tell("evictionSoft", unfitSignals(soft, isThreshold, "500Mi or 10%"))
	tell("evictionSoftGracePeriod", unfitSignals(periods, parses(time.ParseDuration), "1m30s"))
	for _, signal := range slices.Sorted(maps.Keys(soft)) {
		tell("evictionSoft", reasonIf(periods[signal] == "", "%s needs a duration in evictionSoftGracePeriod, such as 1m30s", signal))
	}
	low, given := kubelet["imageGCLowThresholdPercent"].(int64)
	high, givenHigh := kubelet["imageGCHighThresholdPercent"].(int64)
	tell("imageGCLowThresholdPercent", reasonIf(given && givenHigh && low >= high, "%d must be below imageGCHighThresholdPercent, %d", low, high))
	for _, what := range wordsOf(kubelet, "enforceNodeAllocatable") {
		cgroup := map[string]string{"system-reserved": "systemReservedCgroup", "kube-reserved": "kubeReservedCgroup"}[strings.TrimSuffix(what, "-compressible")]
		tell("enforceNodeAllocatable", reasonIf(cgroup != "" && textOf(kubelet, cgroup) == "", "%s needs %s as well", what, cgroup))
		tell("enforceNodeAllocatable", reasonIf(cgroup == "" && what != "pods" && what != "none", "%q is unknown, want pods, system-reserved, kube-reserved or none", what))
	}
	grace, _ := time.ParseDuration(textOf(kubelet, "shutdownGracePeriod")) // the document was read strictly
	critical, _ := time.ParseDuration(textOf(kubelet, "shutdownGracePeriodCriticalPods"))
	tell("shutdownGracePeriodCriticalPods", reasonIf(critical > grace, "%s is a part of shutdownGracePeriod, %s, and can't be longer", critical, grace))
}

// validateKubeProxyValues refuses what kube-proxy does (pkg/proxy/apis/config/validation).
func (b *builder) validateKubeProxyValues(document map[string]any) {
	tell := b.told(kubeProxyKind)
	known := table("values/kube-proxy.txt")
	for _, field := range slices.Sorted(maps.Keys(known)) {
		tell(field, unfitWord(known[field], textOf(document, field)))
	}
	ip := textOf(document, "bindAddress")
	tell("bindAddress", reasonIf(ip != "" && !isIP(ip), "%q is no IP address", ip))
	for _, field := range []string{"healthzBindAddress", "metricsBindAddress"} {
		address := textOf(document, field)
		tell(field, reasonIf(address != "" && !isIP(address) && !parses(netip.ParseAddrPort)(address), "%q is no IP address, with a port or without", address))
	}
	addresses := wordsOf(document, "nodePortAddresses")
	for _, address := range addresses {
		_, _, err := netutils.ParseCIDRSloppy(address)
		tell("nodePortAddresses", reasonIf(err != nil && !slices.Equal(addresses, []string{"primary"}), "%q is no range such as 192.0.2.0/24; primary may stand alone", address))
	}
}

// wordsOf are the entries of a field, or the one that it is.
func wordsOf(document map[string]any, field string) []string { return words(textOf(document, field)) }

// textsOf are the texts of a field that is a mapping.
func textsOf(document map[string]any, field string) map[string]string {
	texts := map[string]string{}
	fields, _ := document[field].(map[string]any)
	for name, value := range fields {
		texts[name], _ = value.(string) // the document was read strictly
	}
	return texts
}
