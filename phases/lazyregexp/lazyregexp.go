// Package lazyregexp compiles regular expressions when they are first used. Those of diagnose and
// redact would cost each command 3 ms at its start, and most commands need none of them.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// Regexp gives a regular expression, compiled.
type Regexp func() *regexp.Regexp

// New takes a valid expression: any other panics when it is first used. In tests, that is at once.
func New(expression string) Regexp {
	compile := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
	if strings.HasSuffix(os.Args[0], ".test") {
		compile()
	}
	return compile
}
