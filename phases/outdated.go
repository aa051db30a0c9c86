package phases

import (
	"context"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

var restartStaticPods = Phase{
	Name:  "restart-static-pods",
	Short: "restart the control plane's static pods whose certificates, keys or kubeconfigs were written again",
	Run:   runRestartStaticPods,
}

func runRestartStaticPods(ctx context.Context, env *Env) error {
	cri, err := env.Observe().DialRuntime()
	if err != nil {
		return err
	}
	defer cri.Close()
	return env.Ready().WhileRuntimeAnswers(ctx, observe.Written, cri, func(ctx context.Context) error { return env.restartOutdated(ctx, cri) })
}

// restartOutdated removes the pods whose files were written since they started: the
// kubelet makes them anew. A changed manifest it sees by itself.
func (e *Env) restartOutdated(ctx context.Context, cri *runtime.CRI) error {
	files := spec.ReadAtStart(e.Config)
	for _, name := range spec.NodeComponents(e.Config) {
		if !e.Host.Outdated(name, files[name]...) {
			continue
		}
		pods, err := cri.Pods(ctx, func(pod, _ string) bool { return pod == e.PodName(name) })
		if err != nil {
			return err
		}
		e.Tell.Note("%s is restarted: files that it reads when it starts were written again", name)
		if err := e.removePods(ctx, cri, pods); err != nil {
			return err
		}
		if err := e.Host.Started(name); err != nil {
			return err
		}
	}
	return nil
}
