package phases

import (
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/config/configtest"

	"github.com/google/go-cmp/cmp"
)

// readAgain are the files of each component, below the certificates folder, that it
// reads again by itself when they change.
var readAgain = map[string][]string{
	"etcd": {"etcd/server.crt", "etcd/server.key", "etcd/peer.crt", "etcd/peer.key"},
	"kube-apiserver": {
		"ca.crt", "apiserver-etcd-client.crt", "apiserver-etcd-client.key", "apiserver-kubelet-client.crt",
		"apiserver-kubelet-client.key", "front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key",
		"apiserver.crt", "apiserver.key",
	},
	"kube-controller-manager": {"ca-signing.crt", "ca.key", "front-proxy-ca.crt"},
	"kube-scheduler":          nil,
}

// TestReadAtStart: every file in a component's flags is either read again by it or in
// the list of those that make us restart it, and there are no others in the list.
func TestReadAtStart(t *testing.T) {
	for _, name := range []string{"default", "rsa-dirs"} {
		c := configtest.Valid(t, name)
		for component, pod := range decodedPods(t, c) {
			var want []string
			for _, flag := range flags(t, pod) {
				_, value, _ := strings.Cut(flag, "=")
				file, inPKI := strings.CutPrefix(value, c.CertificatesDir+"/")
				isConf := strings.HasSuffix(value, ".conf")
				if (isConf || inPKI && !slices.Contains(readAgain[component], file)) && !slices.Contains(want, value) {
					want = append(want, value)
				}
			}
			got := slices.Clone(readAtStart(c)[component])
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-in its flags +in the list):\n%s", name, component, diff)
			}
		}
	}
}

// TestOutdated wants a pod to be outdated by exactly the files it reads at its start,
// once they are written after its manifest.
func TestOutdated(t *testing.T) {
	outdated := func(env *Env) []string {
		var names []string
		for _, name := range components {
			if env.Host.Outdated(name, readAtStart(env.Config)[name]...) {
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
		{controllerConf, []string{"kube-controller-manager"}},
		{schedulerConf, []string{"kube-scheduler"}},
		{adminConf, nil},
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
