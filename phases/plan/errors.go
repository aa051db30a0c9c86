package plan

import (
	"cmp"
	"errors"
	"fmt"

	"bootstrap/phases/diagnose"
)

// CauseError is a wait or a step that came to nothing, and why.
type CauseError struct {
	diagnose.Finding
	Text string // with what was seen besides; empty if the cause says it all
	Err  error  // what was seen by who waited; nil if the cause was all there was
}

func (e *CauseError) Error() string { return cmp.Or(e.Text, e.What) }

// Unwrap gives what was seen without the cause.
func (e *CauseError) Unwrap() error { return e.Err }

// Hint is the remedy.
func (e *CauseError) Hint() string { return e.Remedy }

// hintError is an error with the next thing to do, shown on a line of its own.
type hintError struct {
	error
	hint string
}

// Hint is what the user can do.
func (e *hintError) Hint() string { return e.hint }

// Unwrap gives the error without its hint.
func (e *hintError) Unwrap() error { return e.error }

// Hint adds to an error what the user can do next.
func Hint(err error, format string, args ...any) error {
	return &hintError{error: err, hint: fmt.Sprintf(format, args...)}
}

// HintOf is what the user can do about an error; empty if it does not say.
func HintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// RefusedError is of a command, or a phase, that has changed nothing.
type RefusedError struct{ error }

// Unwrap gives the reason.
func (e *RefusedError) Unwrap() error { return e.error }

// Refused says of an error, which may be nil, that nothing was changed.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return &RefusedError{err}
}

// placedError is an error about a thing that its text may not begin with.
type placedError struct {
	error
	where string
}

// Where is what the error is about.
func (e *placedError) Where() string { return e.where }

// Unwrap gives the error alone.
func (e *placedError) Unwrap() error { return e.error }

// About says which thing on the machine or in the cluster an error is about.
func About(where string, err error) error { return &placedError{error: err, where: where} }

// Placed gives the thing that an error is about, empty if it does not say, and what is wrong
// with that: without what was being done, which is plain for one thing.
func Placed(err error) (where, what string) {
	var at interface {
		error
		Where() string
	}
	if errors.As(err, &at) {
		return at.Where(), at.Error()
	}
	return "", err.Error()
}

// Failures takes joined errors apart.
func Failures(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, each := range joined.Unwrap() {
			all = append(all, Failures(each)...)
		}
		return all
	}
	if inner := Failures(errors.Unwrap(err)); len(inner) > 1 {
		return inner
	}
	return []error{err}
}
