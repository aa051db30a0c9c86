package observe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
)

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
