package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestVMRestore: the power is cut in the midst of restores, which go on after that. Then the machine is lost, and
// another one, with another address, becomes the cluster.
func TestVMRestore(t *testing.T) {
	n := upVM(t, distributions[0])
	n.MustExec(folder+"/provision", "control-plane", n.IP)
	n.remember("old")
	name := n.save("--verify").Name
	for _, phase := range selected(t, []string{"restore-stage", "restore-stop", "restore-switch", "etcd"}, "restore-switch") {
		t.Run("Cut after "+phase, func(t *testing.T) { n.In(t).cutRestore(phase, "/var/lib/bootstrap-snapshots/"+name) })
	}
	archive := filepath.Join(t.TempDir(), name)
	n.must(n.run("cp", n.Name+":/var/lib/bootstrap-snapshots/"+name, archive))
	n.must(n.run("down", n.Name)) // a second time, at the end, is fine

	other := upVM(t, distributions[0])
	other.Copy(archive, "/root/"+name)
	start := time.Now()
	other.MustBootstrap("etcd", "restore", "--force", "/root/"+name)
	t.Logf("from nothing to a cluster in %s", since(start))
	other.Healthy(time.Minute)
	other.remembers("old")
}

func (n *Node) cutRestore(phase, file string) {
	n.t.Helper()
	n.remember("new")
	s := n.Start("etcd", "restore", "--force", file)
	s.await(fmt.Sprintf("%-20s done", phase))
	n.cut()
	if <-s.done; s.err == nil {
		n.t.Fatalf("the restore had ended before the power was cut: %s", s)
	}
	n.MustBootstrap("etcd", "restore", "--force", file)
	n.Healthy(time.Minute)
	n.noTornFiles()
	n.remembers("old")
	if n.Kubectl("get", "configmap", "new").Code == 0 {
		n.t.Error("what came after the snapshot is there")
	}
}
