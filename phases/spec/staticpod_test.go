package spec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/templates"
)

// staticPodCases are files of testdata/config.
var staticPodCases = []string{"default", "custom", "ipv6", "dual-stack", "extra-args", "rsa-dirs", "hostile"}

// someMounts stand for the CA folders that a host has.
var someMounts = []templates.Mount{
	hostFolder("ca-certs", "/etc/ssl/certs"),
	hostFolder("usr-share-ca-certificates", "/usr/share/ca-certificates"),
}

func renderPods(t *testing.T, c *config.Config) map[string][]byte {
	t.Helper()
	manifests := map[string][]byte{}
	for name, pod := range map[string]templates.File{
		"etcd":                    EtcdPod(c, OnlyMember(c)),
		"kube-apiserver":          APIServerPod(c, someMounts),
		"kube-controller-manager": ControllerManagerPod(c, someMounts),
		"kube-scheduler":          SchedulerPod(c),
	} {
		manifest, err := templates.RenderPod(c.NodeName, pod)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		manifests[name] = manifest
	}
	return manifests
}

// forEachPod runs check on the four decoded pods of every case.
func forEachPod(t *testing.T, check func(*testing.T, *config.Config, *corev1.Pod)) {
	for _, name := range staticPodCases {
		c := configtest.Valid(t, name)
		for _, component := range Components {
			pod := decodedPods(t, c)[component]
			t.Run(name+"/"+component, func(t *testing.T) { check(t, c, pod) })
		}
	}
}

func TestStaticPodGoldens(t *testing.T) {
	for _, name := range staticPodCases {
		t.Run(name, func(t *testing.T) {
			for component, manifest := range renderPods(t, configtest.Valid(t, name)) {
				golden(t, "staticpod/"+name+"/"+component+".yaml", manifest)
			}
		})
	}
}

func TestStaticPodShape(t *testing.T) {
	forEachPod(t, func(t *testing.T, c *config.Config, pod *corev1.Pod) {
		container := pod.Spec.Containers[0]
		if pod.APIVersion != "v1" || pod.Kind != "Pod" || pod.Namespace != "kube-system" {
			t.Errorf("%s %s in %q", pod.APIVersion, pod.Kind, pod.Namespace)
		}
		labels := map[string]string{"component": pod.Name, "tier": "control-plane"}
		if diff := cmp.Diff(labels, pod.Labels); diff != "" {
			t.Error(diff)
		}
		if !pod.Spec.HostNetwork || pod.Spec.PriorityClassName != "system-node-critical" || *pod.Spec.Priority != 2000001000 {
			t.Errorf("hostNetwork %v, priority %s %d", pod.Spec.HostNetwork, pod.Spec.PriorityClassName, *pod.Spec.Priority)
		}
		if !strings.HasPrefix(container.Image, "images.example/k8s/"+pod.Name+":") || container.ImagePullPolicy != "IfNotPresent" {
			t.Errorf("image %s, %s", container.Image, container.ImagePullPolicy)
		}
	})
}

// endpoint is where a component's probes go.
type endpoint struct {
	host, scheme              string
	port                      int32
	live, ready, startup, cpu string
}

func TestProbes(t *testing.T) {
	forEachPod(t, func(t *testing.T, c *config.Config, pod *corev1.Pod) {
		loopback := "127.0.0.1"
		if c.AdvertiseAddress.Is6() {
			loopback = "::1"
		}
		want := map[string]endpoint{
			"etcd":                    {loopback, "HTTP", 2381, "/livez", "/readyz", "/readyz", "100m"},
			"kube-apiserver":          {c.AdvertiseAddress.String(), "HTTPS", int32(c.BindPort), "/livez", "/readyz", "/livez", "250m"},
			"kube-controller-manager": {loopback, "HTTPS", 10257, "/healthz", "/healthz", "/healthz", "200m"},
			"kube-scheduler":          {loopback, "HTTPS", 10259, "/livez", "/readyz", "/livez", "100m"},
		}[pod.Name]
		container := pod.Spec.Containers[0]
		ports := []corev1.ContainerPort{{Name: "probe-port", ContainerPort: want.port, Protocol: "TCP"}}
		if diff := cmp.Diff(ports, container.Ports); diff != "" {
			t.Error(diff)
		}
		if got := container.Resources.Requests.Cpu().String(); got != want.cpu {
			t.Errorf("requests %s CPU, want %s", got, want.cpu)
		}
		budget := int32(c.ControlPlaneTimeout.Seconds())
		// initial delay, period, timeout, threshold
		checkProbe(t, "liveness", container.LivenessProbe, want, want.live, [4]int32{10, 10, 15, 8})
		checkProbe(t, "readiness", container.ReadinessProbe, want, want.ready, [4]int32{0, 1, 15, 3})
		checkProbe(t, "startup", container.StartupProbe, want, want.startup, [4]int32{0, 1, 15, budget})
	})
}

func checkProbe(t *testing.T, kind string, p *corev1.Probe, e endpoint, path string, times [4]int32) {
	t.Helper()
	if p == nil || p.HTTPGet == nil {
		t.Errorf("no %s probe by HTTP", kind)
		return
	}
	get := *p.HTTPGet
	got := fmt.Sprint(get.Scheme, " ", get.Host, " ", get.Port.String(), " ", get.Path)
	if want := fmt.Sprint(e.scheme, " ", e.host, " probe-port ", path); got != want {
		t.Errorf("%s probe asks %s, want %s", kind, got, want)
	}
	if got := [4]int32{p.InitialDelaySeconds, p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold}; got != times {
		t.Errorf("%s probe has delay, period, timeout, threshold %v, want %v", kind, got, times)
	}
}

func TestStaticPodSecurity(t *testing.T) {
	no, yes := false, true
	forEachPod(t, func(t *testing.T, _ *config.Config, pod *corev1.Pod) {
		want := &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
		if diff := cmp.Diff(want, pod.Spec.SecurityContext); diff != "" {
			t.Error(diff)
		}
		wantContainer := &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
		if pod.Name == "kube-apiserver" { // as its file in Kubernetes' own image has it
			wantContainer.Capabilities.Add = []corev1.Capability{"NET_BIND_SERVICE"}
		}
		if diff := cmp.Diff(wantContainer, pod.Spec.Containers[0].SecurityContext); diff != "" {
			t.Error(diff)
		}
		if *pod.Spec.AutomountServiceAccountToken || *pod.Spec.EnableServiceLinks {
			t.Error("a token or the Services' addresses are put into the pod")
		}
		if pod.Name != "etcd" && value(flags(t, pod), "profiling") != "false" {
			t.Error("profiling is on")
		}
	})
}

func TestMounts(t *testing.T) {
	forEachPod(t, func(t *testing.T, c *config.Config, pod *corev1.Pod) {
		cas := map[string]bool{"/etc/ssl/certs": true, "/usr/share/ca-certificates": true}
		// path -> read-only
		want := map[string]map[string]bool{
			"etcd":           {c.Etcd.DataDir: false, c.CertificatesDir + "/etcd": true},
			"kube-apiserver": {c.CertificatesDir: true},
			"kube-controller-manager": {
				c.CertificatesDir: true, "/etc/kubernetes/controller-manager.conf": true,
			},
			"kube-scheduler": {"/etc/kubernetes/scheduler.conf": true},
		}[pod.Name]
		if pod.Name == "kube-apiserver" || pod.Name == "kube-controller-manager" {
			for path := range cas {
				want[path] = true
			}
		}
		got := map[string]bool{}
		volumes := map[string]corev1.Volume{}
		for _, v := range pod.Spec.Volumes {
			volumes[v.Name] = v
		}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			got[m.MountPath] = m.ReadOnly
			v := volumes[m.Name]
			if v.HostPath == nil || v.HostPath.Path != m.MountPath {
				t.Errorf("%s is not mounted from the same path of the host: %+v", m.MountPath, v)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("path and whether read-only (-want +got):\n%s", diff)
		}
		if len(volumes) != len(got) {
			t.Errorf("%d volumes for %d mounts", len(volumes), len(got))
		}
	})
}

// TestUID wants a UID that anyone can take for the manifest's hash.
func TestUID(t *testing.T) {
	base := decodedPods(t, configtest.Valid(t, "default"))
	same := decodedPods(t, configtest.Valid(t, "default"))
	renamed := configtest.Valid(t, "default")
	renamed.NodeName = "node-2"
	other := decodedPods(t, renamed)
	flagged := configtest.Valid(t, "default")
	arg := []config.Arg{{Name: "v", Value: "2"}}
	flagged.Etcd.ExtraArgs, flagged.APIServer.ExtraArgs = arg, arg
	flagged.ControllerManager.ExtraArgs, flagged.Scheduler.ExtraArgs = arg, arg
	changed := decodedPods(t, flagged)
	for _, name := range Components {
		uid := base[name].UID
		if len(uid) != 32 || strings.Trim(string(uid), "0123456789abcdef") != "" {
			t.Errorf("%s: UID %q is not 32 digits of hex", name, uid)
		}
		if same[name].UID != uid {
			t.Errorf("%s: the same input gives %s and %s", name, uid, same[name].UID)
		}
		if other[name].UID == uid {
			t.Errorf("%s: another node name gives the same UID", name)
		}
		if changed[name].UID == uid {
			t.Errorf("%s: another flag gives the same UID", name)
		}
	}
	seen := map[string]string{}
	for name, pod := range base {
		if before := seen[string(pod.UID)]; before != "" {
			t.Errorf("%s and %s have one UID", name, before)
		}
		seen[string(pod.UID)] = name
	}
}

// TestUIDOfEachField changes one thing that is in the manifest but not in a flag.
func TestUIDOfEachField(t *testing.T) {
	pod := SchedulerPod(configtest.Valid(t, "default"))
	uid := func(p templates.KubeScheduler) string {
		manifest, err := templates.RenderPod("node-1", p)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := DecodePod(manifest)
		if err != nil {
			t.Fatal(err)
		}
		return string(decoded.UID)
	}
	base := uid(pod)
	cases := map[string]func(*templates.KubeScheduler){
		"image":      func(p *templates.KubeScheduler) { p.Image += "1" },
		"kubeconfig": func(p *templates.KubeScheduler) { p.Kubeconfig += "1" },
		"probe host": func(p *templates.KubeScheduler) { p.Probe.Host = "::1" },
		"probe port": func(p *templates.KubeScheduler) { p.Probe.Port++ },
		"timeout":    func(p *templates.KubeScheduler) { p.Probe.StartupSeconds++ },
		"flag order": func(p *templates.KubeScheduler) {
			p.Command = append([]string{}, p.Command...)
			p.Command[1], p.Command[2] = p.Command[2], p.Command[1]
		},
	}
	for name, change := range cases {
		changed := pod
		change(&changed)
		if uid(changed) == base {
			t.Errorf("another %s gives the same UID", name)
		}
	}
}

func TestDecodePodIsStrict(t *testing.T) {
	cases := map[string]string{
		"unknown field":   "apiVersion: v1\nkind: Pod\nspec:\n  hostNetwrok: true\n",
		"duplicate field": "apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: true\n  hostNetwork: false\n",
		"wrong type":      "apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: [yes]\n",
	}
	for name, manifest := range cases {
		if _, err := DecodePod([]byte(manifest)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestCommand(t *testing.T) {
	arg := func(name, value string) config.Arg { return config.Arg{Name: name, Value: value} }
	defaults := []config.Arg{arg("a", "1"), arg("b", "2"), arg("c", "3")}
	cases := []struct {
		name  string
		extra []config.Arg
		want  []string
	}{
		{"none", nil, []string{"x", "--a=1", "--b=2", "--c=3"}},
		{"another flag goes to the end", []config.Arg{arg("0", "z")}, []string{"x", "--a=1", "--b=2", "--c=3", "--0=z"}},
		{"override drops the default", []config.Arg{arg("b", "9")}, []string{"x", "--a=1", "--c=3", "--b=9"}},
		{"repeated, in the user's order", []config.Arg{arg("b", "9"), arg("z", ""), arg("b", "8")}, []string{"x", "--a=1", "--c=3", "--b=9", "--z=", "--b=8"}},
		{"a name that only begins the same", []config.Arg{arg("bb", "9")}, []string{"x", "--a=1", "--b=2", "--c=3", "--bb=9"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, command("x", defaults, c.extra), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
