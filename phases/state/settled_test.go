package state

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/spec"
)

// settingChanges are one for each field of the config: how it may differ, and which
// setting then stands in the way, if any.
var settingChanges = map[string]struct {
	change  func(*config.Config)
	refused string
}{
	"KubernetesVersion":         {func(c *config.Config) { c.KubernetesVersion = "v1.36.9" }, "kubernetesVersion"},
	"ClusterName":               {func(c *config.Config) { c.ClusterName = "other" }, ""},
	"NodeName":                  {func(c *config.Config) { c.NodeName = "node-9" }, "nodeRegistration.name"},
	"AdvertiseAddress":          {func(c *config.Config) { c.AdvertiseAddress = netip.MustParseAddr("192.0.2.99") }, "localAPIEndpoint.advertiseAddress"},
	"BindPort":                  {func(c *config.Config) { c.BindPort = 7443 }, ""},
	"ControlPlaneEndpoint":      {func(c *config.Config) { c.ControlPlaneEndpoint = "api.example.org:443" }, ""},
	"Networking.ServiceSubnets": {func(c *config.Config) { c.Networking.ServiceSubnets = prefixes("10.97.0.0/16") }, "networking.serviceSubnet"},
	"Networking.PodSubnets":     {func(c *config.Config) { c.Networking.PodSubnets = prefixes("10.66.0.0/16") }, "networking.podSubnet"},
	"Networking.DNSDomain":      {func(c *config.Config) { c.Networking.DNSDomain = "k8s.example.org" }, "networking.dnsDomain"},
	"CertificatesDir":           {func(c *config.Config) { c.CertificatesDir = "/srv/pki" }, "certificatesDir"},
	"CertSANs":                  {func(c *config.Config) { c.CertSANs = []string{"new.example.org"} }, ""},
	"KeyAlgorithm":              {func(c *config.Config) { c.KeyAlgorithm = "RSA-4096" }, ""},
	"CertificateValidity":       {func(c *config.Config) { c.CertificateValidity /= 2 }, ""},
	"CAValidity":                {func(c *config.Config) { c.CAValidity /= 2 }, ""},
	"CRISocket":                 {func(c *config.Config) { c.CRISocket = "unix:///run/crio/crio.sock" }, "nodeRegistration.criSocket"},
	"Taints":                    {func(c *config.Config) { c.Taints = []config.Taint{{Key: "a", Effect: "NoSchedule"}} }, "nodeRegistration.taints"},
	"KubeletExtraArgs":          {func(c *config.Config) { c.KubeletExtraArgs = moreArgs }, ""},
	"Etcd.DataDir":              {func(c *config.Config) { c.Etcd.DataDir = "/srv/etcd" }, "etcd.local.dataDir"},
	"Etcd.ServerCertSANs":       {func(c *config.Config) { c.Etcd.ServerCertSANs = []string{"x.example.org"} }, ""},
	"Etcd.PeerCertSANs":         {func(c *config.Config) { c.Etcd.PeerCertSANs = []string{"x.example.org"} }, ""},
	"Etcd.ExtraArgs":            {func(c *config.Config) { c.Etcd.ExtraArgs = moreArgs }, ""},
	"Etcd.ExtraEnvs":            {func(c *config.Config) { c.Etcd.ExtraEnvs = []config.EnvVar{{Name: "A"}} }, ""},
	"Etcd.External": {func(c *config.Config) {
		c.Etcd.External = &config.ExternalEtcd{Endpoints: []string{"https://192.0.2.9:2379"}}
	}, "etcd.external.endpoints"},
	"ImagePullPolicy":     {func(c *config.Config) { c.ImagePullPolicy = "Always" }, ""},
	"ImagePullSerial":     {func(c *config.Config) { c.ImagePullSerial = !c.ImagePullSerial }, ""},
	"APICallTimeout":      {func(c *config.Config) { c.APICallTimeout *= 2 }, ""},
	"DNSDisabled":         {func(c *config.Config) { c.DNSDisabled = true }, ""},
	"ProxyDisabled":       {func(c *config.Config) { c.ProxyDisabled = true }, ""},
	"BootstrapTokens":     {func(c *config.Config) { c.BootstrapTokens = []config.BootstrapToken{{ID: "abcdef"}} }, ""},
	"CertificateKey":      {func(c *config.Config) { c.CertificateKey = "00" }, ""},
	"SkipPhases":          {func(c *config.Config) { c.SkipPhases = []string{"certs"} }, ""},
	"IgnorePreflight":     {func(c *config.Config) { c.IgnorePreflight = []string{"Swap"} }, ""},
	"PatchesDir":          {func(c *config.Config) { c.PatchesDir = "/srv/patches" }, ""},
	"Kubelet":             {func(c *config.Config) { c.Kubelet = map[string]any{"maxPods": 50} }, ""},
	"KubeProxy":           {func(c *config.Config) { c.KubeProxy = map[string]any{"mode": "iptables"} }, ""},
	"Box.Standalone":      {func(c *config.Config) { c.Box.Standalone = true }, ""},
	"Box.SingleNode":      {func(c *config.Config) { c.Box.SingleNode = !c.Box.SingleNode }, ""},
	"Box.Network":         {func(c *config.Config) { c.Box.Network = "none" }, "network"},
	"UploadCerts":         {func(c *config.Config) { c.UploadCerts = true }, ""},
	"WriteKubeconfig":     {func(c *config.Config) { c.WriteKubeconfig = true }, ""},
	"PrintJoinCommand":    {func(c *config.Config) { c.PrintJoinCommand = true }, ""},
	"APIServer":           {func(c *config.Config) { c.APIServer.ExtraArgs = moreArgs }, ""},
	"ControllerManager":   {func(c *config.Config) { c.ControllerManager.ExtraArgs = moreArgs }, ""},
	"Scheduler":           {func(c *config.Config) { c.Scheduler.ExtraArgs = moreArgs }, ""},
	"Images":              {func(c *config.Config) { c.Images.Etcd = "images.example/etcd:3" }, ""},
	"ControlPlaneTimeout": {func(c *config.Config) { c.ControlPlaneTimeout *= 2 }, ""},
	"Warnings":            {func(c *config.Config) { c.Warnings = []string{"x"} }, ""},
}

var moreArgs = []config.Arg{{Name: "v", Value: "4"}}

func prefixes(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }

// configFields are the names of the config's fields, with those of the structs that
// hold settings of several kinds.
func configFields() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if f.Anonymous {
			continue // its fields come by themselves
		}
		if f.Name != "Networking" && f.Name != "Etcd" && f.Name != "Box" {
			names = append(names, f.Name)
			continue
		}
		for _, inner := range reflect.VisibleFields(f.Type) {
			names = append(names, f.Name+"."+inner.Name)
		}
	}
	return names
}

// TestSettled wants each changed setting that lives on to be refused by its name, and
// alone; one that the config does not know yet fails here until it is decided.
func TestSettled(t *testing.T) {
	s := settledState(t)
	checkUnlike(t, s)
	fields := configFields()
	for name := range settingChanges {
		if !slices.Contains(fields, name) {
			t.Errorf("%s is no field", name)
		}
	}
	refused := map[string]bool{}
	for _, name := range fields {
		c, ok := settingChanges[name]
		if !ok {
			t.Errorf("%s: may it change once the cluster is there?", name)
			continue
		}
		s.Config = configtest.Valid(t, "default")
		c.change(s.Config)
		if reflect.DeepEqual(s.Config, configtest.Valid(t, "default")) {
			t.Errorf("%s: nothing was changed", name)
		}
		if c.refused == "" {
			checkUnlike(t, s)
			continue
		}
		checkUnlike(t, s, c.refused)
		refused[c.refused] = true
	}
	for _, each := range settled(s.Config) {
		if !refused[each.Field] {
			t.Errorf("%s is kept, and no change of the config is refused for it", each.Field)
		}
	}
}

// checkUnlike wants just these settings refused.
func checkUnlike(t *testing.T, s *State, fields ...string) {
	t.Helper()
	differ, err := s.UnlikeBefore()
	if err != nil || len(differ) != len(fields) {
		t.Errorf("%q, %v, want %q", differ, err, fields)
		return
	}
	for i, text := range differ {
		if !strings.HasPrefix(text, fields[i]+" is \"") || !strings.Contains(text, "in this cluster and \"") || !strings.Contains(text, "can't be changed: ") {
			t.Errorf("%s, want one that names %s", text, fields[i])
		}
	}
}

// TestSettledAllAtOnce wants every finding in one go.
func TestSettledAllAtOnce(t *testing.T) {
	s := settledState(t)
	for _, c := range settingChanges {
		c.change(s.Config)
	}
	var fields []string
	for _, each := range settled(s.Config) {
		fields = append(fields, each.Field)
	}
	checkUnlike(t, s, fields...)
}

// TestSettledRuntime: naming the runtime that was found by itself changes nothing.
func TestSettledRuntime(t *testing.T) {
	s := settledState(t)
	const endpoint = "unix:///run/crio/crio.sock"
	if err := s.Host.Remember(RuntimeNote, endpoint); err != nil {
		t.Fatal(err)
	}
	s.Config.CRISocket = endpoint
	checkUnlike(t, s)
	s.Config.CRISocket = "unix:///run/other.sock"
	checkUnlike(t, s, "nodeRegistration.criSocket")
}

func TestSettledDamaged(t *testing.T) {
	s := settledState(t)
	if err := s.Host.Remember(s.SettledNote(), "hello"); err != nil {
		t.Fatal(err)
	}
	if differ, err := s.UnlikeBefore(); err == nil || len(differ) > 0 || !strings.HasPrefix(err.Error(), "ledger: note settled by ") {
		t.Errorf("%q, %v", differ, err)
	}
}

// TestAsMadeAlone: a standalone kubelet keeps its name too, whatever the machine is called by now.
func TestAsMadeAlone(t *testing.T) {
	s := testState(t, "standalone")
	renamed := config.Machine{Hostname: "renamed"}
	if got := AsMade(s.Host, renamed).Hostname; got != "renamed" {
		t.Errorf("before there is one: %s", got)
	}
	if _, err := s.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Remember(StandaloneNote, StandaloneRecord); err != nil {
		t.Fatal(err)
	}
	if got := AsMade(s.Host, renamed).Hostname; got != s.Config.NodeName {
		t.Errorf("%s, and it was made as %s", got, s.Config.NodeName)
	}
}

// TestSettledSingleNode: what a cluster was made with holds for runs that do not say it.
func TestSettledSingleNode(t *testing.T) {
	for name, c := range map[string]struct {
		taints []config.Taint
		single bool
	}{
		"single node":                   {nil, true},
		"many nodes":                    {config.ControlPlaneTaints(), false},
		"many nodes, taints of its own": {[]config.Taint{{Key: "dedicated", Effect: "NoSchedule"}}, false},
		"many nodes, and none is kept for a purpose": {nil, false},
	} {
		s := testState(t, "default")
		if got := SettledSingleNode(s.Host); got != nil {
			t.Errorf("%s: %v before there is a cluster", name, *got)
		}
		s.Config.Taints, s.Config.Box.SingleNode = c.taints, c.single
		settle(t, s)
		if got := SettledSingleNode(s.Host); got == nil || *got != c.single {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestSettledSingleNodeDamaged: where the kept config can't be read, the settings that the ledger holds say it.
func TestSettledSingleNodeDamaged(t *testing.T) {
	s := testState(t, "default")
	s.Config.Taints, s.Config.Box.SingleNode = config.ControlPlaneTaints(), false
	settle(t, s)
	if err := os.WriteFile(s.Host.Path(documentsIn(ClusterRecord)), []byte("kind: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := SettledSingleNode(s.Host); got == nil || *got {
		t.Errorf("%v", got)
	}
}

// TestAsMadeWithAnotherAddress: a cluster keeps the address that it was made with, also where DHCP has given the
// machine another since: what preflight says of that is right, not that the config asks for another.
func TestAsMadeWithAnotherAddress(t *testing.T) {
	s, other := settledState(t), netip.MustParseAddr("192.0.2.99")
	if got := AsMade(s.Host, config.Machine{Address: other}).Address; got != s.Config.AdvertiseAddress || !s.AddressSettled() {
		t.Errorf("%s, settled: %t", got, s.AddressSettled())
	}
	if got := AsMade(s.Host, config.Machine{}).Address; got.IsValid() {
		t.Errorf("%s, for a machine without any", got)
	}
	s.Config.AdvertiseAddress = other
	if s.AddressSettled() {
		t.Error("another address counts as that of the cluster")
	}
}
