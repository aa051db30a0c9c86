package phases

import (
	"errors"
	"sync"
)

// sideBySide runs all parts and waits for them.
func sideBySide(parts ...func()) {
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(part)
	}
	all.Wait()
}

// each does n things, at most so many at once, and joins their errors in their order.
func each(n, atOnce int, do func(i int) error) error {
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
