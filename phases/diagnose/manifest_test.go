package diagnose

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// anywhere are ports at any address.
func anywhere(numbers ...uint16) (ports []netip.AddrPort) {
	for _, n := range numbers {
		ports = append(ports, netip.AddrPortFrom(netip.IPv4Unspecified(), n))
	}
	return ports
}

// TestManifestCauses holds what is said of the static pod folder.
func TestManifestCauses(t *testing.T) {
	const dir = "/etc/kubernetes/manifests/"
	etcd := Manifest{Path: dir + "etcd.yaml", Name: "kube-system/etcd", Ports: anywhere(2381), Ours: true}
	api := Manifest{Path: dir + "kube-apiserver.yaml", Name: "kube-system/kube-apiserver", Ports: anywhere(6443), Ours: true}
	gone := []machine.Drift{{Path: api.Path, What: "gone"}}
	of := func(more ...Manifest) Evidence { return Evidence{Manifests: append([]Manifest{etcd}, more...)} }

	checkFinding(t, first(t, of(Manifest{Path: api.Path, Error: "yaml: line 7: x", Ours: true})), "manifest-invalid", Error, api.Path, "line 7", "bootstrap init")
	checkFinding(t, first(t, of(Manifest{Path: dir + "x.yaml", Error: "no"})), "manifest-invalid", Warning)
	checkFinding(t, first(t, Evidence{Manifests: []Manifest{etcd}, Files: gone}), "manifest-gone", Error, api.Path, "bootstrap init")
	checkFinding(t, first(t, of(api, Manifest{Path: dir + "x.yaml", Name: "default/x", Ports: anywhere(1, 6443)})), "manifest-port-conflict", Error, api.Path, dir+"x.yaml", "6443")
	copied := Manifest{Path: dir + "etcd.yaml.bak", Name: "kube-system/etcd", Ports: etcd.Ports}
	checkFinding(t, first(t, of(copied)), "foreign-static-pod", Warning, copied.Path, etcd.Path, "mv "+copied.Path)

	moved := api
	moved.Path = dir + "api.yaml"
	if f := first(t, Evidence{Manifests: []Manifest{etcd, moved}, Files: gone}); f.ID == "manifest-gone" {
		t.Errorf("it runs under another name: %+v", f)
	}
	if f := first(t, of(api, Manifest{Path: dir + "x.yaml", Name: "default/x", Ports: anywhere(9000)})); f.ID != "" {
		t.Errorf("anybody's static pod is %+v", f)
	}
}

// TestFilesDrifted: it is only a warning, and no longer than a line.
func TestFilesDrifted(t *testing.T) {
	var e Evidence
	for range 7 {
		e.Files = append(e.Files, machine.Drift{Path: "/etc/x", What: "changed"})
	}
	checkFinding(t, first(t, e), "files-drifted", Warning, "/etc/x (changed)", "and 2 more")
}

// TestEditedManifest: a manifest that was edited and kept its UID is said not to be taken up; one whose
// container was started since is.
func TestEditedManifest(t *testing.T) {
	const path, uid = "/etc/kubernetes/manifests/etcd.yaml", "c0ffee"
	edited := time.Now()
	of := func(created time.Time) Evidence {
		return Evidence{
			Machine:    Machine{Settings: Settings{NodeName: "n1"}},
			Files:      []machine.Drift{{Path: path, What: "changed"}},
			Manifests:  []Manifest{{Path: path, Name: "kube-system/etcd", Ours: true, Changed: edited}},
			StaticPods: map[string]string{"etcd-n1": uid},
			Pods: []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: uid, Ready: true,
				Containers: []runtime.Container{{Name: "etcd", Created: created, Running: true}}}},
		}
	}
	checkFinding(t, first(t, of(edited.Add(-time.Hour))), "files-drifted", Warning, "metadata.uid")
	if f := first(t, of(edited.Add(time.Second))); strings.Contains(f.What, "metadata.uid") {
		t.Errorf("taken up: %+v", f)
	}
}
