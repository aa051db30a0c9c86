package diagnose

import (
	"fmt"
	"strings"
	"unicode"
)

// Findings are what a rule finds: mostly none, and mostly no more than one.
type Findings []Finding

func finding(level Level, format string, args ...any) Findings {
	return Findings{{Level: level, What: fmt.Sprintf(format, args...)}}
}

func findingIf(is bool, level Level, format string, args ...any) Findings {
	if !is {
		return nil
	}
	return finding(level, format, args...)
}

func errorIf(is bool, format string, args ...any) Findings {
	return findingIf(is, Error, format, args...)
}

func warnIf(is bool, format string, args ...any) Findings {
	return findingIf(is, Warning, format, args...)
}

// certainIf is the level of what is an error if that is so, and else only may be why.
func certainIf(is bool) Level {
	if is {
		return Error
	}
	return Warning
}

// remedy says what to do where that is more precise than what the entry says.
func (all Findings) remedy(format string, args ...any) Findings {
	for i := range all {
		all[i].Remedy = fmt.Sprintf(format, args...)
	}
	return all
}

// see names a command that shows more.
func (all Findings) see(command string) Findings {
	for i := range all {
		all[i].See = command
	}
	return all
}

// proof holds the lines of logs that prove it.
func (all Findings) proof(lines ...string) Findings {
	for i := range all {
		all[i].Excerpt = lines
	}
	return all
}

// forEach is what is found in each of several things.
func forEach[T any](all []T, find func(T) Findings) Findings {
	var found Findings
	for _, one := range all {
		found = append(found, find(one)...)
	}
	return found
}

// ofEach is the same finding about each of several names.
func ofEach(level Level, names []string, format string) Findings {
	return forEach(names, func(name string) Findings { return finding(level, format, name) })
}

// causeToo makes a check of the machine the cause of a wait that comes to nothing.
func causeToo(check func(*Machine) Findings) func(*Evidence) Findings {
	return func(e *Evidence) Findings { return check(&e.Machine) }
}

// ofFirstComponent asks about the static pods in the order they need each other, and
// takes the first answer: the others may fail for that.
func ofFirstComponent(ask func(e *Evidence, name string) Findings) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
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
	parts := strings.FieldsFunc(strings.ToValidUTF8(text, "?"), unicode.IsControl)
	text = strings.TrimSpace(strings.Join(parts, " "))
	if len(text) > maxLine {
		text = text[:maxLine] + "..."
	}
	return text
}
