package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// started is a run of init that goes on beside the test.
type started struct {
	n    *Node
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of its end

	mu  sync.Mutex
	out bytes.Buffer
}

func (s *started) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(data)
}

func (s *started) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// StartInit runs init beside the test.
func (n *Node) StartInit(args ...string) *started {
	return n.Start(append([]string{"init"}, args...)...)
}

// Start runs bootstrap beside the test, with no signal ignored, even if the test runs under nohup.
func (n *Node) Start(args ...string) *started {
	n.t.Helper()
	s := &started{n: n, done: make(chan struct{})}
	line := append([]string{"exec", n.Name, "bash", "-c", `mkdir -p /tmp/e2e; echo $$ >/tmp/e2e/init.pid; exec env --default-signal=HUP /root/bootstrap "$@"`, "_"}, args...)
	s.cmd = exec.CommandContext(n.ctx, path(n.script), line...)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return s
}

// await returns as soon as it has printed the text.
func (s *started) await(text string) {
	s.n.t.Helper()
	s.n.Eventually(2*time.Minute, fmt.Sprintf("it prints %q", text), func() error {
		if strings.Contains(s.String(), text) {
			return nil
		}
		select {
		case <-s.done:
			s.n.t.Fatalf("init ended, and did not print %q: %v\n%s", text, s.err, s)
		default:
		}
		return errors.New(s.String())
	})
}

// Kill sends a signal as soon as init has printed the text, and gives its exit code.
func (s *started) Kill(signal, text string) Result {
	n := s.n
	n.t.Helper()
	s.await(text)
	n.MustSh("kill -" + signal + " $(cat /tmp/e2e/init.pid)")
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		n.t.Fatalf("init does not end after SIG%s: %s", signal, s)
	}
	if exit := (*exec.ExitError)(nil); s.err != nil && !errors.As(s.err, &exit) && !errors.Is(s.err, context.Canceled) {
		n.t.Fatalf("%v: %s", s.err, s)
	}
	code := s.cmd.ProcessState.ExitCode()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal()) // scripts/node ends as its command does
	}
	n.log.Result = Result{Command: "init, killed by SIG" + signal, Out: s.String(), Code: code}
	return n.log.Result
}

// brokenConfig has a value that makes kube-apiserver exit at once.
const brokenConfig = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - name: vmodule
    value: httplog=99999999999
`

// TestInterrupted ends init at several moments, each run where the one before
// was stopped, and at last lets it finish.
func TestInterrupted(t *testing.T) {
	n := Up(t, 6*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write("/root/broken.yaml", brokenConfig)
	killed := func(name, text string) {
		t.Run(name, func(t *testing.T) {
			n := n.In(t)
			if r := n.StartInit().Kill("KILL", text); r.Code != 137 || r.Has("The control plane is ready") {
				t.Fatalf("it was not killed in time: %s", r)
			}
		})
	}
	const waits = "the control plane must be healthy within"
	killed("KilledInImages", "runtime              done")
	killed("KilledAfterImages", "images               done")
	killed("KilledInKubelet", "kubelet              kubelet /usr/local/bin/kubelet")
	t.Run("Terminated", func(t *testing.T) {
		n := n.In(t)
		// This one could wait for ever.
		r := n.StartInit("--config", "/root/broken.yaml").Kill("TERM", waits)
		if r.Code != 143 {
			t.Errorf("exit code is not 143: %s", r)
		}
		for _, text := range []string{"interrupted", "run the same command again", "bootstrap reset"} {
			if !r.Has(text) {
				t.Errorf("not told: %q in %s", text, r)
			}
		}
	})
	t.Run("HungUp", func(t *testing.T) {
		if r := n.In(t).StartInit().Kill("HUP", waits); r.Code != 129 || !r.Has("run the same command again") {
			t.Errorf("%s", r)
		}
	})
	killed("KilledInWait", waits)
	t.Run("InitAtLast", func(t *testing.T) {
		n := n.In(t)
		if r := n.MustBootstrap("init", "--config", ""); !r.Has("going on: the run before did not end; the last it did was in phase") {
			t.Errorf("it does not say from where it goes on: %s", r)
		}
		n.Healthy(30 * time.Second)
	})
	t.Run("NobodyReads", func(t *testing.T) {
		n := n.In(t)
		if code := n.MustSh(`/root/bootstrap reset --force | true; echo "${PIPESTATUS[0]}"`); strings.TrimSpace(code) != "0" {
			t.Errorf("reset ends with %s", code)
		}
		if r := n.Bootstrap("status"); r.Code != 2 {
			t.Errorf("after it: %s", r)
		}
	})
	t.Run("SystemdExecutesItself", func(t *testing.T) { n.In(t).systemdExecutesItself() })
}

// systemdExecutesItself, as an upgrade of it or of libc has it do, while init waits for a
// unit to start.
func (n *Node) systemdExecutesItself() {
	n.Write("/etc/systemd/system/containerd.service.d/slow.conf", "[Service]\nExecStartPre=/bin/sleep 10\n")
	s := n.StartInit("phase", "runtime")
	n.Eventually(time.Minute, "containerd is being started", func() error {
		if r := n.Exec("systemctl", "is-active", "containerd"); !r.Has("activating") {
			return errors.New(r.String())
		}
		return nil
	})
	n.MustExec("systemctl", "daemon-reexec")
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		n.t.Fatalf("init hangs: %s", s)
	}
	if s.err != nil {
		n.t.Errorf("%v: %s", s.err, s)
	}
}

// TestBootInInit: a boot starts what init had enabled and not come to start; reset takes
// that away too, also the kubelet, which fails then and is started again and again.
func TestBootInInit(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	fresh := n.survey()
	n.MustBootstrap("init", "phase", "runtime")
	n.MustBootstrap("init", "phase", "kubelet")
	n.Reboot()
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)
	testReset(n, fresh)
}

// TestStall: a control plane that cannot start ends with the cause.
func TestStall(t *testing.T) {
	n := Up(t, 3*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write("/root/broken.yaml", brokenConfig)
	start := time.Now()
	r := n.Bootstrap("init", "--config", "/root/broken.yaml")
	if r.Code != 1 {
		t.Errorf("exit code is not 1: %s", r)
	}
	for _, text := range []string{
		"kube-apiserver refuses its flag --vmodule", "bootstrap:   | Error: invalid argument \"httplog=99999999999\"", "hint: correct the flag",
		"see: tail -n 20 /var/log/pods/kube-system_kube-apiserver", "more: bootstrap explain component-bad-flag", "run the same command again",
	} {
		if !strings.Contains(r.Err, text) {
			t.Errorf("not told: %q in %s", text, r)
		}
	}
	t.Logf("after %.1f s: %s", time.Since(start).Seconds(), r.Err)
	n.MustBootstrap("init", "--config", "") // else it would work with what was given before
	n.Healthy(30 * time.Second)
}
