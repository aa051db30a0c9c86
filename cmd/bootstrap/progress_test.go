package main

import (
	"strings"
	"testing"
)

// TestShortened: a line of a wait has under 120 columns, and is cut between characters.
func TestShortened(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"short", "short"},
		{strings.Repeat("x", 116), strings.Repeat("x", 116)},
		{strings.Repeat("ü", 130), strings.Repeat("ü", 116) + "..."},
	} {
		if got := shortened(tt.line, 116); got != tt.want {
			t.Errorf("%q: %q", tt.line, got)
		}
	}
}
