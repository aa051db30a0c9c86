package phases

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
	for name, pod := range map[string]staticPod{
		"etcd":                    etcdPod(c, onlyMember(c)),
		"kube-apiserver":          apiServerPod(c, someMounts),
		"kube-controller-manager": controllerManagerPod(c, someMounts),
		"kube-scheduler":          schedulerPod(c),
	} {
		manifest, err := pod.Render(c.NodeName)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		manifests[name] = manifest
	}
	return manifests
}

func decodedPods(t *testing.T, c *config.Config) map[string]*corev1.Pod {
	t.Helper()
	pods := map[string]*corev1.Pod{}
	for name, manifest := range renderPods(t, c) {
		pod, err := decodePod(manifest)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pods[name] = pod
	}
	return pods
}

// forEachPod runs check on the four decoded pods of every case.
func forEachPod(t *testing.T, check func(*testing.T, *config.Config, *corev1.Pod)) {
	for _, name := range staticPodCases {
		c := configtest.Valid(t, name)
		for _, component := range components {
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

// flags are the arguments of a pod's command, without the program.
func flags(t *testing.T, pod *corev1.Pod) []string {
	t.Helper()
	if len(pod.Spec.Containers) != 1 {
		t.Fatalf("%d containers, want 1", len(pod.Spec.Containers))
	}
	line := pod.Spec.Containers[0].Command
	if line[0] != pod.Name {
		t.Fatalf("program is %q, want %q", line[0], pod.Name)
	}
	return line[1:]
}

// value is what the last flag of that name is set to.
func value(line []string, name string) string {
	found := ""
	for _, each := range line {
		if v, ok := strings.CutPrefix(each, "--"+name+"="); ok {
			found = v
		}
	}
	return found
}

// TestDefaultFlags holds kubeadm's own flags (reference/kubeadm.md §2.2), and those added.
func TestDefaultFlags(t *testing.T) {
	const pki = "/etc/kubernetes/pki/"
	want := map[string][]string{
		"etcd": {
			"advertise-client-urls=https://192.0.2.10:2379", "cert-file=" + pki + "etcd/server.crt", "client-cert-auth=true",
			"data-dir=/var/lib/etcd", "election-timeout=500", "feature-gates=InitialCorruptCheck=true",
			"initial-advertise-peer-urls=https://192.0.2.10:2380", "initial-cluster=node-1=https://192.0.2.10:2380", "initial-cluster-state=new",
			"key-file=" + pki + "etcd/server.key", "listen-client-urls=https://127.0.0.1:2379,https://192.0.2.10:2379",
			"listen-metrics-urls=http://127.0.0.1:2381", "listen-peer-urls=https://192.0.2.10:2380", "name=node-1",
			"peer-cert-file=" + pki + "etcd/peer.crt", "peer-client-cert-auth=true", "peer-key-file=" + pki + "etcd/peer.key",
			"peer-trusted-ca-file=" + pki + "etcd/ca.crt", "snapshot-count=10000", "trusted-ca-file=" + pki + "etcd/ca.crt",
			"watch-progress-notify-interval=5s",
		},
		"kube-apiserver": {
			"advertise-address=192.0.2.10", "allow-privileged=true", "authorization-mode=Node,RBAC",
			"client-ca-file=" + pki + "ca.crt", "enable-admission-plugins=NodeRestriction", "enable-bootstrap-token-auth=true",
			"etcd-cafile=" + pki + "etcd/ca.crt", "etcd-certfile=" + pki + "apiserver-etcd-client.crt",
			"etcd-keyfile=" + pki + "apiserver-etcd-client.key", "etcd-servers=https://127.0.0.1:2379",
			"kubelet-client-certificate=" + pki + "apiserver-kubelet-client.crt",
			"kubelet-client-key=" + pki + "apiserver-kubelet-client.key",
			"kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname", "peer-ca-file=" + pki + "ca.crt", "profiling=false",
			"proxy-client-cert-file=" + pki + "front-proxy-client.crt", "proxy-client-key-file=" + pki + "front-proxy-client.key",
			"requestheader-allowed-names=front-proxy-client", "requestheader-client-ca-file=" + pki + "front-proxy-ca.crt",
			"requestheader-extra-headers-prefix=X-Remote-Extra-", "requestheader-group-headers=X-Remote-Group",
			"requestheader-username-headers=X-Remote-User", "secure-port=6443",
			"service-account-issuer=https://kubernetes.default.svc.cluster.local", "service-account-key-file=" + pki + "sa.pub",
			"service-account-signing-key-file=" + pki + "sa.key", "service-cluster-ip-range=10.96.0.0/12",
			"shutdown-watch-termination-grace-period=20s", "tls-cert-file=" + pki + "apiserver.crt", "tls-private-key-file=" + pki + "apiserver.key",
		},
		"kube-controller-manager": {
			"allocate-node-cidrs=true", "authentication-kubeconfig=/etc/kubernetes/controller-manager.conf",
			"authorization-kubeconfig=/etc/kubernetes/controller-manager.conf", "bind-address=127.0.0.1",
			"client-ca-file=" + pki + "ca.crt", "cluster-cidr=10.244.0.0/16", "cluster-name=kubernetes",
			"cluster-signing-cert-file=" + pki + "ca-signing.crt", "cluster-signing-key-file=" + pki + "ca.key",
			"controllers=*,bootstrapsigner,tokencleaner", "kube-api-burst=300", "kubeconfig=/etc/kubernetes/controller-manager.conf",
			"leader-elect=true", "profiling=false", "requestheader-client-ca-file=" + pki + "front-proxy-ca.crt",
			"root-ca-file=" + pki + "ca.crt", "service-account-private-key-file=" + pki + "sa.key",
			"service-cluster-ip-range=10.96.0.0/12", "use-service-account-credentials=true",
		},
		"kube-scheduler": {
			"authentication-kubeconfig=/etc/kubernetes/scheduler.conf", "authorization-kubeconfig=/etc/kubernetes/scheduler.conf",
			"bind-address=127.0.0.1", "kubeconfig=/etc/kubernetes/scheduler.conf", "leader-elect=true", "profiling=false",
		},
	}
	for component, pod := range decodedPods(t, configtest.Valid(t, "default")) {
		if diff := cmp.Diff(dashed(want[component]), flags(t, pod)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", component, diff)
		}
	}
}

func dashed(flags []string) []string {
	var line []string
	for _, f := range flags {
		line = append(line, "--"+f)
	}
	return line
}

func TestConfiguredFlags(t *testing.T) {
	cases := []struct{ config, component, flag, want string }{
		{"custom", "kube-apiserver", "secure-port", "8443"},
		{"custom", "kube-apiserver", "advertise-address", "198.51.100.7"},
		{"custom", "kube-apiserver", "service-cluster-ip-range", "172.20.0.0/16"},
		{"custom", "kube-apiserver", "service-account-issuer", "https://kubernetes.default.svc.k8s.example.org"},
		{"custom", "kube-controller-manager", "cluster-cidr", "10.32.0.0/14"},
		{"custom", "kube-controller-manager", "cluster-name", "blue"},
		{"custom", "etcd", "name", "cp-1.example.org"},
		{"custom", "etcd", "initial-cluster", "cp-1.example.org=https://198.51.100.7:2380"},
		{"ipv6", "etcd", "listen-client-urls", "https://[::1]:2379,https://[2001:db8::10]:2379"},
		{"ipv6", "etcd", "listen-metrics-urls", "http://[::1]:2381"},
		{"ipv6", "kube-apiserver", "advertise-address", "2001:db8::10"},
		{"ipv6", "kube-apiserver", "etcd-servers", "https://[::1]:2379"},
		{"ipv6", "kube-apiserver", "service-cluster-ip-range", "fd00:10:96::/112"},
		{"ipv6", "kube-controller-manager", "bind-address", "::1"},
		{"ipv6", "kube-controller-manager", "cluster-cidr", "fd00:10:244::/48"},
		{"ipv6", "kube-scheduler", "bind-address", "::1"},
		{"dual-stack", "kube-apiserver", "service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112"},
		{"dual-stack", "kube-controller-manager", "cluster-cidr", "10.244.0.0/16,fd00:10:244::/56"},
		{"dual-stack", "kube-controller-manager", "service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112"},
		{"rsa-dirs", "etcd", "data-dir", "/data/etcd"},
		{"rsa-dirs", "etcd", "peer-key-file", "/srv/k8s/pki/etcd/peer.key"},
		{"rsa-dirs", "kube-apiserver", "tls-private-key-file", "/srv/k8s/pki/apiserver.key"},
		{"rsa-dirs", "kube-controller-manager", "root-ca-file", "/srv/k8s/pki/ca.crt"},
	}
	for _, c := range cases {
		t.Run(c.config+"/"+c.component+"/"+c.flag, func(t *testing.T) {
			line := flags(t, decodedPods(t, configtest.Valid(t, c.config))[c.component])
			if got := value(line, c.flag); got != c.want {
				t.Errorf("--%s=%s, want %s", c.flag, got, c.want)
			}
		})
	}
}

// TestExtraArgs wants each component's extra arguments as the user wrote them, at
// the end, and no default of the same name before them.
func TestExtraArgs(t *testing.T) {
	hostile := map[string][]string{
		"etcd": {
			`initial-cluster-token=a "double" and a 'single' one`, `discovery={{ .UID }}{{ quote "x" }}{{/* */}}`, `log-outputs=}}{{end}}`,
		},
		"kube-apiserver": {
			`audit-log-path=a: b # c`, `egress-selector-config-file=C:\new\table \u0041 \x41 \`,
			"oidc-groups-prefix=gr\u00fc\u00dfe \u4e16\u754c \u2028\u2029 \U0001F600 \u00a0 \ufeff \u007f \u0085 \t",
			`oidc-username-prefix=%n %% %(x)s`, `external-hostname=$(NODE) $HOME ${HOME} $$`,
		},
		"kube-controller-manager": {
			`cloud-config=--profiling=true`, `flex-volume-plugin-dir=-`, `master=---`, `node-eviction-rate=yes`, `leader-elect-resource-name=no`, `leader-elect-resource-namespace=~`, `feature-gates=`, `v=0x1F`,
		},
		"kube-scheduler": {
			`logging-format=&a *a !!str`, `tls-cert-file=| >`, `tls-cipher-suites=[a, b]`, `vmodule=  two  `, `config=<a href="x">&amp;</a>`,
		},
	}
	extra := map[string][]string{
		"etcd": {"snapshot-count=5000", "quota-backend-bytes=4294967296"},
		"kube-apiserver": {
			"service-account-issuer=https://new.example.org", "service-account-issuer=https://old.example.org",
			"v=4", "authorization-mode=Node,RBAC,Webhook",
		},
		"kube-controller-manager": {"node-cidr-mask-size=25", "leader-elect=false"},
		"kube-scheduler":          {"leader-elect=false", "bind-address=0.0.0.0"},
	}
	for name, wanted := range map[string]map[string][]string{"hostile": hostile, "extra-args": extra} {
		defaults := decodedPods(t, configtest.Valid(t, "default"))
		for component, pod := range decodedPods(t, configtest.Valid(t, name)) {
			t.Run(name+"/"+component, func(t *testing.T) {
				want := append(without(flags(t, defaults[component]), wanted[component]), dashed(wanted[component])...)
				if diff := cmp.Diff(want, flags(t, pod)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// without is the line without the flags that an override names.
func without(line, overrides []string) []string {
	var rest []string
	for _, f := range line {
		name, _, _ := strings.Cut(f, "=")
		overridden := false
		for _, o := range overrides {
			overridden = overridden || strings.HasPrefix(o, strings.TrimPrefix(name, "--")+"=")
		}
		if !overridden {
			rest = append(rest, f)
		}
	}
	return rest
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

func TestStaticPodAnnotations(t *testing.T) {
	cases := []struct {
		config, component string
		want              map[string]string
	}{
		{"default", "etcd", map[string]string{"kubeadm.kubernetes.io/etcd.advertise-client-urls": "https://192.0.2.10:2379"}},
		{"ipv6", "etcd", map[string]string{"kubeadm.kubernetes.io/etcd.advertise-client-urls": "https://[2001:db8::10]:2379"}},
		{"custom", "kube-apiserver", map[string]string{"kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": "198.51.100.7:8443"}},
	}
	for _, c := range cases {
		pod := decodedPods(t, configtest.Valid(t, c.config))[c.component]
		if diff := cmp.Diff(c.want, pod.Annotations); diff != "" {
			t.Errorf("%s %s: %s", c.config, c.component, diff)
		}
	}
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
	for _, name := range components {
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
	pod := schedulerPod(configtest.Valid(t, "default"))
	uid := func(p templates.KubeScheduler) string {
		manifest, err := p.Render("node-1")
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := decodePod(manifest)
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
		if _, err := decodePod([]byte(manifest)); err == nil {
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
