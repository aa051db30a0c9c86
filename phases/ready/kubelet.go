package ready

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// WaitForKubelet waits until a standalone kubelet answers, and runs its pods.
func (w *Waiter) WaitForKubelet(ctx context.Context) error {
	_, served := w.podURLStatus(ctx)
	pods := append(w.userPods(), served...)
	c, err := w.DialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	return HintAfter(w.WaitWithin(ctx, Wait{Stage: observe.Written, Checks: w.KubeletChecks(c, pods)}), "journalctl -u kubelet -n 50")
}

// KubeletChecks are of a standalone kubelet and of its pods.
func (w *Waiter) KubeletChecks(c *runtime.CRI, pods []WantedPod) []health.Check {
	checks := []health.Check{{Name: "kubelet", Probe: w.kubeletAnswers}}
	for _, pod := range pods {
		checks = append(checks, health.Check{Name: pod.Name, Probe: func(ctx context.Context) error { return pod.down(ctx, c) }})
	}
	return checks
}

func (w *Waiter) kubeletAnswers(ctx context.Context) error {
	if err := w.kubeletDown(ctx); err != nil {
		return err
	}
	data, err := w.Host.ReadFile(spec.KubeletConfig)
	if err != nil {
		return err
	}
	address, err := healthzOf(data)
	if address == "" || err != nil {
		return err
	}
	return cluster.PlainHealth(ctx, "http://"+address+"/healthz")
}

// kubeletDown says how the kubelet's unit is, nil if it runs.
func (w *Waiter) kubeletDown(ctx context.Context) error {
	state, err := w.Host.UnitState(ctx, spec.KubeletService)
	if err != nil {
		return err
	}
	if state.Active != "active" {
		return UnitDown(state)
	}
	return nil
}

// UnitDown says how a unit is that is not active.
func UnitDown(s machine.UnitState) error {
	return fmt.Errorf("its unit is %s (%s, exit status %d)", s.Active, s.Result, s.ExitStatus)
}

// healthzOf is the address at which a kubelet tells its health to anybody; empty if the user has
// turned that off.
func healthzOf(kubeletConfig []byte) (string, error) {
	var c struct {
		HealthzBindAddress string `json:"healthzBindAddress"`
		HealthzPort        int    `json:"healthzPort"`
	}
	c.HealthzPort = 10248 // unless it is set
	if err := yaml.Unmarshal(kubeletConfig, &c); err != nil || c.HealthzPort == 0 {
		return "", err
	}
	return net.JoinHostPort(cmp.Or(c.HealthzBindAddress, "127.0.0.1"), strconv.Itoa(c.HealthzPort)), nil
}
