package diagnose

import (
	"fmt"
	"strings"
	"unicode"
)

// findings are what a rule finds: mostly none, and mostly no more than one.
type findings []Finding

func finding(level Level, format string, args ...any) findings {
	return findings{{Level: level, What: fmt.Sprintf(format, args...)}}
}

func errorIf(is bool, format string, args ...any) findings {
	if !is {
		return nil
	}
	return finding(Error, format, args...)
}

func warnIf(is bool, format string, args ...any) findings {
	if !is {
		return nil
	}
	return finding(Warning, format, args...)
}

// remedy says what to do where that is more precise than what the entry says.
func (all findings) remedy(format string, args ...any) findings {
	for i := range all {
		all[i].Remedy = fmt.Sprintf(format, args...)
	}
	return all
}

// see names a command that shows more.
func (all findings) see(command string) findings {
	for i := range all {
		all[i].See = command
	}
	return all
}

// proof holds the lines of logs that prove it.
func (all findings) proof(lines ...string) findings {
	for i := range all {
		all[i].Excerpt = lines
	}
	return all
}

// forEach is what is found in each of several things.
func forEach[T any](all []T, find func(T) findings) findings {
	var found findings
	for _, one := range all {
		found = append(found, find(one)...)
	}
	return found
}

// causeToo makes a check of the machine the cause of a wait that comes to nothing.
func causeToo(check func(*Machine) findings) func(*Evidence) findings {
	return func(e *Evidence) findings { return check(&e.Machine) }
}

// ofFirstComponent asks about the static pods in the order they need each other, and
// takes the first answer: the others may fail for that.
func ofFirstComponent(ask func(e *Evidence, name string) findings) func(*Evidence) findings {
	return func(e *Evidence) findings {
		for _, name := range e.Settings.Components {
			if found := ask(e, name); found != nil {
				return found
			}
		}
		return nil
	}
}

// excerpt leaves out empty lines, and shortens the others to what a person reads.
func excerpt(lines []string) []string {
	var short []string
	for _, line := range lines {
		if line = readable(line); line != "" {
			short = append(short, line)
		}
	}
	return short
}

const maxLine = 400 // bytes

// readable shortens what programs wrote, and drops what could drive a terminal.
func readable(text string) string {
	noControl := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	text = strings.TrimSpace(strings.Map(noControl, strings.ToValidUTF8(text, "?")))
	if len(text) > maxLine {
		text = text[:maxLine] + "..."
	}
	return text
}
