package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"bootstrap/phases/plan"
)

// phaseTiming is when a phase began, since the command did, and how long it took.
type phaseTiming struct {
	Phase   string  `json:"phase"`
	Began   float64 `json:"began"`
	Seconds float64 `json:"seconds"`
}

// timings are those of phases that have ended, in the order they did.
type timings []phaseTiming

// add keeps the time of a phase that has ended; after is the time since the command began.
func (t *timings) add(e plan.Event, after time.Duration) {
	if e.Kind != plan.Done && e.Kind != plan.Failed {
		return
	}
	*t = append(*t, phaseTiming{Phase: e.Phase, Began: milliseconds(after - e.Elapsed), Seconds: milliseconds(e.Elapsed)})
}

// milliseconds are seconds, rounded to what can be measured.
func milliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func (t timings) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-20s %9s %9s\n", "phase", "began at", "took")
	for _, p := range t {
		fmt.Fprintf(&b, "%-20s %7.3f s %7.3f s\n", p.Phase, p.Began, p.Seconds)
	}
	return b.String()
}
