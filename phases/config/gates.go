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

// judgeGates says what keeps a program from starting with these feature gates, as k8s.io/component-base/featuregate
// has it. Flags of the control plane take a name before a gate as well, as in kube:NAME=true.
func (m minor) judgeGates(value string) (whys []string) {
	set, all := map[string]bool{}, table(m.file("feature-gate"))
	for _, p := range pairs(strings.ReplaceAll(value, "kube:", ""), "=") {
		on, err := strconv.ParseBool(p.value)
		set[p.name] = on
		switch unknown := m.judge(p.name, []string{"feature-gate"}); {
		case unknown != nil:
			whys = append(whys, unknown...)
		case err != nil:
			whys = append(whys, fmt.Sprintf("%s is not set to true or false: write %s=true or %s=false", p.name, p.name, p.name))
		case all[p.name][1] == "locked" && on != (all[p.name][0] == "on"):
			whys = append(whys, fmt.Sprintf("%s can't be %t, Kubernetes 1.%d has locked it: leave it out", p.name, on, m.number))
		}
	}
	isOn := func(gate string) bool {
		byDefault, stage := all[gate][0] == "on", all[gate][1]
		for _, name := range []string{gate, map[string]string{"alpha": "AllAlpha", "beta": "AllBeta"}[stage]} {
			if on, isSet := set[name]; isSet && stage != "locked" {
				return on
			}
		}
		return byDefault
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, need := range all[name][2:] {
			whys = append(whys, whyIf(isOn(name) && !isOn(need), "%s is on, and needs %s=true", name, need)...)
		}
	}
	return whys
}
