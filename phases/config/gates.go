package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/locate"
)

const (
	ecdsaGate    = "PublicKeysECDSA"
	rootlessGate = "RootlessControlPlane"
)

// keyAlgorithms are kubeadm's names; the first is the default.
var keyAlgorithms = []string{"ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"}

// keyAlgorithm is the one asked for, by name or with kubeadm's older feature gate.
// kubeadm's default, RSA-2048, takes 25 times as long.
func (b *builder) keyAlgorithm(cl clusterConfiguration) string {
	ecdsa, gated := cl.FeatureGates[ecdsaGate]
	algorithm := cl.EncryptionAlgorithm
	b.validateGates(cl.FeatureGates, cl.KubernetesVersion)
	switch {
	case ecdsa && strings.HasPrefix(algorithm, "RSA"):
		b.bad("featureGates."+ecdsaGate, "true contradicts encryptionAlgorithm, %s", algorithm)
	case gated && !ecdsa && algorithm == "":
		return "RSA-2048" // what kubeadm means by it
	}
	return cmp.Or(algorithm, keyAlgorithms[0])
}

// always are gates for what bootstrap does anyway, and the last minor whose kubeadm has them.
var always = map[string]int{"WaitForAllControlPlaneComponents": 34, "ControlPlaneKubeletLocalMode": 35, "NodeLocalCRISocket": 36}

// validateGates takes the feature gates of the version's kubeadm, as far as they hold here.
func (b *builder) validateGates(gates map[string]bool, version string) {
	m, _ := minorOf(version)
	known := append([]string{ecdsaGate, rootlessGate}, slices.Sorted(maps.Keys(always))...)
	for _, gate := range slices.Sorted(maps.Keys(gates)) {
		on, field := gates[gate], "featureGates."+gate
		switch {
		case !slices.Contains(known, gate):
			b.bad(field, "kubeadm has no such feature gate%s", locate.DidYouMean(gate, known))
		case always[gate] > 0 && always[gate] < m.number:
			b.bad(field, "kubeadm of Kubernetes 1.%d does so always, and has no gate for it any more: leave it out", m.number)
		case gate == rootlessGate && on:
			b.bad(field, "it is alpha, and bootstrap does not do it: the control plane runs as root in its containers")
		case always[gate] > 0 && !on:
			b.bad(field, "bootstrap always does this, it can't be switched off")
		}
	}
}

// readGates reads the value of a flag feature-gates, and says what in it the components can't
// read. Those of the control plane take a name before it as well, as in kube:NAME=true.
func readGates(value string, set map[string]bool) (unread []string) {
	for _, pair := range strings.Split(strings.ReplaceAll(value, "kube:", ""), ",") {
		name, text, hasValue := strings.Cut(strings.TrimSpace(pair), "=")
		name = strings.TrimSpace(name)
		on, err := strconv.ParseBool(strings.TrimSpace(text))
		switch {
		case name == "":
		case !hasValue:
			unread = append(unread, fmt.Sprintf("%s has no value: write %s=true or %s=false", name, name, name))
		case err != nil:
			unread = append(unread, fmt.Sprintf("%q of %s is neither true nor false", text, name))
		default:
			set[name] = on
		}
	}
	return unread
}

// validateFlagGates looks at all gates of a component together, as the flag may be given several
// times. With another version's behaviour (emulated-version) others are locked.
func (b *builder) validateFlagGates(m minor, field string, args []Arg) {
	const flag = "feature-gates"
	set := map[string]bool{}
	tell := func(_, why string) { b.bad(lastOf(field, args, flag), "%s: %s", flag, why) }
	for _, a := range args {
		if a.Name == flag && Argument(args, "emulated-version") == "" {
			for _, why := range readGates(a.Value, set) {
				tell(flag, why)
			}
		}
	}
	m.unfitGates(set, tell)
}

// validateDocumentGates are those of the kubelet's and kube-proxy's own documents.
func (b *builder) validateDocumentGates(kind string, document map[string]any, m minor) {
	gates, _ := document["featureGates"].(map[string]any)
	set := map[string]bool{}
	for name, on := range gates {
		set[name], _ = on.(bool) // the document was read strictly
	}
	m.unfitGates(set, func(gate, why string) { b.badIn(kind, "featureGates."+gate, "%s", why) })
}

// unfitGates tells what keeps a component from its start when these gates are set, as
// k8s.io/component-base/featuregate has it.
func (m minor) unfitGates(set map[string]bool, tell func(gate, why string)) {
	if len(set) == 0 {
		return
	}
	all := table(m.file("gates"))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch g := all[name]; {
		case g == nil:
			tell(name, m.strangers("feature gate", "gates", []string{name})[0])
		case g[1] == "locked" && set[name] != (g[0] == "on"):
			tell(name, fmt.Sprintf("%s can't be %t, Kubernetes 1.%d has locked it: leave it out", name, set[name], m.number))
		}
	}
	isOn := func(name string) bool {
		for _, key := range []string{name, map[string]string{"alpha": "AllAlpha", "beta": "AllBeta"}[all[name][1]]} {
			if on, given := set[key]; given && all[name][1] != "locked" {
				return on
			}
		}
		return all[name][0] == "on"
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, need := range all[name][2:] {
			if isOn(name) && !isOn(need) {
				tell(name, fmt.Sprintf("%s is on, and needs %s=true", name, need))
			}
		}
	}
}
