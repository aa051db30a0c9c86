package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	kubeletapis "k8s.io/kubelet/pkg/apis"
	netutils "k8s.io/utils/net"

	"bootstrap/phases/locate"
)

// unfitLabels refuses what the kubelet does (cmd/kubelet/app/options, ValidateKubeletFlags).
func unfitLabels(value string) (reasons []string) {
	labels := pairs(value, "=")
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		domain, _, _ := strings.Cut(key, "/")
		domain = "." + domain
		switch {
		case validation.IsQualifiedName(key) != nil:
			reasons = append(reasons, fmt.Sprintf("%q is no label name", key))
		case validation.IsValidLabelValue(labels[key]) != nil:
			reasons = append(reasons, fmt.Sprintf("%q is no label value", labels[key]))
		case !strings.HasSuffix(domain, ".kubernetes.io") && !strings.HasSuffix(domain, ".k8s.io"), kubeletapis.IsKubeletLabel(key):
		default:
			reasons = append(reasons, fmt.Sprintf("a kubelet may not give itself the label %s: after init, kubectl label node NAME %s=%s", key, key, labels[key]))
		}
	}
	return reasons
}

var signals = []string{
	"memory.available", "allocatableMemory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
	"containerfs.available", "containerfs.inodesFree", "pid.available",
}

// unfitSignals refuses values of signals as the kubelet does (pkg/kubelet/eviction/helpers.go).
func unfitSignals(values map[string]string, fits func(string) bool, example string) (reasons []string) {
	for _, signal := range slices.Sorted(maps.Keys(values)) {
		switch value := values[signal]; {
		case !slices.Contains(signals, signal):
			reasons = append(reasons, fmt.Sprintf("there is no signal %q%s", signal, locate.DidYouMean(signal, signals)))
		case !fits(value):
			reasons = append(reasons, fmt.Sprintf("%q of %s is no value such as %s", value, signal, example))
		}
	}
	return reasons
}

func isPeriod(value string) bool {
	period, err := time.ParseDuration(value)
	return err == nil && period >= 0
}

func isReclaim(value string) bool {
	part, isPart := strings.CutSuffix(value, "%")
	n, err := strconv.ParseFloat(part, 32)
	return isPart && err == nil && n >= 0 && n <= 100 || isSize(value)
}

// isThreshold is not 0 but as 0%, which switches it off.
func isThreshold(value string) bool {
	q, err := resource.ParseQuantity(value)
	return isReclaim(value) && (err != nil || !q.IsZero())
}

func isSize(value string) bool {
	q, err := resource.ParseQuantity(value)
	return err == nil && q.Sign() >= 0
}

func unfitReserved(reserved map[string]string) (reasons []string) {
	known := []string{"cpu", "memory", "ephemeral-storage", "pid"}
	for _, name := range slices.Sorted(maps.Keys(reserved)) {
		switch {
		case !slices.Contains(known, name):
			reasons = append(reasons, fmt.Sprintf("%q can't be reserved, only %s", name, strings.Join(known, ", ")))
		case !isSize(reserved[name]):
			reasons = append(reasons, fmt.Sprintf("%q of %s is no quantity such as 500m or 2Gi", reserved[name], name))
		}
	}
	return reasons
}

// kubeletWords are fields of KubeletConfiguration that take one of a few words.
var kubeletWords = map[string][]string{
	"hairpinMode": {"promiscuous-bridge", "hairpin-veth", "none"}, "cpuManagerPolicy": {"none", "static"}, "memoryManagerPolicy": {"None", "Static"},
	"topologyManagerPolicy": {"none", "best-effort", "restricted", "single-numa-node"}, "topologyManagerScope": {"container", "pod"},
	"memorySwap.swapBehavior": {"LimitedSwap", "NoSwap"}, "logging.format": {"text", "json"}, "tlsMinVersion": tlsVersions,
	"configMapAndSecretChangeDetectionStrategy": {"Get", "Cache", "Watch"}, "memoryReservationPolicy": {"None", "TieredReservation"},
	"cgroupDriver": {"systemd", "cgroupfs"},
}

// between is what a number of a document may be.
type between struct{ least, most float64 }

const any32 = 1 << 31

var kubeletNumbers = map[string]between{
	"maxPods": {0, any32}, "podsPerCore": {0, any32}, "eventBurst": {0, any32}, "eventRecordQPS": {0, any32}, "registryPullQPS": {0, any32},
	"registryBurst": {0, any32}, "kubeAPIBurst": {0, any32}, "kubeAPIQPS": {0, any32}, "maxOpenFiles": {0, 1 << 63}, "nodeStatusMaxImages": {-1, any32},
	"oomScoreAdj": {-1000, 1000}, "imageGCHighThresholdPercent": {0, 100}, "imageGCLowThresholdPercent": {0, 100}, "nodeLeaseDurationSeconds": {0, any32},
	"maxParallelImagePulls": {1, any32}, "containerLogMaxFiles": {2, any32}, "containerLogMaxWorkers": {1, any32},
	"iptablesMasqueradeBit": {0, 31}, "iptablesDropBit": {0, 31}, "memoryThrottlingFactor": {0, 1},
	"port": {0, 65535}, "readOnlyPort": {0, 65535}, "healthzPort": {0, 65535}, // 0 is the default, or off
}

// validateDocument refuses words and numbers that a component's own document can't have, and its gates.
func (b *builder) validateDocument(kind string, document map[string]any, known map[string][]string, numbers map[string]between) {
	for _, field := range slices.Sorted(maps.Keys(known)) {
		for _, why := range unfitWord(known[field], textOf(document, field)) {
			b.badIn(kind, field, "%s", why)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(numbers)) {
		text, may := textOf(document, field), numbers[field]
		n, err := strconv.ParseFloat(text, 64)
		if err == nil && (n < may.least || n > may.most) {
			b.badIn(kind, field, "%s is out of range, want %g to %g", text, may.least, may.most)
		}
	}
}

// validateKubeletValues refuses what the kubelet does (pkg/kubelet/apis/config/validation).
func (b *builder) validateKubeletValues(kubelet map[string]any) {
	b.validateDocument(kubeletKind, kubelet, kubeletWords, kubeletNumbers)
	tell := func(field string, reasons []string) {
		for _, why := range reasons {
			b.badIn(kubeletKind, field, "%s", why)
		}
	}
	texts := func(field string) map[string]string { return textsOf(kubelet, field) }
	tell("evictionHard", unfitSignals(texts("evictionHard"), isThreshold, "500Mi or 10%"))
	tell("evictionSoft", unfitSignals(texts("evictionSoft"), isThreshold, "500Mi or 10%"))
	tell("evictionMinimumReclaim", unfitSignals(texts("evictionMinimumReclaim"), isReclaim, "500Mi or 10%"))
	tell("evictionSoftGracePeriod", unfitSignals(texts("evictionSoftGracePeriod"), isPeriod, "1m30s"))
	for _, signal := range slices.Sorted(maps.Keys(texts("evictionSoft"))) {
		if texts("evictionSoftGracePeriod")[signal] == "" {
			tell("evictionSoft", []string{signal + " needs a duration in evictionSoftGracePeriod, such as 1m30s"})
		}
	}
	tell("systemReserved", unfitReserved(texts("systemReserved")))
	tell("kubeReserved", unfitReserved(texts("kubeReserved")))
	if size := textOf(kubelet, "containerLogMaxSize"); size != "" && !isSize(size) {
		tell("containerLogMaxSize", []string{fmt.Sprintf("%q is no quantity such as 10Mi", size)})
	}
	for _, field := range []string{"address", "healthzBindAddress", "clusterDNS"} {
		for _, ip := range wordsOf(kubelet, field) {
			if netutils.ParseIPSloppy(ip) == nil {
				tell(field, []string{fmt.Sprintf("%q is no IP address", ip)})
			}
		}
	}
	suites := wordsOf(kubelet, "tlsCipherSuites")
	tell("tlsCipherSuites", unfitSuites(suites))
	if why := withoutHTTP2(suites, textOf(kubelet, "tlsMinVersion")); why != "" && unfitSuites(suites) == nil {
		tell("tlsCipherSuites", []string{why})
	}
	b.validateKubeletTogether(kubelet)
}

// validateKubeletTogether looks at fields that need another.
func (b *builder) validateKubeletTogether(kubelet map[string]any) {
	percent := func(field string, byDefault int64) int64 {
		if n, given := kubelet[field].(int64); given {
			return n
		}
		return byDefault
	}
	if low, high := percent("imageGCLowThresholdPercent", 80), percent("imageGCHighThresholdPercent", 85); low >= high {
		b.badIn(kubeletKind, "imageGCLowThresholdPercent", "%d must be below imageGCHighThresholdPercent, %d", low, high)
	}
	for _, what := range wordsOf(kubelet, "enforceNodeAllocatable") {
		owner, _ := strings.CutSuffix(what, "-compressible")
		cgroup := map[string]string{"system-reserved": "systemReservedCgroup", "kube-reserved": "kubeReservedCgroup"}[owner]
		switch {
		case cgroup != "" && textOf(kubelet, cgroup) == "":
			b.badIn(kubeletKind, "enforceNodeAllocatable", "%s needs %s as well", what, cgroup)
		case cgroup == "" && what != "pods" && what != "none":
			b.badIn(kubeletKind, "enforceNodeAllocatable", "%q is unknown, want pods, system-reserved, kube-reserved or none", what)
		}
	}
	grace, _ := time.ParseDuration(textOf(kubelet, "shutdownGracePeriod")) // the document was read strictly
	critical, _ := time.ParseDuration(textOf(kubelet, "shutdownGracePeriodCriticalPods"))
	if critical > grace {
		b.badIn(kubeletKind, "shutdownGracePeriodCriticalPods", "%s is a part of shutdownGracePeriod, %s, and can't be longer", critical, grace)
	}
}

// wordsOf are the entries of a field, or the one that it is.
func wordsOf(document map[string]any, field string) []string {
	return strings.FieldsFunc(textOf(document, field), func(r rune) bool { return r == ',' })
}

func textsOf(document map[string]any, field string) map[string]string {
	texts := map[string]string{}
	fields, _ := document[field].(map[string]any)
	for name, value := range fields {
		texts[name] = fmt.Sprint(value)
	}
	return texts
}
