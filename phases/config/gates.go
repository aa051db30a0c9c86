package config

import (
	"cmp"
	"maps"
	"slices"
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
	b.validateGates(cl.FeatureGates)
	switch {
	case ecdsa && strings.HasPrefix(algorithm, "RSA"):
		b.bad("featureGates."+ecdsaGate, "true contradicts encryptionAlgorithm, %s", algorithm)
	case gated && !ecdsa && algorithm == "":
		return "RSA-2048" // what kubeadm means by it
	}
	return cmp.Or(algorithm, keyAlgorithms[0])
}

// validateGates takes kubeadm's feature gates, as far as they hold here.
func (b *builder) validateGates(gates map[string]bool) {
	always := []string{"ControlPlaneKubeletLocalMode", "NodeLocalCRISocket", "WaitForAllControlPlaneComponents"}
	known := append([]string{ecdsaGate, rootlessGate}, always...)
	for _, gate := range slices.Sorted(maps.Keys(gates)) {
		on, field := gates[gate], "featureGates."+gate
		switch {
		case !slices.Contains(known, gate):
			b.bad(field, "kubeadm has no such feature gate%s", locate.DidYouMean(gate, known))
		case gate == rootlessGate && on:
			b.bad(field, "it is alpha, and bootstrap does not do it: the control plane runs as root in its containers")
		case slices.Contains(always, gate) && !on:
			b.bad(field, "bootstrap always does this, it can't be switched off")
		}
	}
}
