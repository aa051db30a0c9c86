package main

import (
	"bootstrap/phases/plan"
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

// shownEvent is an event without the secrets that warnings and waits can quote from others. A
// note is left as it is, as one can hold a token that the user has asked for.
func shownEvent(e plan.Event) plan.Event {
	if e.Kind == plan.Warning || e.Kind == plan.Waiting {
		e.Message = shown(e.Message)
	}
	return e
}
