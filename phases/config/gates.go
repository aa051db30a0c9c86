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

// gate is a feature gate of the components, as minors/*/gates.txt has it.
type gate struct {
	on    bool     // without being set
	stage string   // alpha, beta, ga, deprecated, or locked
	needs []string // gates that must be on with it
}

// gates are those of all components alike.
func (m minor) gates() map[string]gate {
	all := map[string]gate{"AllAlpha": {}, "AllBeta": {}}
	text, _ := lists.ReadFile(m.file("gates")) // it is in this program
	for line := range strings.Lines(string(text)) {
		words := append(strings.Fields(line), "")
		needs := strings.FieldsFunc(words[3], func(r rune) bool { return r == ',' })
		all[words[0]] = gate{on: words[1] == "on", stage: words[2], needs: needs}
	}
	return all
}

// file is a list of what values may name in this minor.
func (m minor) file(name string) string { return fmt.Sprintf("minors/1.%d/%s.txt", m.number, name) }

// unfitGate says why no component takes a gate so, empty if they do.
func (m minor) unfitGate(name string, on bool) string {
	all := m.gates()
	g, known := all[name]
	switch {
	case !known:
		return fmt.Sprintf("Kubernetes 1.%d has no feature gate %q%s", m.number, name, m.near(name, slices.Sorted(maps.Keys(all)), "gates"))
	case g.stage == "locked" && on != g.on:
		return fmt.Sprintf("%s can't be %t, Kubernetes 1.%d has it locked to %t: leave it out", name, on, m.number, g.on)
	}
	return ""
}

// near says which of the known names may be meant, or which other minors have this one.
func (m minor) near(name string, known []string, file string) string {
	var others []string
	for _, other := range minors() {
		if slices.Contains(list(other.file(file)), name) {
			others = append(others, fmt.Sprintf("1.%d", other.number))
		}
	}
	if len(others) > 0 {
		return fmt.Sprintf(", only %s has: leave it out", strings.Join(others, " and "))
	}
	return cmp.Or(locate.DidYouMean(name, known), ": leave it out")
}

// readGates reads the value of a flag feature-gates, and says what in it the components can't
// read. Those of the control plane take a name before it as well, as in kube:NAME=true.
func readGates(value string) (set map[string]bool, unread []string) {
	set = map[string]bool{}
	for _, pair := range strings.Split(strings.ReplaceAll(value, "kube:", ""), ",") {
		name, text, hasValue := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		on, err := strconv.ParseBool(strings.TrimSpace(text))
		switch {
		case strings.TrimSpace(pair) == "":
		case !hasValue:
			unread = append(unread, fmt.Sprintf("%s has no value: write %s=true or %s=false", name, name, name))
		case err != nil:
			unread = append(unread, fmt.Sprintf("%q of %s is neither true nor false", text, name))
		default:
			set[name] = on
		}
	}
	return set, unread
}

// gatesOff are gates that must be on for others which are, when these are set.
func (m minor) gatesOff(set map[string]bool) (reasons []string) {
	all := m.gates()
	isOn := func(name string) bool {
		if on, given := set[name]; given && all[name].stage != "locked" {
			return on
		}
		if on, given := set[map[string]string{"alpha": "AllAlpha", "beta": "AllBeta"}[all[name].stage]]; given {
			return on
		}
		return all[name].on
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, need := range all[name].needs {
			if isOn(name) && !isOn(need) {
				reasons = append(reasons, fmt.Sprintf("%s is on, and needs %s=true", name, need))
			}
		}
	}
	return reasons
}

// validateFlagGates looks at all gates of a component together, as the flag may be given several
// times. With another version's behaviour (emulated-version) others are locked.
func (b *builder) validateFlagGates(m minor, field string, args []Arg) {
	all, last := map[string]bool{}, ""
	for i, a := range args {
		if a.Name != "feature-gates" || Argument(args, "emulated-version") != "" {
			continue
		}
		set, reasons := readGates(a.Value)
		last = at(field, i) + ".value"
		for _, why := range append(reasons, m.unfitGates(set)...) {
			b.bad(last, "feature-gates: %s", why)
		}
		maps.Copy(all, set)
	}
	for _, why := range m.gatesOff(all) {
		b.bad(last, "feature-gates: %s", why)
	}
}

func (m minor) unfitGates(set map[string]bool) (reasons []string) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if why := m.unfitGate(name, set[name]); why != "" {
			reasons = append(reasons, why)
		}
	}
	return reasons
}

// validateDocumentGates are those of the kubelet's and kube-proxy's own documents.
func (b *builder) validateDocumentGates(kind string, document map[string]any, m minor) {
	gates, _ := document["featureGates"].(map[string]any)
	set := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		set[name], _ = gates[name].(bool) // the document was read strictly
		if why := m.unfitGate(name, set[name]); why != "" {
			b.badIn(kind, "featureGates."+name, "%s", why)
		}
	}
	for _, why := range m.gatesOff(set) {
		b.badIn(kind, "featureGates", "%s", why)
	}
}
