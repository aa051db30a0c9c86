package phases

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/machine"
)

// TestOthersAddresses: a copy of a machine, with another address, does not delete the Node of the original.
func TestOthersAddresses(t *testing.T) {
	here := []machine.LinkAddress{
		{Link: "eth0", Address: netip.MustParseAddr("10.77.0.3")}, {Link: "eth0", Address: netip.MustParseAddr("fd00::3")},
	}
	for name, c := range map[string]struct {
		addresses []corev1.NodeAddress
		want      string
	}{
		"its own": {[]corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.77.0.3"}, {Type: corev1.NodeHostName, Address: "t1"}}, ""},
		"one is its own": {[]corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: "fd00::3"}, {Type: corev1.NodeExternalIP, Address: "203.0.113.9"},
		}, ""},
		"the original's": {[]corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: "10.77.0.2"}, {Type: corev1.NodeInternalIP, Address: "fd00::2"}, {Type: corev1.NodeHostName, Address: "t1"},
		}, "10.77.0.2, fd00::2"},
		"not known": {[]corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "t1"}}, ""},
	} {
		node := &corev1.Node{Status: corev1.NodeStatus{Addresses: c.addresses}}
		if got := othersAddresses(node, here); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
