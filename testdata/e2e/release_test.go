package e2e

import (
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"time"
)

// release is another Kubernetes than the newest; its program with a bundle inside is
// bin/bootstrap-box-RELEASE.
var release = flag.String("release", "", "for TestRelease: the release to test, such as 1.35")

// TestRelease: a program whose bundle holds an older Kubernetes makes a cluster of
// that, without being told, and what people do first works in it.
func TestRelease(t *testing.T) {
	if *release == "" {
		t.Fatal("no -release is given")
	}
	n := Up(t, 6*time.Minute)
	n.Copy("bin/bootstrap-box-"+*release, "/root/bootstrap")
	fresh := n.survey()
	n.MustBootstrap("init")
	n.Healthy(30 * time.Second)

	var server struct{ GitVersion string }
	if err := json.Unmarshal([]byte(n.MustKubectl("get", "--raw", "/version")), &server); err != nil {
		t.Fatal(err)
	}
	kubelet := mustGet[node](n, "node", n.Name).Status.NodeInfo.KubeletVersion
	t.Logf("API server %s, kubelet %s", server.GitVersion, kubelet)
	for _, v := range []string{server.GitVersion, kubelet} {
		if !strings.HasPrefix(v, "v"+*release+".") {
			t.Errorf("it is %s, want %s", v, *release)
		}
	}
	testSecondInit(n) // before the kubelet has pods to clean up after
	testNetwork(n)
	testBootstrapPolicy(n)
	testReset(n, fresh)
}
