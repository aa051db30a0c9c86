package plan

import (
	"errors"
	"sync"
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
	slots := make(chan struct{}, max(1, atOnce))
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = do(i)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
