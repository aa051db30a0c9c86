package phases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
)

var waitAddons = Phase{
	Name:    "wait-addons",
	Short:   "wait until the Node, cluster DNS, kube-proxy and the pod network are ready",
	Follows: addons.Name,
	Run:     runWaitAddons,
}

func runWaitAddons(ctx context.Context, env *Env) error {
	c, err := env.connect(adminConf)
	if err != nil {
		return err
	}
	checks := env.addonChecks(c)
	if len(checks) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, env.timeout())
	defer cancel()
	// Rounds ask for many objects, of an API server that has much to do.
	err = env.wait(ctx, Wait{Stage: Complete, Checks: checks, Pause: 250 * time.Millisecond})
	return hintAfter(err, "kubectl --kubeconfig %s -n kube-system describe pods", adminConf)
}

// addonChecks are of what can become ready: pods need a network, and what runs on the
// node's own needs the API server at its public endpoint.
func (e *Env) addonChecks(c *cluster.Cluster) []health.Check {
	if err := e.endpointAnswers(); err != nil {
		e.warn("addons: not waited for, as the control plane endpoint does not answer yet: %v", err)
		return nil
	}
	var checks []health.Check
	add := func(when bool, resource, name string) {
		if when {
			checks = append(checks, health.Check{Name: name, Probe: func(ctx context.Context) error {
				w, err := c.Workload(ctx, resource, name)
				if err != nil {
					return err
				}
				return checkWorkload(w, e.Config.NodeName)
			}})
		}
	}
	add(!e.Config.ProxyDisabled, "daemonsets", "kube-proxy")
	if !e.Choices.Network.Own() {
		return checks
	}
	add(true, "daemonsets", "kube-flannel-ds")
	add(e.awaitsDNS(), "deployments", "coredns")
	return append(checks, health.Check{Name: "Node", Probe: func(ctx context.Context) error {
		node, err := c.Node(ctx, e.Config.NodeName)
		if err != nil {
			return err
		}
		return checkNode(node)
	}})
}

// awaitsDNS: CoreDNS needs the Services, and a node that takes its pods.
func (e *Env) awaitsDNS() bool {
	if e.Config.DNSDisabled || e.Config.ProxyDisabled {
		return false
	}
	taint := keepsOff(e.Config)
	if taint != "" {
		e.warn("coredns: not waited for, as %s keeps it off this node", taint)
	}
	return taint == ""
}

// keepsOff names what gives the Node a taint that CoreDNS does not tolerate; empty
// without. Such a taint goes, or other nodes come, only after init.
func keepsOff(c *config.Config) string {
	if config.Argument(c.KubeletExtraArgs, "cloud-provider") == "external" {
		return "the taint that waits for a cloud controller manager"
	}
	if _, own := c.Kubelet["registerWithTaints"]; own && len(c.Taints) == 0 {
		return "registerWithTaints of KubeletConfiguration"
	}
	for _, t := range c.Taints {
		if !slices.Contains(config.ControlPlaneTaints(), t) && t.Effect != "PreferNoSchedule" {
			return "the taint " + formatTaints([]config.Taint{t})
		}
	}
	return ""
}

// endpointAnswers tries the endpoint for all nodes, such as a load balancer that may
// be set up only after init.
func (e *Env) endpointAnswers() error {
	if e.Host.Plans() {
		return nil
	}
	return e.dialEndpoint()
}

func (e *Env) dialEndpoint() error {
	if e.Config.ControlPlaneEndpoint == "" {
		return nil
	}
	endpoint, err := url.Parse(e.Config.EndpointURL())
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", endpoint.Host, time.Second)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// checkNode says why the Node is not ready, or nil.
func checkNode(node *corev1.Node) error {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return fmt.Errorf("%s: %s", c.Reason, c.Message)
		}
	}
	return nil
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
		if err := checkContainer(s); err != nil {
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
