package host_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

// TestDirsMadeAtOnce: of files that are written side by side, the directories above are
// made and told once, as a plan says, and go again.
func TestDirsMadeAtOnce(t *testing.T) {
	want := []string{"dir create /opt", "dir create /opt/cni", "dir create /opt/cni/bin"}
	for range 20 {
		h, units := hosttest.New(t)
		plan, err := host.OpenPlan(h.Path("/"), units)
		must(t, err)
		if planned := dirsOfFiles(t, plan, 8); !slices.Equal(planned, want) {
			t.Errorf("planned: %v", planned)
		}
		must(t, plan.Close())
		if made := dirsOfFiles(t, h, 8); !slices.Equal(made, want) {
			t.Errorf("made: %v", made)
		}
		must(t, h.UndoAll(t.Context(), nil))
		wantGone(t, h, "/opt")
	}
}

// dirsOfFiles writes so many files at once, and gives the directories that are told of.
func dirsOfFiles(t *testing.T, h *host.Host, files int) []string {
	t.Helper()
	var mu sync.Mutex
	var dirs []string
	h = h.Under("test", func(c host.Change) {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == host.OpDir {
			dirs = append(dirs, fmt.Sprint(c.Op, " ", c.Verb, " ", c.Target))
		}
	})
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range files {
		all.Go(func() {
			<-begin
			if _, err := h.WriteFile(fmt.Sprintf("/opt/cni/bin/%d", i), []byte("x"), 0o755); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
	slices.Sort(dirs)
	return dirs
}
