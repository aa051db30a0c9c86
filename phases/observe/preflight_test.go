package observe

import (
	"net/netip"
	"testing"

	"bootstrap/phases/bundle"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/spec"
)

func TestAddressChoice(t *testing.T) {
	ours, other := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("198.51.100.7")
	m := &diagnose.Machine{Settings: diagnose.Settings{AdvertiseAddress: ours}, Network: diagnose.Network{
		Addresses: []machine.LinkAddress{{Link: "eth0", Address: ours}, {Link: "docker0", Address: netip.MustParseAddr("172.17.0.1"), Containers: true}},
		Defaults:  []string{"eth0"},
	}}
	if got := addressChoice(m); got != "" {
		t.Errorf("with one address: %s", got)
	}
	m.Network.Addresses = append(m.Network.Addresses, machine.LinkAddress{Link: "eth1", Address: other})
	const want = `address 192.0.2.10 of eth0, which has the default route; there is 198.51.100.7 (eth1) as well: localAPIEndpoint.advertiseAddress chooses`
	if got := addressChoice(m); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestCutsOff(t *testing.T) {
	for _, c := range []struct {
		chain    string
		nftables bool
		want     bool
	}{
		{"ip filter FORWARD", true, true},
		{"ip filter FORWARD", false, false}, // flannel lets its pods pass there
		{"inet lan through", false, true},
		{"ip6 filter FORWARD", true, false}, // no pod has such an address
	} {
		o := testObserver(t, "default")
		o.Facts.NFTables = c.nftables
		if o.cutsOff(c.chain) {
			t.Errorf("%+v: the network is not ours", c)
		}
		if _, err := o.Host.WriteFile(spec.NetworkFile, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reopen(o).cutsOff(c.chain); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// TestNoMeasureBesideEtcd: an etcd of ours would have to wait for the disk.
func TestNoMeasureBesideEtcd(t *testing.T) {
	o := testObserver(t, "default")
	if _, err := o.Host.WriteFile(spec.ManifestFile("etcd"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if fill, err := o.measureDisk(t.Context()); fill != nil || err != nil {
		t.Errorf("it measures: %v", err)
	}
}

// TestProgramsToCome: what is installed already, and what nobody will install, needs no space.
func TestProgramsToCome(t *testing.T) {
	entries := []bundle.Entry{
		{Kind: bundle.Binary, Name: "kubelet", SHA256: "k", Size: 100}, {Kind: bundle.Binary, Name: "runc", SHA256: "r", Size: 10},
		{Kind: bundle.Binary, Name: "kubectl", SHA256: "c", Size: 1},
	}
	old := host.Record{Target: spec.BinDir + "/kubelet", Done: true, After: host.State{SHA256: "old"}}
	same := host.Record{Target: spec.BinDir + "/runc", Done: true, After: host.State{SHA256: "r"}}
	if got := sizeOf(toInstall(entries, []host.Record{old, same}), []string{"kubelet", "runc"}); got != 100 {
		t.Errorf("%d bytes", got)
	}
}

// TestKubeletsProxy: our drop-in completes a NO_PROXY that comes before it; one that comes after it has to name the cluster.
func TestKubeletsProxy(t *testing.T) {
	const dir = "/etc/systemd/system/kubelet.service.d/"
	for name, c := range map[string]struct {
		file, text string
		want       bool
	}{
		"before ours":              {dir + "10-proxy.conf", "HTTPS_PROXY=http://192.0.2.80:3128 NO_PROXY=localhost", false},
		"after ours":               {dir + "http-proxy.conf", "HTTPS_PROXY=http://192.0.2.80:3128 NO_PROXY=localhost", true},
		"after ours, without it":   {dir + "http-proxy.conf", "HTTPS_PROXY=http://192.0.2.80:3128", false},
		"after ours, and complete": {dir + "http-proxy.conf", "HTTPS_PROXY=http://192.0.2.80:3128 NO_PROXY=192.0.2.10,10.0.0.0/8", false},
		"no proxy":                 {dir + "http-proxy.conf", "NO_PROXY=localhost", false},
		"of all services":          {"/etc/systemd/system/service.d/proxy.conf", "HTTP_PROXY=http://192.0.2.80:3128 NO_PROXY=localhost", true},
	} {
		o := testObserver(t, "default")
		hosttest.Put(t, o.Host, c.file, "[Service]\nEnvironment="+c.text+"\n", 0o644)
		got, err := o.kubeletsProxy(t.Context())
		if err != nil || (len(got.Through) > 0) != c.want || c.want && got.File != c.file {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		given, err := o.UnitEnvironment(t.Context(), spec.KubeletService, spec.KubeletDropIn)
		if err != nil || len(given) == 0 {
			t.Errorf("%s: %q, %v", name, given, err)
		}
	}
}
