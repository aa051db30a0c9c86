package runtime

import (
	"context"
	"net"
	"path/filepath"
	"reflect"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// oldRuntime does not tell its cgroup driver; a containerd of today cannot be made
// such a one. Its configuration is what containerd 1.7 tells.
type oldRuntime struct {
	cri.UnimplementedRuntimeServiceServer
	config  string
	network string
}

func (r oldRuntime) Status(_ context.Context, q *cri.StatusRequest) (*cri.StatusResponse, error) {
	if !q.Verbose {
		return &cri.StatusResponse{}, nil
	}
	return &cri.StatusResponse{Info: map[string]string{"config": r.config, "cniconfig": r.network}}, nil
}

// newRuntime tells it.
type newRuntime struct {
	cri.UnimplementedRuntimeServiceServer
	answer *cri.RuntimeConfigResponse
	err    error
}

func (r newRuntime) RuntimeConfig(context.Context, *cri.RuntimeConfigRequest) (*cri.RuntimeConfigResponse, error) {
	return r.answer, r.err
}

func dialFake(t *testing.T, service cri.RuntimeServiceServer) *CRI {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, service)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	c, err := Dial("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCgroupDriver(t *testing.T) {
	tells := func(d cri.CgroupDriver) newRuntime {
		return newRuntime{answer: &cri.RuntimeConfigResponse{Linux: &cri.LinuxRuntimeConfiguration{CgroupDriver: d}}}
	}
	cases := []struct {
		name      string
		service   cri.RuntimeServiceServer
		want, err string
	}{
		{"systemd", tells(cri.CgroupDriver_SYSTEMD), "systemd", ""},
		{"cgroupfs", tells(cri.CgroupDriver_CGROUPFS), "cgroupfs", ""},
		{"nothing of Linux", newRuntime{answer: &cri.RuntimeConfigResponse{}}, "", ""},
		{"no such call", oldRuntime{}, "", ""},
		{"it fails", newRuntime{err: status.Error(codes.Internal, "broken")}, "", "cgroup driver: broken"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := dialFake(t, c.service).CgroupDriver(t.Context())
			if got != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
				t.Errorf("%q, %v; want %q, %s", got, err, c.want, c.err)
			}
		})
	}
}

func TestConfiguredCgroupDriver(t *testing.T) {
	const (
		runc  = `"runc":{"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":"","SystemdCgroup":true}}`
		plain = `"plain":{"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":""}}`
		kata  = `"kata":{"runtimeType":"io.containerd.kata.v2","options":null}`
	)
	containerd := func(chosen string) string {
		return `{"containerd":{"defaultRuntimeName":"` + chosen + `","runtimes":{` + runc + "," + plain + "," + kata + `}},"sandboxImage":"x"}`
	}
	cases := []struct{ name, config, want string }{
		{"systemd", containerd("runc"), "systemd"},
		{"cgroupfs", containerd("plain"), "cgroupfs"},
		{"not runc", containerd("kata"), ""},
		{"no such runtime", containerd("other"), ""},
		{"another runtime's", `{"sandboxImage":"x"}`, ""},
		{"no JSON", "sandboxImage: x", ""},
		{"none", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := dialFake(t, oldRuntime{config: c.config}).ConfiguredCgroupDriver(t.Context())
			if err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestNetworkDirs(t *testing.T) {
	cases := []struct {
		name, network string
		want          NetworkDirs
	}{
		{"containerd", `{"PluginDirs":["/usr/lib/cni"],"PluginConfDir":"/etc/cni/net.d","Networks":[]}`, NetworkDirs{[]string{"/usr/lib/cni"}, "/etc/cni/net.d"}},
		{"another runtime", "", NetworkDirs{}},
	}
	for _, c := range cases {
		got, err := dialFake(t, oldRuntime{network: c.network}).NetworkDirs(t.Context())
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	if _, err := dialFake(t, oldRuntime{network: "no JSON"}).NetworkDirs(t.Context()); err == nil {
		t.Error("what is no JSON was read")
	}
}
