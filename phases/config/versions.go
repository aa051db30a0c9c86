package config

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// DefaultVersion is the Kubernetes release that init makes when neither the file nor a
// bundle says which.
const DefaultVersion = "v1.36.3"

// networkTag is flannel's version.
const networkTag = "v0.28.10"

// minor is one minor release of Kubernetes, and what it is released and tested with.
type minor struct {
	number     int
	etcdTag    string
	coreDNSTag string
	pauseTag   string
}

// minors are those that are supported, the newest first. Kubernetes mends these. What is known of
// each besides lies in minors/: scripts/components/gates makes that.
func minors() []minor {
	return []minor{
		{number: 36, etcdTag: "3.6.8-0", coreDNSTag: "v1.14.2", pauseTag: "3.10.2"},
		{number: 35, etcdTag: "3.6.6-0", coreDNSTag: "v1.13.1", pauseTag: "3.10.1"},
		{number: 34, etcdTag: "3.6.5-0", coreDNSTag: "v1.12.1", pauseTag: "3.10.1"},
	}
}

// The flags of the control plane and the fields of KubeletConfiguration that not all of
// these minors have, and the first that has them; scripts/components/flags tells. None of
// them is among those that the phases set.
var (
	flagSince = map[string]int{
		"tls-curve-preferences":                  36,
		"concurrent-resourceclaim-syncs":         36,
		"min-compatibility-version":              35,
		"concurrent-device-taint-eviction-syncs": 35,
		"controller-shutdown-timeout":            35,
	}
	kubeletFieldSince = map[string]int{"memoryReservationPolicy": 36, "tlsCurvePreferences": 36}
)

// podInfraFlag is the kubelet's, until 1.34.
const podInfraFlag = "pod-infra-container-image"

var release = regexp.MustCompile(`^v1\.([1-9]\d?)\.(0|[1-9]\d{0,3})$`)

// minorOf is that of a version; the newest, for all checks that follow, when there is none.
func minorOf(version string) (minor, bool) {
	all := minors()
	m := release.FindStringSubmatch(version)
	for _, each := range all {
		if m != nil && m[1] == strconv.Itoa(each.number) {
			return each, true
		}
	}
	return all[0], false
}

func (b *builder) validateVersion(version string) {
	if _, ok := minorOf(version); !ok {
		all := minors()
		b.bad("kubernetesVersion", "%q is no release that this bootstrap makes, want one of v1.%d.x to v1.%d.x", version, all[len(all)-1].number, all[0].number)
	}
}

// label is what kubeadm asks dl.k8s.io to turn into a release, or a minor release alone.
var label = regexp.MustCompile(`^(?:(?:release/)?(?:stable|latest)(?:-1)?|(?:(?:release/)?(?:stable|latest)-|v)?(1\.[1-9]\d?))$`)

// release is the version as the components' tags have it; kubeadm takes it without the v as well.
// For a label it is the release that is at hand, if that is of the label's minor: nobody is asked.
func (b *builder) release(given string) string {
	own := cmp.Or(b.machine.Bundled, DefaultVersion)
	m := label.FindStringSubmatch(given)
	switch {
	case given == "":
		return own
	case m != nil && (m[1] == "" || strings.HasPrefix(own, "v"+m[1]+".")):
		b.warn("kubernetesVersion", "%s is taken as %s, the release at hand: name a release, so that it stays the same", given, own)
		return own
	case given[0] >= '0' && given[0] <= '9':
		return "v" + given
	}
	return given
}
