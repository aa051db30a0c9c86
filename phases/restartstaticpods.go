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
	return env.inRuntime(ctx, observe.Written, func(ctx context.Context, cri *runtime.CRI) error {
		return restartOutdated(ctx, env, cri)
	})
}

// restartOutdated removes the pods whose files were written since they started, and the
// kubelet makes them anew. That a manifest was changed, the kubelet sees by itself.
func restartOutdated(ctx context.Context, env *Env, cri *runtime.CRI) error {
	files := spec.ReadAtStart(env.Config)
	for _, name := range spec.NodeComponents(env.Config) {
		if !env.Host.Outdated(name, files[name]...) {
			continue
		}
		pods, err := cri.Pods(ctx, func(pod, _ string) bool { return pod == env.PodName(name) })
		if err != nil {
			return err
		}
		env.Tell.Say("%s is restarted: files that it reads when it starts were written again", name)
		if err := removeSandboxes(ctx, env.Host, cri, pods); err != nil {
			return err
		}
		if err := env.Host.Started(name); err != nil {
			return err
		}
	}
	return nil
}
