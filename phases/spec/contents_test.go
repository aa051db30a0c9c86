package spec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/plan/plantest"
)

// componentDir is a folder as BundleSources wants it, of empty programs.
func componentDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for component, version := range map[string]string{
		"kubernetes": "v1.36.3", "etcd": "v3.6.8", "containerd": "v2.2.9", "runc": "v1.4.0", "cni": "v1.9.0", "coredns": "v1.14.2", "pause": "3.10.2", "flannel": "v0.28.10",
	} {
		setVersion(t, dir, component, version)
	}
	return dir
}

func setVersion(t *testing.T, dir, component, version string) {
	t.Helper()
	folder := filepath.Join(dir, component)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBundleSources(t *testing.T) {
	dir := componentDir(t)
	kubernetes, sources, err := BundleSources(dir)
	if err != nil || kubernetes != "v1.36.3" {
		t.Fatalf("%s, %v", kubernetes, err)
	}
	got := map[string]bundle.Source{}
	for _, s := range sources {
		got[string(s.Kind)+" "+filepath.Base(s.File)] = s
	}
	images := config.NewImages(config.DefaultImageRepository, "v1.36.3")
	for key, want := range map[string]bundle.Source{
		"binary kubelet":   {Kind: bundle.Binary, Name: "kubelet", Version: "v1.36.3", File: dir + "/kubernetes/kubelet"},
		"cni bridge":       {Kind: bundle.CNI, Name: "bridge", Version: "v1.9.0", File: dir + "/cni/bridge"},
		"image etcd":       {Kind: bundle.Image, Name: images.Etcd, Version: "v3.6.8", File: dir + "/etcd/etcd"},
		"image pause":      {Kind: bundle.Image, Name: images.Pause, Version: "3.10.2", File: dir + "/pause/pause"},
		"image kube-proxy": {Kind: bundle.Image, Name: images.Proxy, Version: "v1.36.3", File: dir + "/kubernetes/kube-proxy", Tree: dir + "/netfilter/root"},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for _, reference := range (&config.Config{Cluster: config.Cluster{Images: images}}).RequiredImages() {
		found := false
		for _, s := range sources {
			found = found || s.Kind == bundle.Image && s.Name == reference
		}
		if !found {
			t.Errorf("the control plane needs %s, which is not in the bundle", reference)
		}
	}
}

func TestBundleSourcesRefuses(t *testing.T) {
	cases := []struct{ name, component, version, want string }{
		{"etcd of another version", "etcd", "v3.5.0", "is built from etcd v3.5.0"},
		{"CoreDNS of another version", "coredns", "v1.13.0", "is built from coredns v1.13.0"},
		{"pause of another version", "pause", "3.9", "is built from pause 3.9"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := componentDir(t)
			setVersion(t, dir, c.component, c.version)
			_, sources, err := BundleSources(dir)
			plantest.CheckError(t, err, c.want)
			if sources != nil {
				t.Errorf("%d sources as well", len(sources))
			}
		})
	}
	_, _, err := BundleSources(t.TempDir())
	plantest.CheckError(t, err, "kubernetes/VERSION: no such file or directory")
}
