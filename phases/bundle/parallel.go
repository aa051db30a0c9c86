package bundle

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// parallel does the jobs in this order, as many at a time as Go has processors. The
// first error ends it and is returned.
func parallel(ctx context.Context, jobs []int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	work := func() {
		for ctx.Err() == nil {
			n := int(next.Add(1)) - 1
			if n >= len(jobs) {
				return
			}
			if err := do(ctx, jobs[n]); err != nil {
				cancel(err)
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(work)
	}
	wg.Wait()
	return context.Cause(ctx)
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
