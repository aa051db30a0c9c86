package config

import (
	"cmp"

	"k8s.io/utils/ptr"
)

// box fills in what BoxConfiguration leaves out. Whoever asks for a token has more
// nodes in mind, and then the control plane is kept for itself, as kubeadm does.
func (b *builder) box(c *Config, file boxConfiguration) {
	flags := b.machine.Flags
	c.UploadCerts = ptr.Deref(flags.UploadCerts, ptr.Deref(file.UploadCerts, c.CertificateKey != "")) // a key has no other use
	c.WriteKubeconfig = ptr.Deref(flags.WriteKubeconfig, ptr.Deref(file.WriteKubeconfig, false))
	c.PrintJoinCommand = ptr.Deref(flags.PrintJoinCommand, ptr.Deref(file.PrintJoinCommand, false))
	alone := len(c.BootstrapTokens) == 0 && !c.PrintJoinCommand
	c.Box = Box{
		Standalone: ptr.Deref(flags.Standalone, ptr.Deref(file.Standalone, false)),
		SingleNode: ptr.Deref(flags.SingleNode, ptr.Deref(file.SingleNode, ptr.Deref(b.machine.SingleNode, alone))),
		Network:    cmp.Or(file.Network, Flannel),
	}
	// Whoever says so to kubeadm brings a network that divides the pod range by itself: flannel can't work then.
	if file.Network == "" && isSame(Argument(c.ControllerManager.ExtraArgs, "allocate-node-cidrs"), "false") {
		c.Box.Network = NoNetwork
		b.warn("controllerManager.extraArgs", "allocate-node-cidrs: no node gets a part of the pod range: init brings no network, bring your own")
	}
}

func (b *builder) validateBox(c *Config) {
	box := c.Box
	b.badIf(box.Network != Flannel && box.Network != NoNetwork, "network",
		"%q is unknown, want %s, or %s to bring your own", box.Network, Flannel, NoNetwork)
	const ofOthers = "it is of a control plane, and a standalone kubelet has none: leave out one of them"
	b.badIf(box.Standalone && c.UploadCerts, "uploadCerts", ofOthers)
	b.badIf(box.Standalone && c.WriteKubeconfig, "writeKubeconfig", ofOthers)
	b.badIf(box.Standalone && c.PrintJoinCommand, "printJoinCommand", ofOthers)
	b.badIf(box.Standalone && len(c.BootstrapTokens) > 0, "bootstrapTokens", ofOthers)
}
