package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bootstrap/phases/plan"
)

// TestWaitLine: a line of a wait has under 120 columns, and is cut between characters.
func TestWaitLine(t *testing.T) {
	for message, want := range map[string]int{"etcd": 34, strings.Repeat("ü", 130): 119} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		p := newProgress(out, false)
		p.running = []*runningPhase{{name: "wait-control-plane", start: time.Now().Add(-time.Minute)}}
		p.wait(plan.Event{Phase: "wait-control-plane", Message: message})
		data, err := os.ReadFile(out.Name())
		line := strings.TrimSuffix(string(data), "\n")
		if err != nil || !utf8.ValidString(line) || utf8.RuneCountInString(line) != want {
			t.Errorf("%v: %d columns: %q", err, utf8.RuneCountInString(line), line)
		}
	}
}
