package phases

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
)

func TestReachable(t *testing.T) {
	env := testEnv(t, "default")
	env.Facts.ResolvConf = true
	for text, want := range map[string]string{
		"":                          "",
		"# nothing\nsearch x\n":     "",
		"nameserver 127.0.0.53\n":   "",
		"nameserver ::1\n":          "",
		"nameserver\n":              "",
		"nameserver x\n":            "",
		"#nameserver 192.0.2.1\n":   "",
		"nameserver\t192.0.2.1  \n": "/etc/resolv.conf",
		"nameserver 127.0.0.1\nnameserver fd00::1\nnameserver 192.0.2.1\n": "fd00::1 192.0.2.1",
		"nameserver fe80::53%eth0\nnameserver 10.77.0.9\n":                 "10.77.0.9",
		"nameserver fe80::53%eth0\n":                                       "",
		"nameserver 169.254.169.254\n":                                     "/etc/resolv.conf",
	} {
		hosttest.Put(t, env.Host, "/etc/resolv.conf", text, 0o644)
		if got, err := forwardsTo(env.Host, env.ResolverFile()); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestForwardsTo asks the file that pods' resolvers are made from.
func TestForwardsTo(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	hosttest.Put(t, env.Host, machine.ResolvedConfPath, "nameserver 192.0.2.1\n", 0o644)
	hosttest.Put(t, env.Host, "/etc/pods.conf", "nameserver 127.0.0.1\n", 0o644)
	check := func(name string, want string) {
		t.Helper()
		if got, err := forwardsTo(env.Host, env.ResolverFile()); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	check("no resolver", "")
	env.Facts.ResolvConf = true
	check("resolved's stub", "")
	env.Facts.ResolvedConf = true
	check("resolved's servers", "/etc/resolv.conf")
	env.Config.Kubelet = map[string]any{"resolvConf": "/etc/pods.conf"}
	check("the user's file", "")
	hosttest.Put(t, env.Host, "/etc/flag.conf", "nameserver 192.0.2.2\n", 0o644)
	env.Config.KubeletExtraArgs = []config.Arg{{Name: "resolv-conf", Value: "/etc/flag.conf"}}
	check("the user's flag", "/etc/resolv.conf")
}

// TestAddons wants what the config leaves, and no more.
func TestAddons(t *testing.T) {
	cases := map[string]struct {
		set  func(*config.Config)
		want int
	}{
		"all but the network, for which there is no bundle": {func(*config.Config) {}, 2},
		"no DNS":  {func(c *config.Config) { c.DNSDisabled = true }, 1},
		"nothing": {func(c *config.Config) { c.DNSDisabled, c.ProxyDisabled = true, true }, 0},
	}
	for name, c := range cases {
		env := testEnv(t, "default")
		c.set(env.Config)
		all, err := wantedAddons(env)
		if err != nil || len(all) != c.want {
			t.Errorf("%s: %d addons, %v", name, len(all), err)
		}
	}
}

// TestRunsFor: the youngest container counts, as a pod that has just started is about to write its rules.
func TestRunsFor(t *testing.T) {
	running := func(age time.Duration) corev1.ContainerStatus {
		started := metav1.NewTime(time.Now().Add(-age))
		return corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}}
	}
	for name, c := range map[string]struct {
		containers []corev1.ContainerStatus
		want       time.Duration
	}{
		"long":      {[]corev1.ContainerStatus{running(time.Hour)}, time.Hour},
		"just now":  {[]corev1.ContainerStatus{running(time.Hour), running(time.Minute)}, time.Minute},
		"waiting":   {[]corev1.ContainerStatus{running(time.Hour), {}}, 0},
		"no status": {nil, 0},
	} {
		pod := corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: c.containers}}
		if got := runsFor(pod); got.Truncate(time.Minute) != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
