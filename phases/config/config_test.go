package config

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files, and the want lines of testdata/config, instead of comparing with them")

const configDir = "../../testdata/config"

var machine = Machine{Hostname: "Node-1", Address: netip.MustParseAddr("192.0.2.10")}

// files are those of testdata/config that match.
func files(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(configDir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s, %v", pattern, err)
	}
	return found
}

func readFile(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestValid compares each Config with testdata/golden/config: what is computed and
// defaulted as well as what is in the file.
func TestValid(t *testing.T) {
	for _, file := range files(t, "valid-*.yaml") {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "valid-"), ".yaml")
		t.Run(name, func(t *testing.T) {
			c, err := Parse(filepath.Base(file), []byte(readFile(t, file)), machine)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(computed(c), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("../../testdata/golden/config", name+".json"), string(got)+"\n")
		})
	}
}

// computed is a Config with what its methods give.
func computed(c *Config) any {
	return struct {
		*Config
		APIServerURL, EndpointURL, EndpointHost string
		KubernetesServiceIP, DNSServiceIP       netip.Addr
		Loopback                                netip.Addr
		NodePodSubnets                          []netip.Prefix
		Required, Addons                        []string
	}{
		c, c.APIServerURL(), c.EndpointURL(), c.EndpointHost(), c.KubernetesServiceIP(), c.DNSServiceIP(), c.Loopback(), c.NodePodSubnets(),
		c.RequiredImages(), c.Addons(),
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readFile(t, file), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestInvalid wants of each file exactly the errors of its "# want: " lines. A line
// "# machine: no address" takes the default route away.
func TestInvalid(t *testing.T) {
	for _, file := range files(t, "invalid-*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) { checkInvalid(t, file) })
	}
}

func checkInvalid(t *testing.T, file string) {
	t.Helper()
	text := readFile(t, file)
	if *update {
		text = withWants(file, text)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := wants(text)
	if len(want) == 0 {
		t.Fatal("no want line")
	}
	if diff := cmp.Diff(want, parseErrors(file, text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func parseErrors(file, text string) []string {
	m := machine
	if strings.Contains(text, "# machine: no address\n") {
		m.Address = netip.Addr{}
	}
	c, err := Parse(filepath.Base(file), []byte(text), m)
	if err == nil {
		return []string{"accepted"}
	}
	if c != nil {
		return []string{"a Config as well as an error"}
	}
	var found []string
	for _, each := range err.(interface{ Unwrap() []error }).Unwrap() {
		found = append(found, each.Error())
	}
	return found
}

const wantMark = "# want: "

// wants are the errors that a file names, and the file without them.
func wants(text string) (want []string, rest string) {
	for line := range strings.Lines(text) {
		if message, ok := strings.CutPrefix(line, wantMark); ok {
			want = append(want, strings.TrimSuffix(message, "\n"))
			continue
		}
		rest += line
	}
	return want, rest
}

// above are the comments that stay above the want lines: where a file of people is from, and who else refuses it.
var above = regexp.MustCompile(`\A(?:# (?:source|Unsure|proof|needs): .*\n)*`)

// withWants writes the want lines anew. They are part of the file, so they move lines.
func withWants(file, text string) string {
	_, rest := wants(text)
	top := above.FindString(rest)
	rest = rest[len(top):]
	head := strings.Repeat(wantMark+"\n", len(parseErrors(file, top+rest)))
	found := parseErrors(file, top+head+rest)
	return top + wantMark + strings.Join(found, "\n"+wantMark) + "\n" + rest
}

func TestNoFile(t *testing.T) {
	c, err := Parse("", nil, machine)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Cluster: Cluster{
			KubernetesVersion: DefaultVersion,
			ClusterName:       "kubernetes",
			Networking: Networking{
				ServiceSubnets: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")},
				PodSubnets:     []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
				DNSDomain:      "cluster.local",
			},
			CertificatesDir:     "/etc/kubernetes/pki",
			KeyAlgorithm:        "ECDSA-P256",
			CertificateValidity: 8760 * time.Hour,
			CAValidity:          87600 * time.Hour,
			Etcd:                Etcd{DataDir: "/var/lib/etcd"},
			Images:              NewImages(DefaultImageRepository, DefaultVersion),
			Box:                 Box{SingleNode: true, Network: Flannel},
		},
		Node: Node{
			NodeName:            "node-1", // in lower case
			AdvertiseAddress:    machine.Address,
			BindPort:            6443,
			ImagePullPolicy:     "IfNotPresent",
			ControlPlaneTimeout: 4 * time.Minute,
			APICallTimeout:      time.Minute,
		},
	}
	if diff := cmp.Diff(want, c, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, empty := range []string{"", "\n", "---\n", "# nothing\n---\n# at all\n"} {
		got, err := Parse("empty.yaml", []byte(empty), machine)
		if err != nil {
			t.Errorf("%q: %v", empty, err)
		} else if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
			t.Errorf("%q: %s", empty, diff)
		}
	}
}

// TestOddHostname: where nobody has named the node, the machine's name has to be mended.
func TestOddHostname(t *testing.T) {
	odd := machine
	odd.Hostname = "my_laptop"
	_, err := Parse("", nil, odd)
	if want := `this machine is called "my_laptop", which is no DNS name`; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hostnamectl") {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestImages(t *testing.T) {
	i := NewImages("images.example/k8s", "v1.35.1")
	want := Images{
		Repository:        "images.example/k8s",
		Etcd:              "images.example/k8s/etcd:3.6.6-0",
		APIServer:         "images.example/k8s/kube-apiserver:v1.35.1",
		ControllerManager: "images.example/k8s/kube-controller-manager:v1.35.1",
		Scheduler:         "images.example/k8s/kube-scheduler:v1.35.1",
		Pause:             "images.example/k8s/pause:3.10.1",
		Proxy:             "images.example/k8s/kube-proxy:v1.35.1",
		CoreDNS:           "images.example/k8s/coredns:v1.13.1",
		Network:           "localhost/bootstrap-network:" + networkTag,
	}
	if diff := cmp.Diff(want, i); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{i.Pause, i.Etcd, i.APIServer, i.ControllerManager, i.Scheduler}, (&Config{Cluster: Cluster{Images: i}}).RequiredImages()); diff != "" {
		t.Error(diff)
	}
	if got := NewImages(DefaultImageRepository, "v1.36.3").CoreDNS; got != DefaultImageRepository+"/coredns/coredns:v1.14.2" {
		t.Errorf("%s is not where Kubernetes has CoreDNS", got)
	}
}

func TestSameInputSameConfig(t *testing.T) {
	for _, file := range files(t, "valid-*.yaml") {
		text := []byte(readFile(t, file))
		one, err := Parse(file, text, machine)
		two, err2 := Parse(file, text, machine)
		if err != nil || err2 != nil || !cmp.Equal(one, two, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})) {
			t.Errorf("%s: differs, %v, %v", file, err, err2)
		}
	}
}

// TestLeftOpen: what kubeadm's documents leave open is taken from where kubeadm or the programs have it.
func TestLeftOpen(t *testing.T) {
	const v1beta4 = "apiVersion: kubeadm.k8s.io/v1beta4\n"
	both := Machine{Hostname: "node-1", Address: machine.Address, IPv6: netip.MustParseAddr("2001:db8::10")}
	for _, c := range []struct {
		about, file      string
		m                Machine
		address, network string
		pods             string
	}{
		{"nothing", "", both, "192.0.2.10", Flannel, "10.244.0.0/16"},
		{"any IPv4 address", v1beta4 + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 0.0.0.0}", both, "192.0.2.10", Flannel, "10.244.0.0/16"},
		{"any IPv6 address", v1beta4 + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: '::'}", both, "2001:db8::10", Flannel, "fd00:10:244::/48"},
		{"any IPv6 address, and there is none", v1beta4 + "kind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: '::'}", machine, "192.0.2.10", Flannel, "10.244.0.0/16"},
		{"Services of both families", v1beta4 + "kind: ClusterConfiguration\nnetworking: {serviceSubnet: '10.96.0.0/16,fd00:96::/112'}", both, "192.0.2.10", Flannel, "10.244.0.0/16,fd00:10:244::/48"},
		{"the range as a flag", v1beta4 + "kind: ClusterConfiguration\ncontrollerManager: {extraArgs: [{name: cluster-cidr, value: 10.5.0.0/16}]}", both, "192.0.2.10", Flannel, "10.5.0.0/16"},
		{"the address as a flag", v1beta4 + "kind: ClusterConfiguration\napiServer: {extraArgs: [{name: advertise-address, value: 192.0.2.11}]}", both, "192.0.2.11", Flannel, "10.244.0.0/16"},
		{"ranges that nobody divides", v1beta4 + "kind: ClusterConfiguration\ncontrollerManager: {extraArgs: [{name: allocate-node-cidrs, value: 'False'}]}", both, "192.0.2.10", NoNetwork, "10.244.0.0/16"},
	} {
		got, err := Parse("f.yaml", []byte(c.file), c.m)
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		if a, n, p := got.AdvertiseAddress.String(), got.Box.Network, Joined(got.Networking.PodSubnets); a != c.address || n != c.network || p != c.pods {
			t.Errorf("%s: %s, %s, %s", c.about, a, n, p)
		}
	}
}
