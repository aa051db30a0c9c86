package ready

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

// AddonChecks are of those addons, and of the Node, that can become ready: without a pod network
// only what runs in the network of the node can. The control plane endpoint has to answer.
func (w *Waiter) AddonChecks(c *cluster.Cluster) []health.Check {
	var checks []health.Check
	add := func(when bool, resource, name string) {
		if when {
			checks = append(checks, health.Check{Name: name, Probe: func(ctx context.Context) error {
				workload, err := c.Workload(ctx, resource, name)
				if err != nil {
					return err
				}
				if err := checkWorkload(workload, w.Config.NodeName); err != nil {
					return err
				}
				return w.checkTable(ctx, name)
			}})
		}
	}
	add(!w.Config.ProxyDisabled, "daemonsets", "kube-proxy")
	network := w.Choices.Network
	if !network.Own() && network.Foreign == "" {
		w.Tell.Warn("Node and coredns: not waited for: there is no pod network, nor its configuration in %s: install one for pods in %v",
			spec.CNIConfigDir, w.Config.Networking.PodSubnets)
		return checks
	}
	// Who brings the network may still be about to: the Node is ready by its file alone.
	brought := w.Config.Box.Network == config.NoNetwork
	add(network.Own(), "daemonsets", "kube-flannel-ds")
	add(!brought && w.awaitsDNS(), "deployments", "coredns")
	return append(checks, health.Check{Name: "Node", Probe: func(ctx context.Context) error {
		node, err := c.Node(ctx, w.Config.NodeName)
		if err != nil {
			return err
		}
		return checkNode(node)
	}})
}

// checkTable says that the firewall lacks what the pods of a workload write into it, or nil.
func (w *Waiter) checkTable(ctx context.Context, workload string) error {
	lost, err := w.LostTables(ctx)
	i := slices.IndexFunc(lost, func(t spec.OwnTable) bool { return t.Workload == workload })
	if err != nil || i < 0 { // a firewall that can't be read says nothing
		return nil
	}
	return fmt.Errorf("it runs, and the firewall has no table %s of it", lost[i].Table)
}

// awaitsDNS tells whether CoreDNS can run here: it needs Services, and a node that takes its
// pods.
func (w *Waiter) awaitsDNS() bool {
	if w.Config.DNSDisabled || w.Config.ProxyDisabled {
		return false
	}
	taint := spec.KeepsOff(w.Config)
	if taint != "" {
		w.Tell.Warn("coredns: not waited for, as %s keeps it off this node", taint)
	}
	return taint == ""
}

// DialEndpoint tries to connect to the control plane endpoint, which addons reach the API server
// by: it may be a load balancer that is set up only after init.
func (w *Waiter) DialEndpoint(ctx context.Context) error {
	if w.Config.ControlPlaneEndpoint == "" {
		return nil
	}
	return machine.Dial(ctx, w.Config.ControlPlaneEndpoint)
}

// checkNode says why the Node is not ready, or nil.
func checkNode(node *corev1.Node) error {
	for _, c := range node.Status.Conditions {
		switch {
		case c.Type != corev1.NodeReady:
		case c.Status != corev1.ConditionTrue:
			return fmt.Errorf("%s: %s", c.Reason, c.Message)
		default:
			return nil
		}
	}
	return errors.New("its kubelet has not told yet whether it is ready")
}

// checkWorkload says why the pods of a workload, as far as they are on this node or on
// none yet, are not ready with its present template, or nil.
func checkWorkload(w cluster.Workload, node string) error {
	ready := 0
	for _, pod := range w.Pods {
		reason := checkPod(&pod, w.Template)
		elsewhere := pod.Spec.NodeName != "" && pod.Spec.NodeName != node
		if reason != nil && !elsewhere {
			return reason
		}
		if reason == nil {
			ready++
		}
	}
	switch {
	case ready == 0 && w.Refused != "":
		return fmt.Errorf("it has no pod yet; the last was refused: %s", w.Refused)
	case ready == 0:
		return errors.New("it has no pod yet")
	case len(w.Pods) < w.Replicas:
		return fmt.Errorf("%d of %d pods", len(w.Pods), w.Replicas)
	}
	return nil
}

func checkPod(pod *corev1.Pod, template corev1.PodTemplateSpec) error {
	if !isOf(pod, template) {
		return fmt.Errorf("pod %s is of the settings before", pod.Name)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Errorf("pod %s is not scheduled: %s", pod.Name, c.Message)
		}
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		return fmt.Errorf("pod %s is %s", pod.Name, strings.ToLower(string(pod.Status.Phase)))
	}
	for _, s := range pod.Status.ContainerStatuses {
		if err := CheckContainer(s); err != nil {
			return fmt.Errorf("pod %s, %s: %w", pod.Name, s.Name, err)
		}
	}
	return nil
}

// isOf tells whether a pod was made from the template, by what init changes in it.
func isOf(pod *corev1.Pod, template corev1.PodTemplateSpec) bool {
	for i, c := range template.Spec.Containers {
		if i >= len(pod.Spec.Containers) || pod.Spec.Containers[i].Image != c.Image {
			return false
		}
	}
	return pod.Annotations[manifests.SettingsHash] == template.Annotations[manifests.SettingsHash]
}
