package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// fakeRuntime has the pods of a node whose API server keeps crashing: no real
// runtime can be brought to all of these states without a kubelet.
type fakeRuntime struct {
	cri.UnimplementedRuntimeServiceServer
	pods       []*cri.PodSandbox
	containers []*cri.ContainerStatus // in the sandbox that their labels name
	gone       string                 // a container that goes after it was listed
}

func (f *fakeRuntime) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	return &cri.ListPodSandboxResponse{Items: f.pods}, nil
}

func (f *fakeRuntime) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	answer := &cri.ListContainersResponse{}
	for _, c := range f.containers {
		answer.Containers = append(answer.Containers, &cri.Container{Id: c.Id, PodSandboxId: c.Labels["sandbox"]})
	}
	return answer, nil
}

func (f *fakeRuntime) ContainerStatus(_ context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	for _, c := range f.containers {
		if c.Id == r.ContainerId && c.Id != f.gone {
			return &cri.ContainerStatusResponse{Status: c}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

// serve makes the runtime listen at a path below root.
func (f *fakeRuntime) serve(t *testing.T, root, path string) {
	t.Helper()
	socket := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
}

// since counts back from now: an age is told to the minute.
func since(d time.Duration) int64 { return time.Now().Add(-d).UnixNano() }

func pod(id, name string, state cri.PodSandboxState, created int64) *cri.PodSandbox {
	return &cri.PodSandbox{
		Id: id, Metadata: &cri.PodSandboxMetadata{Namespace: "kube-system", Name: name}, State: state, CreatedAt: created,
	}
}

func try(id, sandbox, name string, attempt uint32, state cri.ContainerState, code int32, created int64) *cri.ContainerStatus {
	return &cri.ContainerStatus{
		Id: id, Labels: map[string]string{"sandbox": sandbox}, Metadata: &cri.ContainerMetadata{Name: name, Attempt: attempt},
		State: state, ExitCode: code, CreatedAt: created, Image: &cri.ImageSpec{Image: "images.example/" + name + ":v1"},
	}
}

const (
	running = cri.ContainerState_CONTAINER_RUNNING
	exited  = cri.ContainerState_CONTAINER_EXITED
	up      = cri.PodSandboxState_SANDBOX_READY
	stopped = cri.PodSandboxState_SANDBOX_NOTREADY
)

func crashingNode() *fakeRuntime {
	const day = 24 * time.Hour
	old, recent := since(3*day+time.Hour), since(3*time.Minute+30*time.Second)
	starting := pod("p5", "starting", up, recent)
	starting.Metadata.Namespace = "default"
	return &fakeRuntime{
		pods: []*cri.PodSandbox{
			pod("p4", "network", up, old), pod("p1", "etcd", stopped, old), pod("p2", "etcd", up, recent), pod("p3", "kube-apiserver", up, old), starting,
		},
		containers: []*cri.ContainerStatus{
			try("c1", "p1", "etcd", 0, exited, 0, old),
			try("c2", "p2", "etcd", 1, running, 0, recent),
			try("c3", "p3", "kube-apiserver", 1, exited, 1, old),
			try("c4", "p3", "kube-apiserver", 2, exited, 137, recent),
			try("c5", "p4", "install", 0, exited, 0, old),
			try("c6", "p4", "agent", 0, running, 0, old),
			try("c7", "p5", "gone", 0, running, 0, recent),
		},
		gone: "c7",
	}
}

func TestPods(t *testing.T) {
	root := t.TempDir()
	crashingNode().serve(t, root, "run/containerd/containerd.sock")
	cases := []struct {
		name string
		args []string
		want string
	}{
		{"what is there", nil, `
POD                         CONTAINER       STATE       RESTARTS  AGE  IMAGE
default/starting            -               ready       -         3m   -
kube-system/etcd            etcd            running     1         3m   images.example/etcd:v1
kube-system/kube-apiserver  kube-apiserver  exited 137  2         3m   images.example/kube-apiserver:v1
kube-system/network         agent           running     0         3d   images.example/agent:v1
`},
		{"all", []string{"--all"}, `
POD                         CONTAINER       STATE       RESTARTS  AGE  IMAGE
default/starting            -               ready       -         3m   -
kube-system/etcd            etcd            running     1         3m   images.example/etcd:v1
kube-system/etcd            etcd            exited 0    0         3d   images.example/etcd:v1
kube-system/kube-apiserver  kube-apiserver  exited 137  2         3m   images.example/kube-apiserver:v1
kube-system/kube-apiserver  kube-apiserver  exited 1    1         3d   images.example/kube-apiserver:v1
kube-system/network         agent           running     0         3d   images.example/agent:v1
kube-system/network         install         exited 0    0         3d   images.example/install:v1
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := podsOutput(t, append(c.args, "--root", root)...)
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPodsAsJSON(t *testing.T) {
	root := t.TempDir()
	f := &fakeRuntime{
		pods: []*cri.PodSandbox{pod("p1", "etcd", up, 60e9), pod("p2", "new", up, 90e9)},
		containers: []*cri.ContainerStatus{
			try("c1", "p1", "etcd", 2, running, 0, 61e9), try("c2", "p1", "helper", 0, exited, 3, 62e9),
		},
	}
	f.containers[0].Image.UserSpecifiedImage = "images.example/etcd:as-the-pod-says"
	f.serve(t, root, "run/containerd/containerd.sock")
	const want = `{"schema":"bootstrap/v1alpha1","pods":[` +
		`{"namespace":"kube-system","name":"etcd","id":"p1","state":"ready","created":"1970-01-01T00:01:00Z","containers":[` +
		`{"name":"etcd","id":"c1","state":"running","restarts":2,"created":"1970-01-01T00:01:01Z","image":"images.example/etcd:as-the-pod-says"},` +
		`{"name":"helper","id":"c2","state":"exited","exitCode":3,"restarts":0,"created":"1970-01-01T00:01:02Z","image":"images.example/helper:v1"}]},` +
		`{"namespace":"kube-system","name":"new","id":"p2","state":"ready","created":"1970-01-01T00:01:30Z","containers":[]}]}` + "\n"
	got, err := podsOutput(t, "--root", root, "-o", "json")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestPodsAsksTheKubeletsRuntime: which of two runtimes is asked.
func TestPodsAsksTheKubeletsRuntime(t *testing.T) {
	root := t.TempDir()
	named := func(name string) *fakeRuntime {
		return &fakeRuntime{pods: []*cri.PodSandbox{pod("p", name, up, since(0))}}
	}
	named("in-containerd").serve(t, root, "run/containerd/containerd.sock")
	named("in-crio").serve(t, root, "run/crio/crio.sock")
	named("in-mine").serve(t, root, "run/mine.sock")

	_, err := podsOutput(t, "--root", root)
	if err == nil || !strings.Contains(err.Error(), "several container runtimes: /run/containerd/containerd.sock, /run/crio/crio.sock") {
		t.Errorf("of two it takes one, or says %v", err)
	}
	for _, socket := range []string{"/run/mine.sock", "unix:///run/mine.sock"} {
		if got, err := podsOutput(t, "--root", root, "--cri-socket", socket); err != nil || !strings.Contains(got, "in-mine") {
			t.Errorf("--cri-socket %s: %v\n%s", socket, err, got)
		}
	}
	writeKubeletConfig(t, root, "containerRuntimeEndpoint: unix:///run/crio/crio.sock\n")
	if got, err := podsOutput(t, "--root", root); err != nil || !strings.Contains(got, "in-crio") {
		t.Errorf("of the kubelet's configuration: %v\n%s", err, got)
	}
}

func TestPodsErrors(t *testing.T) {
	cases := []struct {
		name   string
		config string
		args   []string
		want   string
	}{
		{"no runtime", "", nil, "no container runtime listens where they do by default"},
		{"it does not run", "containerRuntimeEndpoint: unix:///run/x.sock\n", nil, "the container runtime does not run (no /run/x.sock)"},
		{"no YAML", "a: [\n", nil, "/var/lib/kubelet/config.yaml: "},
		{"no such format", "", []string{"-o", "wide"}, `invalid argument "wide" for "-o, --output" flag: want text or json`},
		{"nobody listens", "", []string{"--cri-socket", "/var"}, "container runtime at /var: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "var"), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.config != "" {
				writeKubeletConfig(t, root, c.config)
			}
			out, err := podsOutput(t, append(c.args, "--root", root)...)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || out != "" {
				t.Errorf("%v, want %s\n%s", err, c.want, out)
			}
			if code := exitCode(context.Background(), err); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m", 119 * time.Minute: "119m",
		2 * time.Hour: "2h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 1000 * time.Hour: "41d",
	} {
		if got := age(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func writeKubeletConfig(t *testing.T, root, text string) {
	t.Helper()
	dir := filepath.Join(root, "var/lib/kubelet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func podsOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := rootCommand(t)
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{"pods"}, args...))
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}
