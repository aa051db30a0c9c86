package diagnose

import "fmt"

// The shapes that rules have in common.

func errorFound(format string, args ...any) []Finding {
	return []Finding{{Level: Error, What: fmt.Sprintf(format, args...)}}
}

func warningFound(format string, args ...any) []Finding {
	return []Finding{{Level: Warning, What: fmt.Sprintf(format, args...)}}
}

func errorIf(is bool, format string, args ...any) []Finding {
	if !is {
		return nil
	}
	return errorFound(format, args...)
}

func warnIf(is bool, format string, args ...any) []Finding {
	if !is {
		return nil
	}
	return warningFound(format, args...)
}

// findingIf is a list of one finding, or none.
func findingIf(is bool, f Finding) []Finding {
	if !is {
		return nil
	}
	return []Finding{f}
}

// forEach is what is found in each of several things.
func forEach[T any](all []T, find func(T) []Finding) []Finding {
	var found []Finding
	for _, one := range all {
		found = append(found, find(one)...)
	}
	return found
}

// causeToo makes a check of the machine the cause of a wait that comes to nothing.
func causeToo(check func(*Machine) []Finding) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding { return check(&e.Machine) }
}

// ofFirstComponent asks about the static pods in the order they need each other, and
// takes the first answer: the others may fail for that.
func ofFirstComponent(ask func(e *Evidence, name string) []Finding) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding {
		for _, name := range e.Settings.Components {
			if found := ask(e, name); found != nil {
				return found
			}
		}
		return nil
	}
}

// proved is one finding with the lines that prove it. see is a command that shows more.
func proved(level Level, what, see string, lines ...string) []Finding {
	return []Finding{{Level: level, What: what, See: see, Excerpt: excerpt(lines...)}}
}

// provedByLog is for lines that a component wrote.
func (e *Evidence) provedByLog(level Level, component, what string, lines ...string) []Finding {
	return proved(level, what, e.logCommand(component), lines...)
}

// provedByKubelet is for a line that the kubelet wrote, which may be quoted in what.
func provedByKubelet(level Level, what, line string) []Finding {
	return proved(level, said(what), kubeletLog, line)
}
