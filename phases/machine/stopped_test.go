package machine_test

import (
	"maps"
	"testing"

	"bootstrap/phases/machine"
)

func TestStopped(t *testing.T) {
	m := machine.At(t.TempDir())
	put(t, m, "/proc/7/stat", "7 (a) T b) T 1 7 7 0\n", 0o444)
	put(t, m, "/proc/7/cgroup", "0::/system.slice/kubelet.service\n", 0o444)
	put(t, m, "/proc/8/stat", "8 (x) T y) S 1 8 8 0\n", 0o444)
	put(t, m, "/proc/9/stat", "9 (traced) t 1 9 9 0\n", 0o444)
	want := map[int]string{7: "0::/system.slice/kubelet.service\n"}
	if got := m.Stopped(); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
