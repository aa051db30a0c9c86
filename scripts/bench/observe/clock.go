package main

import (
	"maps"
	"sync"
	"time"
)

// clock keeps when events were first seen.
type clock struct {
	start time.Time

	mu      sync.Mutex
	seconds map[string]float64
}

func newClock() *clock { return &clock{start: time.Now(), seconds: map[string]float64{}} }

func (c *clock) saw(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, before := c.seconds[event]; !before {
		c.seconds[event] = time.Since(c.start).Seconds()
	}
}

func (c *clock) has(events ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		if _, seen := c.seconds[e]; !seen {
			return false
		}
	}
	return true
}

func (c *clock) result(timedOut bool) *Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Seen{Start: c.start, Seconds: maps.Clone(c.seconds), TimedOut: timedOut}
}
