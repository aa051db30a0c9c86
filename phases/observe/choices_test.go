package observe

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
)

func TestChooseRuntime(t *testing.T) {
	const own = "unix:///run/containerd/containerd.sock"
	const crio = "/run/crio/crio.sock"
	cases := []struct {
		name     string
		found    foundRuntimes
		endpoint string
		install  bool
		why      string
		err      []string
	}{
		{name: "fresh machine, bundle", found: foundRuntimes{bundled: true},
			endpoint: own, install: true, why: "this machine has no container runtime"},
		{name: "fresh machine, no bundle",
			err: []string{"no container runtime on this machine, and no bundle", "--bundle FILE"}},
		{name: "again", found: foundRuntimes{ours: true, sockets: []string{spec.ContainerdSocket}, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "again, before containerd ran", found: foundRuntimes{ours: true, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "containerd runs", found: foundRuntimes{sockets: []string{spec.ContainerdSocket}, bundled: true},
			endpoint: own, why: "it is there already, and stays as it is"},
		{name: "cri-o runs", found: foundRuntimes{sockets: []string{crio}, bundled: true},
			endpoint: "unix://" + crio, why: "it is there already, and stays as it is"},
		{name: "containerd is installed, stopped", found: foundRuntimes{program: "/usr/bin/containerd", bundled: true},
			endpoint: own, why: "/usr/bin/containerd is installed already, and stays as it is"},
		{name: "two run", found: foundRuntimes{sockets: []string{spec.ContainerdSocket, crio}, bundled: true},
			err: []string{"several container runtimes: " + spec.ContainerdSocket + ", " + crio, "nodeRegistration.criSocket: unix://" + spec.ContainerdSocket}},
		{name: "two run, one is configured", found: foundRuntimes{configured: "unix://" + crio, sockets: []string{spec.ContainerdSocket, crio}},
			endpoint: "unix://" + crio, why: "nodeRegistration.criSocket names it"},
		{name: "configured, not there yet", found: foundRuntimes{configured: "unix:///run/other.sock", bundled: true},
			endpoint: "unix:///run/other.sock", why: "nodeRegistration.criSocket names it"},
		{name: "configured, and ours", found: foundRuntimes{configured: own, ours: true, bundled: true},
			endpoint: own, install: true, why: "installed by bootstrap"},
		{name: "configured, nobody there, bundle", found: foundRuntimes{configured: own, sockets: []string{crio}, bundled: true},
			endpoint: own, install: true, why: "nodeRegistration.criSocket names it, and nothing listens there"},
		{name: "configured, nobody there, no bundle", found: foundRuntimes{configured: own},
			endpoint: own, why: "nodeRegistration.criSocket names it"},
		{name: "configured, installed, stopped", found: foundRuntimes{configured: own, program: "/usr/bin/containerd", bundled: true},
			endpoint: own, why: "nodeRegistration.criSocket names it"},
		{name: "configured, though ours is another", found: foundRuntimes{configured: "unix://" + crio, ours: true, sockets: []string{spec.ContainerdSocket, crio}},
			endpoint: "unix://" + crio, why: "nodeRegistration.criSocket names it"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.found.choose()
			if len(c.err) > 0 {
				plantest.CheckError(t, got.None, c.err...)
				return
			}
			if diff := cmp.Diff(spec.Runtime{Endpoint: c.endpoint, Install: c.install, Why: c.why}, got); got.None != nil || diff != "" {
				t.Errorf("%v %s", got.None, diff)
			}
		})
	}
}

func TestChooseKubelet(t *testing.T) {
	const want = "v1.36.3"
	own := spec.Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "from the bundle"}
	found := func(program, version, bundled string) foundKubelets {
		return foundKubelets{want: want, program: program, version: version, bundled: bundled}
	}
	cases := []struct {
		name  string
		found foundKubelets
		want  spec.Kubelet
		err   []string
	}{
		{"fresh machine, bundle", found("", "", want), own, nil},
		{"fresh machine, no bundle", found("", "", ""), spec.Kubelet{},
			[]string{"no kubelet on this machine, and no bundle", "install kubelet v1.36.3"}},
		{"right one is there", found("/usr/bin/kubelet", want, want),
			spec.Kubelet{Path: "/usr/bin/kubelet", Why: "it is installed already, in the version wanted"}, nil},
		{"right one is there, no bundle", found("/usr/bin/kubelet", want, ""),
			spec.Kubelet{Path: "/usr/bin/kubelet", Why: "it is installed already, in the version wanted"}, nil},
		{"wrong one is there, bundle", found("/usr/bin/kubelet", "v1.34.0", want), own, nil},
		{"wrong one is there, no bundle", found("/usr/bin/kubelet", "v1.34.0", ""), spec.Kubelet{},
			[]string{"/usr/bin/kubelet is v1.34.0, want v1.36.3", "kubernetesVersion: v1.34.0"}},
		{"wrong one where ours would be", found("/usr/local/bin/kubelet", "v1.34.0", want), spec.Kubelet{},
			[]string{"/usr/local/bin/kubelet is v1.34.0, want v1.36.3", "remove it"}},
		{"installed by a run with a bundle", foundKubelets{want: want, installed: want},
			spec.Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "installed by bootstrap"}, nil},
		{"installed, beside a wrong one", foundKubelets{want: want, program: "/usr/bin/kubelet", version: "v1.34.0", installed: want},
			spec.Kubelet{Path: "/usr/local/bin/kubelet", Install: true, Why: "installed by bootstrap"}, nil},
		{"another is installed", foundKubelets{want: want, installed: "v1.36.2"}, spec.Kubelet{},
			[]string{"no kubelet", "install kubelet v1.36.3"}},
		{"bundle of another version", found("", "", "v1.36.2"), spec.Kubelet{}, []string{"the bundle's kubelet is v1.36.2, want v1.36.3"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.found.choose()
			if len(c.err) > 0 {
				plantest.CheckError(t, got.None, c.err...)
				got.None = nil
			}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestFoundSockets: a socket that a runtime has left, which is gone, is no runtime.
func TestFoundSockets(t *testing.T) {
	o := testObserver(t, "default")
	listen := func(socket string) *net.UnixListener {
		if err := os.MkdirAll(filepath.Dir(o.Host.Path(socket)), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.Host.Path(socket), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	want := func(what string, sockets ...string) {
		t.Helper()
		if got := FoundSockets(o.Host); !slices.Equal(got, sockets) {
			t.Errorf("%s: %q", what, got)
		}
	}
	const crio = "/run/crio/crio.sock"
	listen(spec.ContainerdSocket)
	left := listen(crio)
	want("both listen", spec.ContainerdSocket, crio)
	left.SetUnlinkOnClose(false)
	left.Close()
	want("one is left", spec.ContainerdSocket)
	hosttest.Put(t, o.Host, "/usr/bin/crio", "x", 0o755)
	want("it is stopped", spec.ContainerdSocket, crio)
}
