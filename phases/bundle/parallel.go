package bundle

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel does n jobs, as many at a time as Go has processors, until one fails or the
// context ends. What has begun then ends; the error of the earliest job is returned, which
// does not depend on who was faster.
func parallel(ctx context.Context, n int, do func(job int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	work := func() {
		for !failed.Load() {
			job := int(next.Add(1)) - 1
			if job >= n {
				return
			}
			if errs[job] = ctx.Err(); errs[job] == nil {
				errs[job] = do(job)
			}
			if errs[job] != nil {
				failed.Store(true)
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(work)
	}
	wg.Wait()
	return cmp.Or(errs...)
}
