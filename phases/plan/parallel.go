package plan

import (
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"
)

// SideBySide runs all parts and waits for them.
func SideBySide(parts ...func()) {
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(part)
	}
	all.Wait()
}

// Each does n things, at most so many at once, and joins their errors in their order.
func Each(n, atOnce int, do func(i int) error) error {
	errs := make([]error, n)
	var all errgroup.Group
	all.SetLimit(max(1, atOnce))
	for i := range n {
		all.Go(func() error {
			errs[i] = do(i)
			return nil
		})
	}
	_ = all.Wait() // each keeps its error
	return errors.Join(errs...)
}
