package observe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bootstrap/phases/diagnose"
)

// A part looks at one thing on the machine.
type part struct {
	what string
	look func(context.Context) (fill, error)
}

// A fill writes down in the evidence what a look has seen. It is nil where there was nothing to see.
type fill func(*diagnose.Machine)

// into is a part whose look gives all of one field.
func into[T any](field *T, what string, look func(context.Context) T) part {
	return part{what, func(ctx context.Context) (fill, error) {
		seen := look(ctx)
		return func(*diagnose.Machine) { *field = seen }, nil
	}}
}

// gatherTimeout bounds all parts together. What hangs, such as a dead network file
// system, is left behind and named. It is longer than EvidenceTimeout, which bounds each part.
const gatherTimeout = Patience(1800 * time.Millisecond)

// seen is what came of a look.
type seen struct {
	fill fill
	err  error
}

// Looks are all those of one wait. The zero value is ready for use.
type Looks struct{ open sync.Map } // the names of parts whose last look has not ended

// gather looks at all parts side by side, and then fills in what they saw, in their order. Only
// the goroutine that called it writes to m: a look that ends too late can do no harm.
func (l *Looks) gather(ctx context.Context, m *diagnose.Machine, parts []part) {
	ctx, cancel := gatherTimeout.Bound(ctx)
	defer cancel()
	looking, stop := EvidenceTimeout.Bound(ctx)
	defer stop()
	results := make([]chan seen, len(parts))
	for i, p := range parts {
		results[i] = make(chan seen, 1) // with room for a result that nobody waits for any more
		go func() { results[i] <- l.once(looking, p) }()
	}
	for i, p := range parts {
		s := inTime(ctx, results[i])
		if s.fill != nil {
			s.fill(m)
		}
		if s.err != nil {
			m.Unread = append(m.Unread, fmt.Sprintf("%s: %v", p.what, s.err))
		}
	}
}

// once leaves out a part whose last look has not ended: another would only hang as well.
func (l *Looks) once(ctx context.Context, p part) (s seen) {
	if _, open := l.open.LoadOrStore(p.what, true); open {
		return seen{err: errors.New("the look before has not ended")}
	}
	defer l.open.Delete(p.what)
	s.fill, s.err = p.look(ctx)
	return s
}

// inTime waits for a result until ctx ends, and takes one that is there by then.
func inTime(ctx context.Context, result <-chan seen) seen {
	select {
	case s := <-result:
		return s
	case <-ctx.Done():
	}
	select {
	case s := <-result:
		return s
	default:
		return seen{err: errors.New("not in time")}
	}
}
