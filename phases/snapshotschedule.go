package phases

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

// Schedule is how often a snapshot is saved, and what the command does that saves it.
type Schedule struct {
	Every time.Duration
	At    string
	Save  Save
	Args  []string // of bootstrap etcd snapshot save, which say the same
	Off   bool
}

// ScheduleSnapshots is the plan by which systemd saves snapshots, by a copy of this program without its bundle. A
// schedule none of whose runs could go well is refused.
func ScheduleSnapshots(e *Env, s Schedule) (Plan, error) {
	err := e.needCluster()
	if err == nil && !s.Off {
		var to *Snapshots
		if to, err = e.OpenSnapshots(s.At); err == nil {
			err = s.Save.check(to)
		}
	}
	run := func(ctx context.Context, env *Env) error { return env.schedule(ctx, s) }
	return Plan{{{Name: "snapshot-schedule", Short: "have systemd save snapshots", Run: run}}}, err
}

func (e *Env) schedule(ctx context.Context, s Schedule) error {
	h, service, timer := e.Host, spec.SystemdDir+"/"+spec.SnapshotService, spec.SystemdDir+"/"+spec.SnapshotTimer
	if s.Off {
		err := h.StopUnit(ctx, spec.SnapshotTimer)
		_, serviceErr := h.Remove(service)
		_, timerErr := h.Remove(timer)
		return errors.Join(err, serviceErr, timerErr, h.Reload(ctx))
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := bundle.Program(executable)
	if err == nil {
		_, err = h.WriteOpaque(spec.SnapshotProgram, program, 0o755)
	}
	if err == nil {
		err = writeRendered(h, service, templates.SnapshotService{Program: spec.SnapshotProgram, Every: s.Every.String(), Args: s.Args})
	}
	if err == nil {
		err = writeRendered(h, timer, templates.SnapshotTimer{Every: fmt.Sprintf("%ds", int(s.Every.Seconds()))})
	}
	if err != nil {
		return err
	}
	if err := h.EnableUnit(ctx, spec.SnapshotTimer); err != nil {
		return err
	}
	return h.StartUnit(ctx, spec.SnapshotTimer, timer)
}

// Scheduled is a run of the timer.
type Scheduled struct {
	Every      time.Duration
	Keep, Days int
}

// RunScheduled saves, tries and prunes, and tells how that ended: by an Event, a file of metrics, and what status
// reads. Of several control planes one does it; where no API server answers, each does.
func (e *Env) RunScheduled(ctx context.Context, s *Snapshots, o Save, run Scheduled) error {
	c, apiErr := e.ConnectForHealth()
	if apiErr == nil {
		c = c.Acting() // the Host only plans, as it has no lock
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		has, err := c.TakeTurn(soon, "bootstrap-snapshot", e.Config.NodeName, run.Every/2)
		cancel()
		if err == nil && has != e.Config.NodeName {
			e.Tell.Say("%s has saved a snapshot, or does: nothing to do here", has)
			return nil
		}
	}
	o.Try = true
	entry, err := e.SaveSnapshot(ctx, s, o)
	if err == nil {
		_, err = e.Prune(ctx, s, run.Keep, run.Days)
	}
	last := snapshot.Last{Time: time.Now().UTC().Truncate(time.Second), Every: run.Every.String(), At: s.At, Name: entry.Name}
	kind, reason, message := "Normal", "SnapshotSaved", fmt.Sprintf("%s/%s: revision %d, tried by an etcd of its own", s.At, entry.Name, entry.Meta.Revision)
	if err != nil {
		last.Error, kind, reason, message = err.Error(), "Warning", "SnapshotFailed", err.Error()
	}
	err = errors.Join(err, e.noteLast(ctx, last))
	if apiErr == nil {
		apiErr = c.Event(ctx, e.Config.NodeName, kind, reason, message)
	}
	if apiErr != nil {
		e.Tell.Warn("there is no Event of it: %v", apiErr)
	}
	return err
}

// noteLast keeps how a run ended, and since when all goes well, for status and as metrics.
func (e *Env) noteLast(ctx context.Context, last snapshot.Last) error {
	last.Good = last.Time
	if last.Error != "" {
		var before snapshot.Last
		data, _ := e.Host.ReadFile(spec.SnapshotLast)
		_ = json.Unmarshal(data, &before) // else nothing is known of before
		last.Good = before.Good
	}
	data, err := json.Marshal(last)
	if err != nil {
		return err
	}
	here := &Snapshots{dir: e.Host.Path(spec.SnapshotDir)}
	err = here.put(ctx, path.Base(spec.SnapshotLast), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	metrics := last.Metrics()
	return here.put(ctx, "metrics.prom", strings.NewReader(metrics), int64(len(metrics)))
}
