package observe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
)

func TestForeignOnDisk(t *testing.T) {
	o := testObserver(t, "default")
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/web", "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}}", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/notes.txt", "to do: [", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/.swp", "x", 0o600)
	hosttest.Put(t, o.Host, "/etc/kubernetes/manifests/etcd.yaml", "x", 0o600) // an error of its own
	manifests := o.foreignManifests()
	if len(manifests) != 2 || manifests[0].Path != "/etc/kubernetes/manifests/notes.txt" || manifests[0].Error == "" {
		t.Fatalf("%+v", manifests)
	}
	manifests[1].Changed = time.Time{}
	if diff := cmp.Diff(diagnose.Manifest{Path: "/etc/kubernetes/manifests/web", Name: "default/web", Ports: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:80")}}, manifests[1], cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	if got := o.missingPlugins(); got != nil {
		t.Errorf("without a network: %q", got)
	}
	hosttest.Put(t, o.Host, "/etc/cni/net.d/10-calico.conflist", `{"plugins": [{"type": "calico"}, {"type": "portmap"}]}`, 0o600)
	hosttest.Put(t, o.Host, "/opt/cni/bin/portmap", "x", 0o755)
	if got := reopen(o).missingPlugins(); len(got) != 1 || got[0] != "calico, in /etc/cni/net.d/10-calico.conflist" {
		t.Errorf("missing plugins: %q", got)
	}
}

// TestMissingVolumes: what is about to be made, by init, a daemon or the pod itself, lacks to nobody.
func TestMissingVolumes(t *testing.T) {
	o := testObserver(t, "default")
	hosttest.Put(t, o.Host, "/etc/kubernetes/audit-policy.yaml", "x", 0o600)
	o.Config.APIServer.ExtraVolumes = []config.Volume{
		{HostPath: "/srv/policy.yaml", PathType: "File"}, {HostPath: "/srv/plugins/", PathType: "Directory"},
		{HostPath: "/etc/kubernetes/audit-policy.yaml", PathType: "File"}, {HostPath: "/etc/kubernetes", PathType: "Directory"},
		{HostPath: "/etc/kubernetes/pki/oidc", PathType: "Directory"}, {HostPath: "/etc/kubernetes/scheduler.conf", PathType: "File"},
		{HostPath: "/var/log", PathType: "Directory"}, {HostPath: "/srv/audit", PathType: "DirectoryOrCreate"}, {HostPath: "/srv/logs"},
		{HostPath: "/run/late.sock", PathType: "Socket"},
	}
	want := []string{"/srv/plugins/, for kube-apiserver", "/srv/policy.yaml, for kube-apiserver"}
	if diff := cmp.Diff(want, o.oddVolumes(o.lacks)); diff != "" {
		t.Error(diff)
	}
	o.Config.Etcd.DataDir = "" // it is elsewhere
	if diff := cmp.Diff(want, o.oddVolumes(o.lacks)); diff != "" {
		t.Error(diff)
	}
}
