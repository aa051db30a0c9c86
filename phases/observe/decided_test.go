package observe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// TestSettledOnNewMachine: nothing is refused before there is a cluster.
func TestSettledOnNewMachine(t *testing.T) {
	o := testObserver(t, "custom")
	if found := o.CheckCluster(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// makeStandalone is what init --standalone leaves, as far as the ledger tells.
func makeStandalone(t *testing.T, o *Observer) {
	t.Helper()
	if _, err := o.Host.WriteFile(spec.KubeletDropIn, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.State().Remember(state.StandaloneNote, state.StandaloneRecord); err != nil {
		t.Fatal(err)
	}
}

// TestCheckStandalone: what its pods live by is not changed.
func TestCheckStandalone(t *testing.T) {
	o := testObserver(t, "standalone")
	if found := o.CheckCluster(); len(found) > 0 {
		t.Errorf("before there is one: %v", found)
	}
	makeStandalone(t, o)
	if found := o.CheckCluster(); len(found) > 0 {
		t.Errorf("unchanged: %v", found)
	}
	url := o.Config.Kubelet["staticPodURL"]
	delete(o.Config.Kubelet, "staticPodURL")
	if found := o.CheckCluster(); len(found) > 0 {
		t.Errorf("without its URL: %v", found)
	}
	o.Config = configtest.Valid(t, "default")
	found := o.CheckCluster()
	if len(found) != 1 {
		t.Fatalf("a control plane upon it, without its URL: %v", found)
	}
	plantest.CheckError(t, found[0], `staticPodURL is "https://pods.example.com/node-1.yaml?..." with the standalone kubelet and "" in the config`)
	o.Config.Kubelet = map[string]any{"staticPodURL": url}
	if found := o.CheckCluster(); len(found) > 0 {
		t.Errorf("a control plane upon it: %v", found)
	}
	o.Config.NodeName, o.Config.Networking.PodSubnets = "other", []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}
	if found = o.CheckCluster(); len(found) != 2 {
		t.Fatalf("%v", found)
	}
	plantest.CheckError(t, found[0], `networking.podSubnet is "10.244.0.0/16" with the standalone kubelet and "10.9.0.0/16"`)
	plantest.CheckError(t, found[1], `nodeRegistration.name is "node-1"`)
}

// TestToInstall: before init, what is about to be read of a bundle is verified, and only that.
func TestToInstall(t *testing.T) {
	entries := []bundle.Entry{
		{Kind: bundle.Binary, Name: "kubelet", SHA256: "k"},
		{Kind: bundle.CNI, Name: "bridge", SHA256: "b"},
		{Kind: bundle.Image, Name: "example.test/etcd:3", SHA256: "e"},
	}
	file := func(path, sum string) host.Record {
		return host.Record{Op: host.OpFile, Target: path, After: host.State{SHA256: sum}, Done: true}
	}
	image := host.Record{Op: host.OpImage, Target: "example.test/etcd:3", Done: true}
	undone, begun := file("/usr/local/bin/kubelet", "k"), file("/usr/local/bin/kubelet", "k")
	undone.Undone, begun.Done = true, false
	for name, c := range map[string]struct {
		ledger []host.Record
		want   []bundle.Entry
	}{
		"fresh machine":      {nil, entries},
		"all is here":        {[]host.Record{file("/usr/local/bin/kubelet", "k"), file("/opt/cni/bin/bridge", "b"), image}, nil},
		"another kubelet":    {[]host.Record{file("/usr/local/bin/kubelet", "old"), file("/opt/cni/bin/bridge", "b"), image}, entries[:1]},
		"removed by a reset": {[]host.Record{undone, file("/opt/cni/bin/bridge", "b"), image}, entries[:1]},
		"killed meanwhile":   {[]host.Record{begun, file("/opt/cni/bin/bridge", "b"), image}, entries[:1]},
		"one image":          {[]host.Record{image}, entries[:2]},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, toInstall(entries, c.ledger), cmp.Transformer("len0", func(e []bundle.Entry) []bundle.Entry { return append([]bundle.Entry{}, e...) })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAsConfigIgnores: names of findings in any case, and all, which leaves what init enforces.
func TestAsConfigIgnores(t *testing.T) {
	found := []diagnose.Finding{{ID: "little-memory", Level: diagnose.Error}, {ID: "no-runtime", Level: diagnose.Error}}
	for names, want := range map[string]string{
		"":                     "little-memory error, no-runtime error",
		"Little-Memory":        "no-runtime error",
		"NumCPU Mem Port-6443": "little-memory error, no-runtime error",
		"no-runtime":           "little-memory error, no-runtime error",
		"ALL":                  "little-memory warning, no-runtime error",
	} {
		o := &Observer{Catalogue: diagnose.ReadCatalogue()}
		o.Config = &config.Config{Node: config.Node{IgnorePreflight: strings.Fields(names)}}
		var got []string
		for _, f := range o.asConfigIgnores(slices.Clone(found)) {
			got = append(got, fmt.Sprintf("%s %s", f.ID, f.Level))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q", names, got)
		}
	}
}
