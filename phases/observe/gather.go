package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bootstrap/phases/diagnose"
)

// A part looks at one thing on the machine and gives what to note of it.
type part struct {
	what string
	look func(context.Context) (note, error)
}

// A note writes down what was seen.
type note func(*diagnose.Machine)

// into is a part whose look gives all of one field.
func into[T any](field *T, what string, look func(context.Context) T) part {
	return part{what, func(ctx context.Context) (note, error) {
		seen := look(ctx)
		return func(*diagnose.Machine) { *field = seen }, nil
	}}
}

// gatherTimeout bounds all parts together. What hangs, such as a dead network file
// system, is left behind and named.
const gatherTimeout = Patience(1800 * time.Millisecond)

// seen is what came of a part.
type seen struct {
	note note
	err  error
}

// gather looks at all parts side by side, and notes what they saw in their order. Only
// here the machine is written, so that who comes late can do no harm.
func gather(ctx context.Context, m *diagnose.Machine, parts []part) {
	ctx, cancel := gatherTimeout.Bound(ctx)
	defer cancel()
	results := make([]<-chan seen, len(parts))
	for i, p := range parts {
		results[i] = p.begin(ctx)
	}
	for i, p := range parts {
		s := inTime(ctx, results[i])
		if s.note != nil {
			s.note(m)
		}
		if s.err != nil {
			m.Unread = append(m.Unread, fmt.Sprintf("%s: %v", p.what, s.err))
		}
	}
}

// ahead looks at a part before others do, and gives one that only tells what was seen.
func ahead(ctx context.Context, p part) part {
	ctx, cancel := gatherTimeout.Bound(ctx)
	defer cancel()
	s := inTime(ctx, p.begin(ctx))
	return part{p.what, func(context.Context) (note, error) { return s.note, s.err }}
}

// begin looks at the part and tells what came of it, whether anybody still waits or not.
func (p part) begin(ctx context.Context) <-chan seen {
	result := make(chan seen, 1)
	go func() {
		note, err := p.look(ctx)
		result <- seen{note, err}
	}()
	return result
}

// inTime takes what is there, even if time is up.
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

// Looks are all those of one wait. The zero value is ready for use.
type Looks struct {
	mu   sync.Mutex
	open map[string]bool // parts whose last look has not ended
}

// once leaves out parts whose last look has not ended: another would only hang as well.
func (l *Looks) once(parts []part) []part {
	if l == nil {
		return parts
	}
	parts = slices.Clone(parts)
	for i, p := range parts {
		parts[i].look = func(ctx context.Context) (note, error) {
			if !l.begin(p.what) {
				return nil, errors.New("the look before has not ended")
			}
			defer l.end(p.what)
			return p.look(ctx)
		}
	}
	return parts
}

func (l *Looks) begin(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[what] {
		return false
	}
	if l.open == nil {
		l.open = map[string]bool{}
	}
	l.open[what] = true
	return true
}

func (l *Looks) end(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, what)
}
