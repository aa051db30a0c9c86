package diagnose

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestUnexplained: that a machine has too much to do is said, and only then.
func TestUnexplained(t *testing.T) {
	for crowding, want := range map[float64][]string{
		1.9: nil,
		3.2: {"the machine is busy: 3.2 processes for each CPU; a longer --timeout may be enough"},
	} {
		e := &Evidence{Machine: Machine{Crowding: crowding}}
		if got := catalogue(t).Unexplained(e, "not healthy"); !slices.Equal(got.Excerpt, want) {
			t.Errorf("%v processes for each CPU: %q", crowding, got.Excerpt)
		}
	}
}

// TestSaidOfWhatIsAwaited: what daemons say of the pod, node or address that is awaited comes first, the
// newest of each, and before that the machine is busy.
func TestSaidOfWhatIsAwaited(t *testing.T) {
	const (
		proxied   = `E1125 03:44:50.000000 129 kubelet_node_status.go:107] "Unable to register node with API server" err="Post \"https://10.0.0.1:6443/api/v1/nodes\": proxyconnect tcp: dial tcp 192.0.2.80:3128: i/o timeout" node="n1"`
		ofAnother = `E1125 03:44:59.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="x" pod="shop/cart-7d" podUID="u"`
		tooEarly  = `E1125 03:44:55.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="services have not yet been read at least once" pod="kube-system/etcd-n1" podUID="u"`
		backOff   = `E1125 03:44:56.000000 129 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"etcd\" with CrashLoopBackOff" pod="kube-system/etcd-n1" podUID="u"`
		noSandbox = `time="2026-11-25T03:44:51Z" level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:etcd-n1,Uid:u,Namespace:kube-system,Attempt:0,} failed, error" error="write /tmp/x: no space left on device"`
		harmless  = `time="2026-11-25T03:44:52Z" level=info msg="RunPodSandbox for &PodSandboxMetadata{Name:etcd-n1,Uid:u,Namespace:kube-system,Attempt:0,}"`
	)
	e := podsFail(proxied, tooEarly, backOff, ofAnother)
	e.Crowding, e.Settings.AdvertiseAddress = 9, netip.MustParseAddr("10.0.0.1")
	e.Journal[containerdUnit] = logged(time.Second, noSandbox, harmless)
	got := catalogue(t).Unexplained(e, "not healthy").Excerpt
	want := []string{proxied, noSandbox, "the machine is busy: 9.0 processes for each CPU; a longer --timeout may be enough", ofAnother}
	if diff := cmp.Diff(want, shortened(got)); diff != "" {
		t.Error(diff)
	}
	pod := usersPod(proxied, strings.ReplaceAll(ofAnother, "shop/cart-7d", "shop/web-n1"))
	if got := catalogue(t).Unexplained(pod, "not healthy"); len(got.Excerpt) != 1 || !strings.Contains(got.Excerpt[0], "shop/web-n1") {
		t.Errorf("of a user's pod: %q", got.Excerpt)
	}
}

func shortened(lines []string) []string {
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "...")
	}
	return lines
}

// TestNoResetOfTheUsers: where the user's own pod is awaited, no hint is to undo what init made.
func TestNoResetOfTheUsers(t *testing.T) {
	alone := &Evidence{Machine: Machine{Settings: Settings{Standalone: true}}}
	for _, e := range []*Evidence{usersPod(), alone} {
		if f := catalogue(t).Unexplained(e, "not healthy"); f.Remedy == "" || strings.Contains(f.Remedy, "reset") {
			t.Errorf("its remedy: %q", f.Remedy)
		}
	}
	for _, entry := range catalogue(t) {
		if strings.Contains(entry.Mend, "bootstrap reset") {
			t.Errorf("%s: %s", entry.ID, entry.Mend)
		}
	}
}
