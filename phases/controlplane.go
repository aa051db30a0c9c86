package phases

import (
	"context"

	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

var controlPlane = Phase{
	Name:  "control-plane",
	Short: "write the static pods of kube-apiserver and, once it answers, of kube-controller-manager and kube-scheduler",
	Run:   runControlPlane,
}

// runControlPlane holds the controller manager and the scheduler back until the API
// server takes requests. Started before, they exit, and sit in a back-off of 10 s; and
// their mirror pods are refused as long as the API server lacks the priority class,
// which the kubelet tries again only after a minute. Held back until it is ready, they
// leave a CPU idle: in its second between both they start.
func runControlPlane(ctx context.Context, env *Env) error {
	c := env.Config
	mounts := observe.CAMounts(env.Host.Path)
	met := env.Ready().APIServerAnswers(ctx) // asked now: what is written next may take it down
	if err := env.writeStaticPod("kube-apiserver", spec.APIServerPod(c, mounts)); err != nil {
		return err
	}
	began, err := env.startAPIServer(ctx, met)
	if err != nil {
		return err
	}
	if err := env.keepEtcdCluster(); err != nil {
		return err
	}
	if err := env.writeStaticPod("kube-controller-manager", spec.ControllerManagerPod(c, mounts)); err != nil {
		return err
	}
	if err := env.writeStaticPod("kube-scheduler", spec.SchedulerPod(c)); err != nil || !began {
		return err
	}
	return env.makePolicy(ctx)
}
