package phases

import (
	"context"
	"time"

	"bootstrap/phases/config"
)

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
func (w *controlPlaneWait) restartOutdated(ctx context.Context) error {
	files := readAtStart(w.env.Config)
	for _, name := range nodeComponents(w.env.Config) {
		if !w.env.Host.Outdated(name, files[name]...) {
			continue
		}
		pods, err := w.cri.Pods(ctx, func(pod, _ string) bool { return pod == w.env.podName(name) })
		if err != nil {
			return err
		}
		w.env.note("%s is restarted: files that it reads when it starts were written again", name)
		w.restarted[name] = time.Now()
		if err := w.env.removePods(ctx, w.cri, pods); err != nil {
			return err
		}
		if err := w.env.Host.Started(name); err != nil {
			return err
		}
	}
	return nil
}
