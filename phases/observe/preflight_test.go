package observe

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
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

// TestExternalEtcdIsAsked: its version, or why there is none.
func TestExternalEtcdIsAsked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = w.Write([]byte(`{"etcdserver":"3.4.30","etcdcluster":"3.4.0"}`))
		}
	}))
	defer server.Close()
	o := testObserver(t, "default")
	o.Config.Etcd = config.Etcd{External: &config.ExternalEtcd{Endpoints: []string{server.URL, "http://127.0.0.1:1"}}}
	fill, err := o.askExternalEtcd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m diagnose.Machine
	fill(&m)
	if len(m.External) != 2 || m.External[0].Version != "3.4.30" || m.External[0].Error != "" || !strings.Contains(m.External[1].Error, "refused") {
		t.Errorf("%+v", m.External)
	}
	hosttest.Put(t, o.Host, "/etc/other", "", 0o600)
	o.Config.Etcd.External.CAFile = "/etc/none.crt"
	if fill, err = o.askExternalEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(&m)
	if !strings.Contains(m.External[0].Error, "/etc/none.crt") {
		t.Errorf("without its CA: %+v", m.External)
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
