package bundle

import (
	"cmp"
	"context"
	"runtime"
	"sync"
)

// parallel does n jobs, as many at a time as Go has processors, until one fails or the
// context ends. What has begun then ends; the error of the earliest job is returned, which
// does not depend on who was faster.
func parallel(ctx context.Context, n int, do func(job int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	going, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for job := range n {
		slots <- struct{}{}
		if going.Err() != nil {
			break
		}
		all.Go(func() {
			if errs[job] = do(job); errs[job] != nil {
				stop()
			}
			<-slots
		})
	}
	all.Wait()
	return cmp.Or(cmp.Or(errs...), ctx.Err())
}
