package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/machine"
)

// Systemd is the systemd of this machine, over D-Bus. Each call has a connection of
// its own: one that was kept would be broken once systemd executes itself again.
type Systemd struct{}

var _ Units = Systemd{}

// dial prefers systemd's own socket: a fresh or broken machine may have no D-Bus
// daemon. Only root may use it.
func dial(ctx context.Context) (*dbus.Conn, error) {
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

func withSystemd(ctx context.Context, do func(*dbus.Conn) error) error {
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

// Do implements Units.
func (Systemd) Do(ctx context.Context, verb Verb, unit string) error {
	return withSystemd(ctx, func(conn *dbus.Conn) error {
		// With a buffer: go-systemd's dispatcher blocks on a channel nobody reads.
		r := request{conn: conn, verb: verb, unit: unit, done: make(chan string, 1)}
		if err := r.send(ctx); err != nil {
			return fmt.Errorf("%s %s: %w", verb, unit, err)
		}
		if verb == Start || verb == Stop || verb == Restart {
			return r.wait(ctx)
		}
		return nil
	})
}

// request is something that systemd is asked to do with a unit.
type request struct {
	conn *dbus.Conn
	verb Verb
	unit string
	done chan string // the result of a job: to start, stop or restart
}

func (r request) send(ctx context.Context) (err error) {
	switch r.verb {
	case Start:
		_, err = r.conn.StartUnitContext(ctx, r.unit, "replace", r.done)
	case Stop:
		_, err = r.conn.StopUnitContext(ctx, r.unit, "replace", r.done)
	case Restart:
		_, err = r.conn.RestartUnitContext(ctx, r.unit, "replace", r.done)
	case Enable:
		_, _, err = r.conn.EnableUnitFilesContext(ctx, []string{r.unit}, false, true)
	case Disable:
		_, err = r.conn.DisableUnitFilesContext(ctx, []string{r.unit}, false)
	case ResetFailed:
		err = r.conn.ResetFailedUnitContext(ctx, r.unit)
	default:
		err = errors.New("no such thing can be done with a unit")
	}
	return err
}

// wait gives the result of a job. A connection is lost when an upgrade has systemd
// execute itself again, and the result with it: then the unit is asked instead.
func (r request) wait(ctx context.Context) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case result := <-r.done:
			if result != "done" {
				return unitFailed(r.verb, r.unit, result)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s %s: %w", r.verb, r.unit, context.Cause(ctx))
		case <-look.C:
			if r.conn.Connected() {
				continue
			}
			now, err := Systemd{}.State(ctx, r.unit)
			if err != nil || now.Pending {
				continue // as long as systemd does not answer, too
			}
			if now.Active == "failed" && r.verb != Stop {
				return unitFailed(r.verb, r.unit, "failed")
			}
			return nil
		}
	}
}

// Reload implements Units.
func (Systemd) Reload(ctx context.Context) error {
	return withSystemd(ctx, func(c *dbus.Conn) error { return c.ReloadContext(ctx) })
}

// Failed implements Units.
func (Systemd) Failed(ctx context.Context, pattern string) (names []string, err error) {
	err = withSystemd(ctx, func(c *dbus.Conn) error {
		units, err := c.ListUnitsByPatternsContext(ctx, []string{"failed"}, []string{pattern})
		for _, u := range units {
			names = append(names, u.Name)
		}
		return err
	})
	return names, err
}

// Environment implements Units. The library gives a list of strings as text that YAML can read, save for the
// type that stands before an empty one.
func (Systemd) Environment(ctx context.Context) (all []string, err error) {
	err = withSystemd(ctx, func(c *dbus.Conn) error {
		text, err := c.GetManagerProperty("Environment")
		return errors.Join(err, yaml.Unmarshal([]byte(strings.TrimPrefix(text, "@as ")), &all))
	})
	return all, err
}

// State implements Units.
func (Systemd) State(ctx context.Context, unit string) (state machine.UnitState, err error) {
	err = withSystemd(ctx, func(c *dbus.Conn) error {
		props, err := c.GetAllPropertiesContext(ctx, unit)
		state = unitState(props)
		return err
	})
	return state, err
}

// Enabled implements Units. It asks for the unit file on disk: the unit's own
// UnitFileState may be from before the last reload.
func (Systemd) Enabled(ctx context.Context, unit string) (enabled string, err error) {
	err = withSystemd(ctx, func(c *dbus.Conn) error {
		files, err := c.ListUnitFilesByPatternsContext(ctx, nil, []string{unit})
		if len(files) > 0 {
			enabled = files[0].Type
		}
		return err
	})
	return enabled, err
}

func unitState(props map[string]any) machine.UnitState {
	text := func(name string) string { s, _ := props[name].(string); return s }
	status, _ := props["ExecMainStatus"].(int32)
	started, _ := props["ExecMainStartTimestamp"].(uint64)
	outdated, _ := props["NeedDaemonReload"].(bool)
	pid, _ := props["MainPID"].(uint32) // 0 where none runs
	job, _ := props["Job"].([]any)      // number and path; number 0 without one
	return machine.UnitState{
		Load: text("LoadState"), Active: text("ActiveState"), Sub: text("SubState"),
		Result: text("Result"), ExitStatus: int(status), Started: micros(started), Fragment: text("FragmentPath"), Outdated: outdated, Pending: len(job) > 0 && job[0] != uint32(0), Needed: needed(props),
		OwnMounts: machine.OwnMounts(int(pid)),
	}
}

// micros makes systemd's zero, which stands for never, the zero Time.
func micros(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n))
}

func needed(props map[string]any) bool {
	return slices.ContainsFunc([]string{"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"}, func(name string) bool {
		units, _ := props[name].([]string)
		return len(units) > 0
	})
}
