package e2e

import (
	"strings"
	"testing"
	"time"
)

// slowNode is how much of one CPU the slow half of the nodes has, in percent.
const slowNode = "50"

// TestNoFalseAlarm runs init on healthy nodes, fast and slow ones: none names a cause,
// as certain or as probable, and each comes to its end.
func TestNoFalseAlarm(t *testing.T) {
	rounds := []string{"slow-1"}
	if *runAll {
		rounds = nil
		for _, kind := range []string{"fast", "slow"} {
			for _, number := range strings.Split("1 2 3 4 5 6 7 8 9 10", " ") {
				rounds = append(rounds, kind+"-"+number)
			}
		}
	}
	n := Up(t, 80*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, round := range rounds {
		t.Run(round, func(t *testing.T) {
			n := n.In(t)
			if strings.HasPrefix(round, "slow") {
				n.must(n.script("limit", n.Name, slowNode))
				defer func() { n.must(n.script("limit", n.Name, "0")) }()
			}
			start := time.Now()
			got := n.runInto(fault{Run: "init", Args: []string{"--timeout", "4m"}})
			t.Logf("%s: %.1f s", round, time.Since(start).Seconds())
			if len(got.causes) > 0 || !strings.Contains(got.output, `"event":"result","ok":true`) {
				t.Errorf("named on a healthy node: %v\n%s", got.causes, got.output)
			}
			n.must(n.script("limit", n.Name, "0"))
			n.MustBootstrap("reset", "--force", "--keep-images", "--keep-runtime")
		})
	}
}
