package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config/configtest"
)

// readAgain are the files of each component, below the certificates folder, that it
// reads again by itself when they change.
var readAgain = map[string][]string{
	"etcd": {"etcd/server.crt", "etcd/server.key", "etcd/peer.crt", "etcd/peer.key"},
	"kube-apiserver": {
		"ca.crt", "apiserver-etcd-client.crt", "apiserver-etcd-client.key", "apiserver-kubelet-client.crt",
		"apiserver-kubelet-client.key", "front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key",
		"apiserver.crt", "apiserver.key",
	},
	"kube-controller-manager": {"ca-signing.crt", "ca.key", "front-proxy-ca.crt"},
	"kube-scheduler":          nil,
}

// TestReadAtStart: every file in a component's flags is either read again by it or in
// the list of those that make us restart it, and there are no others in the list.
func TestReadAtStart(t *testing.T) {
	for _, name := range []string{"default", "rsa-dirs"} {
		c := configtest.Valid(t, name)
		for component, pod := range decodedPods(t, c) {
			var want []string
			for _, flag := range flags(t, pod) {
				_, value, _ := strings.Cut(flag, "=")
				file, inPKI := strings.CutPrefix(value, c.CertificatesDir+"/")
				isConf := strings.HasSuffix(value, ".conf")
				if (isConf || inPKI && !slices.Contains(readAgain[component], file)) && !slices.Contains(want, value) {
					want = append(want, value)
				}
			}
			got := slices.Clone(ReadAtStart(c)[component])
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-in its flags +in the list):\n%s", name, component, diff)
			}
		}
	}
}
