package phases

import "fmt"

// hintError is an error with the next thing to do, shown on a line of its own.
type hintError struct {
	error
	hint string
}

// Hint is what the user can do.
func (e *hintError) Hint() string { return e.hint }

// Unwrap gives the error without its hint.
func (e *hintError) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hintError{error: err, hint: fmt.Sprintf(format, args...)}
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

func about(where string, err error) error { return &placedError{error: err, where: where} }
