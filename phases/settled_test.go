package phases

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// settledEnv is an Env whose cluster was made with the default config.
func settledEnv(t *testing.T) *Env {
	t.Helper()
	env := testEnv(t, "default")
	runPhase(t, env, runEtcd)
	return env
}

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
	env := settledEnv(t)
	if found := env.Observe().CheckSettled(); len(found) > 0 {
		t.Fatalf("unchanged: %v", found)
	}
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
		changed := *env
		changed.Config = configtest.Valid(t, "default")
		c.change(changed.Config)
		if reflect.DeepEqual(changed.Config, configtest.Valid(t, "default")) {
			t.Errorf("%s: nothing was changed", name)
		}
		found := changed.Observe().CheckSettled()
		if c.refused == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || !strings.HasPrefix(found[0].Error(), c.refused+" is \"") {
			t.Errorf("%s: %v, want one that names %q", name, found, c.refused)
			continue
		}
		refused[c.refused] = true
		plantest.CheckError(t, found[0], "in this cluster and \"", "can't be changed: ", "hint: put the old value back in the config file; or start over: bootstrap reset")
	}
	for _, s := range state.Settled(env.Config) {
		if !refused[s.Field] {
			t.Errorf("%s is kept, and no change of the config is refused for it", s.Field)
		}
	}
}

// TestSettledAllAtOnce wants every finding in one go, and in preflight's error.
func TestSettledAllAtOnce(t *testing.T) {
	env := settledEnv(t)
	env.Config = configtest.Valid(t, "default")
	for _, c := range settingChanges {
		c.change(env.Config)
	}
	if found := env.Observe().CheckSettled(); len(found) != len(state.Settled(env.Config)) {
		t.Errorf("%d findings: %v", len(found), found)
	}
	env.Facts.Systemd = true
	err := runPreflight(t.Context(), env)
	plantest.CheckError(t, err, "networking.podSubnet is", "etcd.local.dataDir is")
	if _, ok := err.(*PreflightError); !ok { //nolint:errorlint // nobody wraps it here
		t.Errorf("%T is not refused before anything is changed", err)
	}
}

// TestSettledOnce: a phase that is run alone does not replace what was kept.
func TestSettledOnce(t *testing.T) {
	env := settledEnv(t)
	env.Config = configtest.Valid(t, "default")
	env.Config.Networking.DNSDomain = "other.example"
	failPhase(t, env, runEtcd, `networking.dnsDomain is "cluster.local" in this cluster and "other.example" in the config`)
	env.Config = configtest.Valid(t, "default")
	if found := env.Observe().CheckSettled(); len(found) > 0 {
		t.Errorf("what was kept has changed: %v", found)
	}
}

// TestSettledEndsWithTheData: a reset that keeps the runtime keeps the ledger, but the
// next cluster is another one.
func TestSettledEndsWithTheData(t *testing.T) {
	env := settledEnv(t)
	byRuntime := env.Host.For(host.Runtime)
	if _, err := byRuntime.WriteFile("/etc/containerd/config.toml", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := env.Host.UndoAll(t.Context(), Keep{Runtime: true}.keeps); err != nil {
		t.Fatal(err)
	}
	if !env.Host.Made("/etc/containerd/config.toml") {
		t.Fatal("the runtime was not kept")
	}
	env.Config.Networking.PodSubnets = prefixes("10.66.0.0/16")
	if found := env.Observe().CheckSettled(); len(found) > 0 {
		t.Errorf("of a cluster that is gone: %v", found)
	}
	runPhase(t, env, runEtcd)
	env.Config = configtest.Valid(t, "default")
	found := env.Observe().CheckSettled()
	if len(found) != 1 {
		t.Fatalf("of the new cluster: %v", found)
	}
	plantest.CheckError(t, found[0], `networking.podSubnet is "10.66.0.0/16" in this cluster`)
}

// TestSettledRuntime: naming the runtime that was found by itself changes nothing.
func TestSettledRuntime(t *testing.T) {
	env := settledEnv(t)
	const endpoint = "unix:///run/crio/crio.sock"
	if err := env.Host.Remember(state.RuntimeNote, endpoint); err != nil {
		t.Fatal(err)
	}
	env.Config.CRISocket = endpoint
	if found := env.Observe().CheckSettled(); len(found) > 0 {
		t.Errorf("the one in use: %v", found)
	}
	env.Config.CRISocket = "unix:///run/other.sock"
	if found := env.Observe().CheckSettled(); len(found) != 1 {
		t.Errorf("another one: %v", found)
	}
}

func TestSettledDamaged(t *testing.T) {
	env := settledEnv(t)
	if err := env.Host.Remember(env.State().SettledNote(), "hello"); err != nil {
		t.Fatal(err)
	}
	found := env.Observe().CheckSettled()
	if len(found) != 1 || !strings.HasPrefix(found[0].Error(), "ledger: note settled by ") {
		t.Errorf("%v", found)
	}
}

// TestKeeps: what each flag of reset leaves, of records as init makes them.
func TestKeeps(t *testing.T) {
	records := map[string]host.Record{
		"runtime's file": {Purpose: host.Runtime, Op: host.OpFile, Target: "/etc/containerd/config.toml"},
		"runtime's unit": {Purpose: host.Runtime, Op: host.OpActive, Target: "containerd.service"},
		"sysctl":         {Purpose: host.Runtime, Op: host.OpSysctl, Target: "net.ipv4.ip_forward"},
		"image store":    {Purpose: host.Runtime, Op: host.OpTree, Target: spec.ContainerdDir},
		"image":          {By: "images", Op: host.OpImage, Target: "etcd:3"},
		"etcd's data":    {Purpose: host.Etcd, Op: host.OpTree, Target: "/srv/etcd"},
		"etcd's pod":     {Purpose: host.Etcd, Op: host.OpFile, Target: spec.ManifestFile("etcd")},
		"certificate":    {Purpose: host.Certificates, Op: host.OpFile, Target: pkiDir + "/ca.crt"},
		"etcd's CA":      {Purpose: host.Certificates, Op: host.OpFile, Target: pkiDir + "/etcd/ca.key"},
		"config":         {Purpose: host.Etcd, Op: host.OpFile, Target: state.ClusterRecord + "/documents.yaml"},
		"kubelet's tree": {By: "kubelet", Op: host.OpTree, Target: spec.KubeletDir},
		"adopted file":   {Purpose: host.Adopted, Op: host.OpFile, Target: spec.AdminConf},
	}
	cases := []struct {
		name string
		keep Keep
		want []string
	}{
		{"nothing", Keep{}, nil},
		{"images", Keep{Images: true}, []string{"image", "image store"}},
		{"runtime", Keep{Runtime: true}, []string{"image", "image store", "runtime's file", "runtime's unit", "sysctl"}},
		{"etcd", Keep{Etcd: true}, []string{"certificate", "config", "etcd's CA", "etcd's data"}},
		{"all", Keep{true, true, true}, []string{"certificate", "config", "etcd's CA", "etcd's data", "image", "image store", "runtime's file", "runtime's unit", "sysctl"}},
	}
	for _, c := range cases {
		var got []string
		for name, r := range records {
			if c.keep.keeps(r) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: keeps %q, want %q", c.name, got, c.want)
		}
	}
}

// TestSettledSingleNode: what a cluster was made with holds for runs that do not say it.
func TestSettledSingleNode(t *testing.T) {
	own := []config.Taint{{Key: "dedicated", Effect: "NoSchedule"}}
	yes, no := true, false
	for name, c := range map[string]struct {
		taints []config.Taint
		want   *bool
	}{
		"single node":       {nil, &yes},
		"many nodes":        {config.ControlPlaneTaints(), &no},
		"taints of its own": {own, nil},
	} {
		env := testEnv(t, "default")
		if got := state.SettledSingleNode(env.Host); got != nil {
			t.Errorf("%s: %v before there is a cluster", name, *got)
		}
		env.Config.Taints = c.taints
		runPhase(t, env, runEtcd)
		if diff := cmp.Diff(c.want, state.SettledSingleNode(env.Host)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
