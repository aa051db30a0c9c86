package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

func TestKubeletDiskError(t *testing.T) {
	for _, c := range []struct {
		path string
		err  error
		id   string // empty: no cause
	}{
		{spec.KubeletConfig, syscall.EROFS, "kubelet-disk-read-only"},
		{spec.KubeletConfig, syscall.ENOSPC, "kubelet-disk-full"},
		{spec.KubeletConfig, syscall.EDQUOT, "kubelet-disk-full"},
		{spec.KubeletConfig, syscall.EACCES, ""},
		{spec.KubeletDropIn, syscall.EROFS, ""}, // another folder, perhaps another disk
	} {
		err := kubeletDiskError(catalogue(t), fmt.Errorf("write: %w", &fs.PathError{Op: "open", Path: c.path, Err: c.err}))
		var cause *plan.CauseError
		got := ""
		if errors.As(err, &cause) {
			got = cause.ID
		}
		if got != c.id || !errors.Is(err, c.err) {
			t.Errorf("%s, %v: cause %q of %v, want %q", c.path, c.err, got, err, c.id)
		}
		if cause != nil && (cause.Remedy == "" || cause.What == "") {
			t.Errorf("%s: nothing is said, or no remedy", c.id)
		}
	}
}

// TestOtherCommand: drop-ins count in the order of their names, wherever they lie.
func TestOtherCommand(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, spec.KubeletUnitFile, "[Service]\nExecStart=/usr/local/bin/kubelet\n", 0o600)
	hosttest.Put(t, env.Host, "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet\n", 0o644)
	hosttest.Put(t, env.Host, spec.ContainerdUnit, "[Service]\nExecStart=/usr/local/bin/containerd\n", 0o600)
	hosttest.Put(t, env.Host, spec.KubeletDropIn, "[Service]\nExecStart=\nExecStart=/usr/local/bin/kubelet --x\n", 0o600)
	warned := func() []string {
		return runPhase(t, env, func(_ context.Context, env *Env) error {
			warnOfOtherCommand(env, spec.KubeletService, spec.KubeletDropIn)
			warnOfOtherCommand(env, containerdService, spec.ContainerdUnit)
			return nil
		})
	}
	if got := warned(); len(got) > 0 {
		t.Errorf("ours is the last: %q", got)
	}
	hosttest.Put(t, env.Host, "/etc/systemd/system/kubelet.service.d/99-mine.conf", "[Service]\nExecStart=\nExecStart=/opt/kubelet\n", 0o644)
	if got := warned(); len(got) != 1 || !strings.Contains(got[0], "started by /etc/systemd/system/kubelet.service.d/99-mine.conf") {
		t.Errorf("%q", got)
	}
	hosttest.Put(t, env.Host, "/etc/systemd/system/kubelet.service.d/50-proxy.conf", "[Service]\nEnvironment=NO_PROXY="+strings.Repeat("192.0.2.1,", 300)+"\n", 0o644)
	if got := warned(); len(got) != 1 || !strings.Contains(got[0], "can't be told") {
		t.Errorf("%q", got)
	}
	const left = "/etc/systemd/system/containerd.service.d/override.conf" // of a containerd that is gone
	hosttest.Put(t, env.Host, left, "[Service]\nExecStart=\nExecStart=/usr/bin/containerd\n", 0o644)
	if got := warned(); len(got) != 2 || !strings.Contains(got[1], "containerd.service is started by "+left) {
		t.Errorf("a drop-in of containerd: %q", got)
	}
}

// TestLostFlags: what an operator gave the kubelet of a package is not dropped in silence.
func TestLostFlags(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--cloud-provider=external\n", 0o644)
	hosttest.Put(t, env.Host, "/usr/lib/systemd/system/kubelet.service", "[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=/usr/bin/kubelet --v=1 $KUBELET_EXTRA_ARGS\n", 0o644)
	warned := func() []string {
		return runPhase(t, env, func(_ context.Context, env *Env) error {
			warnOfLostFlags(env)
			return nil
		})
	}
	if got := warned(); len(got) != 1 || !strings.Contains(got[0], "no longer gets --cloud-provider=external of KUBELET_EXTRA_ARGS in /etc/default/kubelet") {
		t.Errorf("%q", got)
	}
	if _, err := env.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := warned(); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}
}

// TestProxyOfAllUnits: a proxy that systemd gives to all units knows nothing of the cluster.
func TestProxyOfAllUnits(t *testing.T) {
	h, units := hosttest.New(t)
	env := testEnv(t, "default")
	env.Host = h
	env.Choices.Kubelet = spec.Kubelet{Path: "/usr/bin/kubelet"}
	const line = `Environment="NO_PROXY=localhost,192.0.2.10,10.96.0.0/12,10.244.0.0/16"`
	for _, c := range []struct {
		environment []string
		want        bool
	}{{nil, false}, {[]string{"HTTPS_PROXY=http://192.0.2.80:3128", "NO_PROXY=localhost"}, true}} {
		units.Env = c.environment
		if err := errors.Join(configureKubelet(t.Context(), env), writeContainerdFiles(t.Context(), env)); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{spec.KubeletDropIn, spec.ContainerdUnit} {
			data, err := h.ReadFile(file)
			if err != nil || strings.Contains(string(data), line) != c.want || !strings.Contains(string(data), "\nRequiresMountsFor=") {
				t.Errorf("%v, with %q: %v\n%s", file, c.environment, err, data)
			}
		}
	}
}

// TestShutdownDelay: reset removes what the kubelet tells logind, and only where it was asked to.
func TestShutdownDelay(t *testing.T) {
	for period, want := range map[string]bool{"": false, "0s": false, "30s": true} {
		h, _ := hosttest.New(t)
		env := testEnv(t, "default")
		env.Host, env.Choices.Kubelet = h, spec.Kubelet{Path: "/usr/bin/kubelet"}
		if period != "" {
			env.Config.Kubelet = map[string]any{"shutdownGracePeriod": period}
		}
		if err := configureKubelet(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		if got := h.Made(spec.LogindDropIn); got != want {
			t.Errorf("with %q it is owned: %t", period, got)
		}
	}
}
