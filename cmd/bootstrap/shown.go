package main

import (
	"bootstrap/phases"
	"bootstrap/phases/redact"
)

// shown is what may be shown of text that others wrote, such as logs: secrets are taken
// out of it.
func shown(text string) string { return redact.Text(text) }

func shownLines(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, shown(line))
	}
	return all
}

// shownEvent is an event without secrets that it can have from others. A note is left as
// it is: some tell a new token, to whom asked for it.
func shownEvent(e phases.Event) phases.Event {
	if e.Kind == phases.Warning || e.Kind == phases.Waiting {
		e.Message = shown(e.Message)
	}
	return e
}
