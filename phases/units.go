package phases

import (
	"context"

	"bootstrap/phases/observe"
)

// startUnit starts a unit now and at every boot. One that runs is restarted only
// when a file that it reads was written since it started.
func (e *Env) startUnit(ctx context.Context, unit string, files ...string) error {
	// Enabled first, which is done with files: systemd then reads them all at once.
	if _, err := e.Host.EnableUnit(ctx, unit); err != nil {
		return e.Ready().Explained(ctx, observe.Begun, err) // such as a unit that is masked
	}
	_, err := e.Host.StartUnit(ctx, unit, files...)
	return e.Ready().Explained(ctx, observe.Begun, err)
}
