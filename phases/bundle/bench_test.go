package bundle

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// BenchmarkComponents builds and verifies a bundle of the real components, which
// scripts/components has built. Run with -benchtime=1x.
func BenchmarkComponents(b *testing.B) {
	sources := componentSources(b)
	for b.Loop() {
		out, err := os.Create(filepath.Join(b.TempDir(), fileName))
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		err = Build(context.Background(), out, Index{Kubernetes: "v1.36.3", Arch: runtime.GOARCH}, sources)
		if err != nil {
			b.Fatal(err)
		}
		built := time.Since(start)
		out.Close()
		reportComponents(b, out.Name(), built)
	}
}

func reportComponents(b *testing.B, path string, built time.Duration) {
	bundle, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer bundle.Close()
	start := time.Now()
	if err := bundle.Verify(context.Background()); err != nil {
		b.Fatal(err)
	}
	verified := time.Since(start)
	start = time.Now()
	for _, e := range bundle.Index().Entries {
		err := bundle.Read(context.Background(), e, func(r io.Reader) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	total := int64(0)
	for _, e := range bundle.Index().Entries {
		total += e.Size
	}
	b.ReportMetric(float64(total)/1e6, "MB-content")
	b.ReportMetric(float64(bundle.section.Size())/1e6, "MB-bundle")
	b.ReportMetric(built.Seconds(), "s-build")
	b.ReportMetric(verified.Seconds(), "s-verify")
	b.ReportMetric(time.Since(start).Seconds(), "s-read-one-by-one")
}

func componentSources(b *testing.B) []Source {
	dir := "../../.cache/components/"
	var sources []Source
	add := func(kind Kind, folder, prefix, suffix string, names ...string) {
		for _, n := range names {
			file := filepath.Join(dir, folder, n)
			if _, err := os.Stat(file); err != nil {
				b.Skipf("build the components first: %v", err)
			}
			sources = append(sources, Source{Kind: kind, Name: prefix + n + suffix, Version: "v1.36.3", File: file})
		}
	}
	add(Binary, "kubernetes", "", "", "kubelet", "kubectl")
	add(Binary, "etcd", "", "", "etcdctl", "etcdutl")
	add(Binary, "containerd", "", "", "containerd", "containerd-shim-runc-v2", "ctr")
	add(Binary, "runc", "", "", "runc")
	add(CNI, "cni", "", "", "bridge", "loopback", "host-local", "portmap")
	add(Image, "kubernetes", "example.test/", ":v1.36.3", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
	add(Image, "etcd", "example.test/", ":v1.36.3", "etcd")
	add(Image, "coredns", "example.test/", ":v1.36.3", "coredns")
	add(Image, "pause", "example.test/", ":v1.36.3", "pause")
	return sources
}
