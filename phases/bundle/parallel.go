package bundle

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// parallel does the jobs in this order, as many at a time as Go has processors, until
// one fails. What has begun then ends; the error of the earliest job is returned, which
// does not depend on who was faster.
func parallel(ctx context.Context, jobs []int, do func(context.Context, int) error) error {
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	work := func() {
		for !failed.Load() {
			n := int(next.Add(1)) - 1
			if n >= len(jobs) {
				return
			}
			if errs[n] = do(ctx, jobs[n]); errs[n] != nil {
				failed.Store(true)
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(work)
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// largestFirst orders jobs so that none of the long ones starts last.
func largestFirst(entries []Entry) []int {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(entries[b].Size, entries[a].Size)
	})
	return order
}
