package ready

import (
	"context"
	"errors"
	"testing"
	"time"

	"bootstrap/phases/observe"
)

// TestInterruptedWork: Ctrl-C waits for work that ends with it, and not for what hangs.
func TestInterruptedWork(t *testing.T) {
	release := make(chan bool)
	t.Cleanup(func() { close(release) }) // after the subtests
	ended := errors.New("ended in order")
	for _, c := range []struct {
		name string
		work func(context.Context) error
		want error
	}{
		{"ends", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(50 * time.Millisecond); return ended }, ended},
		{"hangs", func(context.Context) error { <-release; return nil }, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			result := make(chan error, 1)
			go func() { result <- testWaiter(t, "default").WhileRuntimeAnswers(ctx, observe.Begun, nil, c.work) }()
			select {
			case err := <-result:
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			case <-time.After(workGrace + 5*time.Second):
				t.Error("it waits for what hangs")
			}
		})
	}
}
