package phases

import (
	"context"

	"bootstrap/phases/config"
	"bootstrap/phases/runtime"
)

var restartStaticPods = Phase{
	Name:  "restart-static-pods",
	Short: "restart the control plane's static pods whose certificates, keys or kubeconfigs were written again",
	Run:   runRestartStaticPods,
}

func runRestartStaticPods(ctx context.Context, env *Env) error {
	cri, err := env.dialRuntime()
	if err != nil {
		return err
	}
	defer cri.Close()
	return env.whileRuntimeAnswers(ctx, Written, cri, func(ctx context.Context) error { return env.restartOutdated(ctx, cri) })
}

// readAtStart are the files that each component reads only when it starts. All other
// certificates and keys they read again by themselves.
func readAtStart(c *config.Config) map[string][]string {
	pki := c.CertificatesDir
	return map[string][]string{
		"etcd":                    {pki + "/etcd/ca.crt"},
		"kube-apiserver":          {pki + "/etcd/ca.crt", pki + "/sa.key", pki + "/sa.pub"},
		"kube-controller-manager": {controllerConf, pki + "/ca.crt", pki + "/sa.key"},
		"kube-scheduler":          {schedulerConf},
	}
}

// restartOutdated removes the pods whose files were written since they started: the
// kubelet makes them anew. A changed manifest it sees by itself.
func (e *Env) restartOutdated(ctx context.Context, cri *runtime.CRI) error {
	files := readAtStart(e.Config)
	for _, name := range nodeComponents(e.Config) {
		if !e.Host.Outdated(name, files[name]...) {
			continue
		}
		pods, err := cri.Pods(ctx, func(pod, _ string) bool { return pod == e.podName(name) })
		if err != nil {
			return err
		}
		e.note("%s is restarted: files that it reads when it starts were written again", name)
		if err := e.removePods(ctx, cri, pods); err != nil {
			return err
		}
		if err := e.Host.Started(name); err != nil {
			return err
		}
	}
	return nil
}
