package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
)

func decodedPods(t *testing.T, c *config.Config) map[string]*corev1.Pod {
	t.Helper()
	pods := map[string]*corev1.Pod{}
	for name, manifest := range renderPods(t, c) {
		pod, err := DecodePod(manifest)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pods[name] = pod
	}
	return pods
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
			`initial-cluster-token=a "double" and a 'single' one`, `distributed-tracing-service-name={{ .UID }}{{ quote "x" }}{{/* */}}`,
			`distributed-tracing-instance-id=<a href="x">&amp;</a>`, `log-outputs=/var/lib/etcd/}}{{end}}`,
		},
		"kube-apiserver": {
			`audit-policy-file=/etc/kubernetes/pki/a: b # c`, `egress-selector-config-file=/etc/kubernetes/pki/C:\new\table \u0041 \x41 \`,
			`etcd-prefix=~`,
			"oidc-groups-prefix=gr\u00fc\u00dfe \u4e16\u754c \u2028\u2029 \U0001F600 \u00a0 \ufeff \u007f \u0085 \t",
			`oidc-issuer-url=https://issuer.example.org/%7E?`, `oidc-client-id=!important`, `oidc-username-prefix=%n %% %(x)s`, `external-hostname=$(NODE) $HOME ${HOME} $$`,
		},
		"kube-controller-manager": {
			`flex-volume-plugin-dir=--profiling=true`, `external-cloud-volume-plugin=-`, `cluster-name=---`, `node-eviction-rate=1e-1`,
			`leader-elect-resource-name=no`, `feature-gates=`, `concurrent-gc-syncs=0x1F`, `v=010`,
		},
		"kube-scheduler": {
			`requestheader-allowed-names=&a *a !!str`, `requestheader-group-headers=| >`, `requestheader-extra-headers-prefix=[a, b]`,
			`authorization-always-allow-paths=  two  `,
		},
	}
	extra := map[string][]string{
		"etcd": {"snapshot-count=5000", "quota-backend-bytes=4294967296"},
		"kube-apiserver": {
			"service-account-issuer=https://new.example.org", "service-account-issuer=https://old.example.org",
			"v=4", "authorization-mode=Node,RBAC,Webhook", "authorization-webhook-config-file=/etc/kubernetes/pki/webhook.conf",
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
