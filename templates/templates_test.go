package templates

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares with a file of testdata/golden/node.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("../testdata/golden/node", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./templates -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// hostile are values that some format could take for something else.
var hostile = []string{
	"", " ", "  two  ", "'", `"`, `\`, `a\nb`, `\x41\u0041`, "$HOME", "${HOME}", "$$", "%n", "%%", "{{.UID}}", "}}", "a: b # c", "#", ";",
	"--profiling", "-", "---", "yes", "null", "~", "0x1F", "[a]", "{a: b}", "&a *a !!str", "| >", "<&>", "a,b=c", "`id`", "tab\there",
	"line\nbreak", "\r", "\u0000", "\u001b[31m", "\u007f", "\u0085", "\u00a0", "\u2028\u2029", "\ufeff", "\ufffd", "gr\u00fc\u00dfe \u4e16\u754c", "\U0001F600",
}

func TestQuote(t *testing.T) {
	for _, want := range hostile {
		q, err := quote(want)
		if err != nil {
			t.Errorf("%q: %v", want, err)
			continue
		}
		var asJSON, asYAML string
		if err := json.Unmarshal([]byte(q), &asJSON); err != nil || asJSON != want {
			t.Errorf("%q: as JSON %s is %q, %v", want, q, asJSON, err)
		}
		if err := yaml.Unmarshal([]byte(q), &asYAML); err != nil || asYAML != want {
			t.Errorf("%q: as YAML %s is %q, %v", want, q, asYAML, err)
		}
		if strings.ContainsAny(q, "\n\r\u0085\u2028\u2029") {
			t.Errorf("%q: %q is more than one line", want, q)
		}
	}
	if q, err := quote("\xff"); err == nil {
		t.Errorf("bytes that are no text become %s", q)
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, want string) {
		q, err := quote(want)
		if err != nil {
			return
		}
		var asYAML string
		if err := yaml.Unmarshal([]byte("- "+q), &[]*string{&asYAML}); err != nil {
			t.Errorf("%q: %s is no YAML: %v", want, q, err)
		}
		u, err := unitquote(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := unitWords(t, u); len(got) != 1 || got[0] != want {
			t.Errorf("%q: systemd reads %s as %q", want, u, got)
		}
	})
}

// TestUnitquote leaves NUL out, which no program can be given.
func TestUnitquote(t *testing.T) {
	for _, want := range hostile {
		if want == "\u0000" {
			continue
		}
		q, err := unitquote(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := unitWords(t, "/bin/x "+q+" --last"); !cmp.Equal([]string{"/bin/x", want, "--last"}, got) {
			t.Errorf("%q: systemd reads %s as %q", want, q, got)
		}
	}
}

// unitWords splits a command line as systemd.service(5) says: words in double
// quotes with the escapes of C, "%%" for '%', "$$" for '$'.
func unitWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		word, line = unitWord(t, line)
		for _, special := range []string{"%", "$"} {
			if strings.Contains(strings.ReplaceAll(word, special+special, ""), special) {
				t.Errorf("%q holds a %s that systemd would expand", word, special)
			}
			word = strings.ReplaceAll(word, special+special, special)
		}
		words = append(words, word)
	}
	return words
}

func unitWord(t *testing.T, line string) (word, rest string) {
	t.Helper()
	if line[0] != '"' {
		word, rest, _ = strings.Cut(line, " ")
		if strings.ContainsAny(word, `\'"`) {
			t.Errorf("%q is not quoted", word)
		}
		return word, rest
	}
	quoted, err := strconv.QuotedPrefix(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if word, err = strconv.Unquote(quoted); err != nil {
		t.Fatalf("%s: %v", quoted, err)
	}
	return word, line[len(quoted):]
}

func render1(t *testing.T, file File) []byte {
	t.Helper()
	data, err := Render(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Render(file)
	if err != nil || string(again) != string(data) {
		t.Fatalf("the same input gives other bytes, %v", err)
	}
	return data
}

func TestUnits(t *testing.T) {
	golden(t, "containerd.service", render1(t, ContainerdService{Containerd: "/usr/local/bin/containerd", Config: "/etc/containerd/config.toml", Folders: []string{"/var/lib/containerd"}}))
	golden(t, "kubelet.service", render1(t, KubeletService{Kubelet: "/usr/local/bin/kubelet"}))
}

func TestKubeletDropIn(t *testing.T) {
	dropIn := KubeletDropIn{Kubelet: "/usr/local/bin/kubelet", Args: []string{"--config=/var/lib/kubelet/config.yaml", "--node-ip=192.0.2.10"}}
	golden(t, "90-bootstrap-without-etcd.conf", render1(t, dropIn))
	dropIn.Folders, dropIn.NoProxy = []string{"/var/lib/kubelet", "/srv/100 %/etcd"}, "localhost,10.96.0.0/12,192.0.2.10"
	golden(t, "90-bootstrap.conf", render1(t, dropIn))
	dropIn.Args = nil
	for _, value := range hostile {
		if value != "\u0000" {
			dropIn.Args = append(dropIn.Args, "--x="+value)
		}
	}
	data := render1(t, dropIn)
	golden(t, "10-bootstrap-hostile.conf", data)
	want := append([]string{dropIn.Kubelet}, dropIn.Args...)
	if diff := cmp.Diff(want, execStart(t, string(data))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// execStart is the command of a drop-in that first takes away that of the unit.
func execStart(t *testing.T, text string) []string {
	t.Helper()
	text = strings.ReplaceAll(text, " \\\n", " ")
	_, text, _ = strings.Cut(text, "\nExecStart=\n")
	line, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), "ExecStart=")
	if !ok || strings.Contains(line, "\n") {
		t.Fatalf("not one command, after an empty one: %q", text)
	}
	return unitWords(t, line)
}

func TestContainerdConfig(t *testing.T) {
	config := ContainerdConfig{
		SandboxImage: "images.example/k8s/pause:3.10.2", RegistryConfig: "/etc/containerd/certs.d",
		CNIPlugins: []string{"/opt/cni/bin", "/usr/lib/cni"}, CNIConfig: "/etc/cni/net.d", Runc: "/usr/local/bin/runc",
	}
	golden(t, "containerd-config.toml", render1(t, config))
	config.RestrictOOMScoreAdj = true
	golden(t, "containerd-config-restricted.toml", render1(t, config))
}

func TestKubeletConfig(t *testing.T) {
	plain := KubeletConfig{
		StaticPodPath: "/etc/kubernetes/manifests", RuntimeEndpoint: "unix:///run/containerd/containerd.sock",
		ClusterDNS: "10.96.0.10", ClusterDomain: "cluster.local", ClientCA: "/etc/kubernetes/pki/ca.crt",
		Loopback: "127.0.0.1", ResolvConf: "/etc/resolv.conf", FailSwapOn: true, FailCgroupV1: true,
	}
	golden(t, "kubelet-config.yaml", render1(t, plain))
	odd := plain
	odd.ClusterDNS, odd.Loopback, odd.ResolvConf = "fd00:10:96::a", "::1", ""
	odd.RestrictOOMScoreAdj = true
	odd.FailSwapOn, odd.FailCgroupV1, odd.FeatureGates = false, false, []string{"A", "KubeletInUserNamespace"}
	golden(t, "kubelet-config-odd.yaml", render1(t, odd))
	alone := plain
	alone.Standalone, alone.ClusterDNS, alone.ClusterDomain, alone.ClientCA = true, "", "", ""
	golden(t, "kubelet-config-standalone.yaml", render1(t, alone))

	want := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"staticPodPath": "/etc/kubernetes/manifests", "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver": "systemd", "clusterDNS": []any{"10.96.0.10"}, "clusterDomain": "cluster.local",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true},
			"x509": map[string]any{"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
		},
		"authorization":      map[string]any{"mode": "Webhook"},
		"healthzBindAddress": "127.0.0.1", "healthzPort": 10248.0, "readOnlyPort": 0.0, "rotateCertificates": true,
		"serializeImagePulls": false, "resolvConf": "/etc/resolv.conf", "failSwapOn": true,
	}
	if diff := cmp.Diff(want, decodeYAML(t, render1(t, plain))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := decodeYAML(t, render1(t, odd))
	if diff := cmp.Diff(map[string]any{"A": true, "KubeletInUserNamespace": true}, got["featureGates"]); diff != "" {
		t.Error(diff)
	}
	if got["resolvConf"] != "" || got["failSwapOn"] != false || got["failCgroupV1"] != false {
		t.Errorf("%v", got)
	}
}

func TestInstanceConfig(t *testing.T) {
	const endpoint = "unix:///run/containerd/containerd.sock"
	got := decodeYAML(t, render1(t, InstanceConfig{RuntimeEndpoint: endpoint}))
	if got["kind"] != "KubeletConfiguration" || got["containerRuntimeEndpoint"] != endpoint {
		t.Errorf("%v", got)
	}
}

// decodeYAML refuses duplicate keys.
func decodeYAML(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var got map[string]any
	if err := yaml.UnmarshalStrict(data, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestBridgeNetwork(t *testing.T) {
	cases := map[string][]string{
		"ipv4": {"10.244.0.0/24"},
		"ipv6": {"fd00:10:244::/64"},
		"dual": {"10.244.0.0/24", "fd00:10:244::/64"},
	}
	for name, subnets := range cases {
		t.Run(name, func(t *testing.T) {
			data := render1(t, BridgeNetwork{Bridge: "bootstrap0", Subnets: subnets, MTU: "1450"})
			golden(t, "10-bootstrap-"+name+".conflist", data)
			var list struct {
				CNIVersion, Name string
				Plugins          []struct {
					Type, Bridge string
					MTU          int
					IPMasq       bool
					IPAM         struct {
						Type   string
						Ranges [][]struct{ Subnet string }
					}
				}
			}
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			if list.CNIVersion != "1.0.0" || list.Name == "" || len(list.Plugins) != 2 || list.Plugins[0].Bridge != "bootstrap0" {
				t.Fatalf("%+v", list)
			}
			if bridge := list.Plugins[0]; bridge.MTU != 1450 || bridge.IPMasq {
				t.Errorf("%+v: VXLAN needs the smaller MTU, and flannel masquerades", bridge)
			}
			var got []string
			for _, r := range list.Plugins[0].IPAM.Ranges {
				if len(r) != 1 {
					t.Fatalf("%d subnets in one range: a pod would get an address of just one of them", len(r))
				}
				got = append(got, r[0].Subnet)
			}
			if diff := cmp.Diff(subnets, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEveryTemplateIsRendered wants no file in the binary that nothing fills.
func TestEveryTemplateIsRendered(t *testing.T) {
	for _, dir := range []string{".", "staticpod", "systemd"} {
		entries, err := files.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				continue
			}
			source, err := os.ReadFile("node.go")
			if err != nil {
				t.Fatal(err)
			}
			more, err := os.ReadFile("staticpod.go")
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, e.Name())
			if name != parts && !strings.Contains(string(source)+string(more), `return "`+name+`"`) {
				t.Errorf("nothing renders %s", name)
			}
		}
	}
}
