package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// Systemd is the systemd of this machine, over D-Bus. Each call has a connection of
// its own, so that nothing is left to go stale when systemd restarts itself.
type Systemd struct{}

var _ Units = Systemd{}

// dial prefers systemd's own socket: a fresh or broken machine may have no D-Bus
// daemon. Only root may use it.
func (Systemd) dial(ctx context.Context) (*dbus.Conn, error) {
	if os.Geteuid() == 0 {
		if conn, err := dbus.NewSystemdConnectionContext(ctx); err == nil {
			return conn, nil
		}
	}
	conn, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	return conn, nil
}

func (s Systemd) with(ctx context.Context, do func(*dbus.Conn) error) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

type startJob func(ctx context.Context, unit, mode string, done chan<- string) (int, error)

// job queues a job and waits for its result.
func (s Systemd) job(ctx context.Context, verb, unit string, pick func(*dbus.Conn) startJob) error {
	return s.with(ctx, func(conn *dbus.Conn) error {
		// With a buffer: go-systemd's dispatcher blocks on a channel nobody reads.
		done := make(chan string, 1)
		if _, err := pick(conn)(ctx, unit, "replace", done); err != nil {
			return fmt.Errorf("%s %s: %w", verb, unit, err)
		}
		return s.ended(ctx, conn, done, verb, unit)
	})
}

// ended waits for the result of a job. Of a connection that is lost nothing comes, as when
// an upgrade has systemd execute itself again: then the unit is asked.
func (s Systemd) ended(ctx context.Context, conn *dbus.Conn, done <-chan string, verb, unit string) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case result := <-done:
			if result != "done" {
				return unitFailed(verb, unit, result)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s %s: %w", verb, unit, context.Cause(ctx))
		case <-look.C:
			if conn.Connected() {
				continue
			}
			if failed, pending := s.outcome(ctx, unit); failed && verb != "stop" {
				return unitFailed(verb, unit, "failed")
			} else if !pending {
				return nil
			}
		}
	}
}

// outcome tells how a job ended that nobody could tell of, or that it has not yet.
func (s Systemd) outcome(ctx context.Context, unit string) (failed, pending bool) {
	pending = true // as long as systemd does not answer
	_ = s.with(ctx, func(c *dbus.Conn) error {
		props, err := c.GetAllPropertiesContext(ctx, unit)
		if err != nil {
			return err
		}
		job, _ := props["Job"].([]any) // number and path; number 0 without one
		pending = len(job) == 0 || job[0] != uint32(0)
		failed = !pending && unitState(props).Active == "failed"
		return nil
	})
	return failed, pending
}

// Start implements Units.
func (s Systemd) Start(ctx context.Context, unit string) error {
	return s.job(ctx, "start", unit, func(c *dbus.Conn) startJob { return c.StartUnitContext })
}

// Stop implements Units.
func (s Systemd) Stop(ctx context.Context, unit string) error {
	return s.job(ctx, "stop", unit, func(c *dbus.Conn) startJob { return c.StopUnitContext })
}

// Restart implements Units.
func (s Systemd) Restart(ctx context.Context, unit string) error {
	return s.job(ctx, "restart", unit, func(c *dbus.Conn) startJob { return c.RestartUnitContext })
}

// Reload implements Units.
func (s Systemd) Reload(ctx context.Context) error {
	return s.with(ctx, func(c *dbus.Conn) error { return c.ReloadContext(ctx) })
}

// Enable implements Units.
func (s Systemd) Enable(ctx context.Context, unit string) error {
	return s.with(ctx, func(c *dbus.Conn) error {
		if _, _, err := c.EnableUnitFilesContext(ctx, []string{unit}, false, true); err != nil {
			return fmt.Errorf("enable %s: %w", unit, err)
		}
		return nil
	})
}

// Disable implements Units.
func (s Systemd) Disable(ctx context.Context, unit string) error {
	return s.with(ctx, func(c *dbus.Conn) error {
		if _, err := c.DisableUnitFilesContext(ctx, []string{unit}, false); err != nil {
			return fmt.Errorf("disable %s: %w", unit, err)
		}
		return nil
	})
}

// ResetFailed implements Units.
func (s Systemd) ResetFailed(ctx context.Context, unit string) error {
	return s.with(ctx, func(c *dbus.Conn) error { return c.ResetFailedUnitContext(ctx, unit) })
}

// Failed implements Units.
func (s Systemd) Failed(ctx context.Context, pattern string) (names []string, err error) {
	err = s.with(ctx, func(c *dbus.Conn) error {
		units, err := c.ListUnitsByPatternsContext(ctx, []string{"failed"}, []string{pattern})
		for _, u := range units {
			names = append(names, u.Name)
		}
		return err
	})
	return names, err
}

// State implements Units.
func (s Systemd) State(ctx context.Context, unit string) (state UnitState, err error) {
	err = s.with(ctx, func(c *dbus.Conn) error {
		props, err := c.GetAllPropertiesContext(ctx, unit)
		if err != nil {
			return err
		}
		state = unitState(props)
		return nil
	})
	return state, err
}

// Enabled implements Units. It asks for the unit file on disk: the unit's own
// UnitFileState may be from before the last reload.
func (s Systemd) Enabled(ctx context.Context, unit string) (state string, err error) {
	err = s.with(ctx, func(c *dbus.Conn) error {
		files, err := c.ListUnitFilesByPatternsContext(ctx, nil, []string{unit})
		if len(files) > 0 {
			state = files[0].Type
		}
		return err
	})
	return state, err
}

func unitState(props map[string]any) UnitState {
	text := func(name string) string { s, _ := props[name].(string); return s }
	status, _ := props["ExecMainStatus"].(int32)
	started, _ := props["ExecMainStartTimestamp"].(uint64)
	outdated, _ := props["NeedDaemonReload"].(bool)
	return UnitState{
		Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"),
		Result: text("Result"), ExitStatus: int(status), Started: micros(started), Fragment: text("FragmentPath"), Outdated: outdated, Dependents: dependents(props),
	}
}

// micros keeps systemd's zero, for what has not happened, a zero time.
func micros(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n))
}

func dependents(props map[string]any) string {
	all := ""
	for _, name := range []string{"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"} {
		units, _ := props[name].([]string)
		for _, unit := range units {
			all += unit + " "
		}
	}
	return all
}
