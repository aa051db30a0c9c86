package phases

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/cluster"
	"bootstrap/phases/health"
	"bootstrap/phases/runtime"
)

var waitKubelet = Phase{
	Name:  "wait-kubelet",
	Short: "wait until the kubelet answers, and runs each static pod",
	Run:   runWaitKubelet,
}

// runWaitKubelet begins with all that is made here: from now on, a control plane is made
// upon it.
func runWaitKubelet(ctx context.Context, env *Env) error {
	if err := env.remember(standaloneNote, standaloneRecord); err != nil {
		return err
	}
	env.note("the kubelet and its pods must run within %s (--timeout)", env.timeout())
	_, served := env.podURLStatus(ctx)
	return env.waitForKubelet(ctx, env.timeout(), append(env.userPods(), served...))
}

func (e *Env) waitForKubelet(ctx context.Context, timeout time.Duration, pods []wantedPod) error {
	c, err := e.dialRuntime()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return hintAfter(e.wait(ctx, Wait{Stage: Written, Checks: e.kubeletChecks(c, pods)}), "journalctl -u kubelet -n 50")
}

// kubeletChecks are all that a standalone kubelet is ready by.
func (e *Env) kubeletChecks(c *runtime.CRI, pods []wantedPod) []health.Check {
	checks := []health.Check{{Name: "kubelet", Probe: e.kubeletAnswers}}
	for _, pod := range pods {
		checks = append(checks, health.Check{Name: pod.name, Probe: func(ctx context.Context) error { return pod.down(ctx, c) }})
	}
	return checks
}

func (e *Env) kubeletAnswers(ctx context.Context) error {
	if err := e.kubeletDown(ctx); err != nil {
		return err
	}
	data, err := e.Host.ReadFile(kubeletConfig)
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
func (e *Env) kubeletDown(ctx context.Context) error {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil {
		return err
	}
	if state.Active != "active" {
		return fmt.Errorf("its unit is %s (%s, exit status %d)", state.Active, state.Result, state.ExitStatus)
	}
	return nil
}

// healthzOf is where a kubelet answers without asking who wants to know; empty if the
// user has turned that off.
func healthzOf(kubeletConfig []byte) (string, error) {
	var c struct {
		HealthzBindAddress string `json:"healthzBindAddress"`
		HealthzPort        *int   `json:"healthzPort"`
	}
	if err := yaml.Unmarshal(kubeletConfig, &c); err != nil {
		return "", err
	}
	port := 10248
	if c.HealthzPort != nil {
		port = *c.HealthzPort
	}
	if port == 0 {
		return "", nil
	}
	return net.JoinHostPort(cmp.Or(c.HealthzBindAddress, "127.0.0.1"), strconv.Itoa(port)), nil
}
