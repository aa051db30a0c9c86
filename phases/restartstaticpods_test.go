package phases

import (
	"slices"
	"testing"

	"bootstrap/phases/spec"
)

// TestOutdated wants a pod to be outdated by exactly the files it reads at its start,
// once they are written after its manifest.
func TestOutdated(t *testing.T) {
	outdated := func(env *Env) []string {
		var names []string
		for _, name := range spec.Components {
			if env.Host.Outdated(name, spec.ReadAtStart(env.Config)[name]...) {
				names = append(names, name)
			}
		}
		return names
	}
	cases := []struct {
		file string
		want []string
	}{
		{pkiDir + "/etcd/ca.crt", []string{"etcd", "kube-apiserver"}},
		{pkiDir + "/sa.pub", []string{"kube-apiserver"}},
		{pkiDir + "/sa.key", []string{"kube-apiserver", "kube-controller-manager"}},
		{pkiDir + "/ca.crt", []string{"kube-controller-manager"}},
		{pkiDir + "/apiserver.crt", nil},
		{spec.ControllerConf, []string{"kube-controller-manager"}},
		{spec.SchedulerConf, []string{"kube-scheduler"}},
		{spec.AdminConf, nil},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			env := kubeconfigsDone(t, "default")
			runPhase(t, env, runEtcd)
			runPhase(t, env, runControlPlane)
			if names := outdated(env); len(names) > 0 {
				t.Fatalf("before: %v", names)
			}
			if _, err := env.Host.WriteOpaque(c.file, []byte("new"), 0o600); err != nil {
				t.Fatal(err)
			}
			if names := outdated(env); !slices.Equal(names, c.want) {
				t.Errorf("%v are to be restarted, want %v", names, c.want)
			}
			for _, name := range c.want {
				if err := env.Host.Started(name); err != nil {
					t.Fatal(err)
				}
			}
			if names := outdated(env); len(names) > 0 {
				t.Errorf("restarted, and still: %v", names)
			}
		})
	}
}
