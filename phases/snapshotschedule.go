package phases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

// Schedule is how often a snapshot is saved, and what the command does that saves it.
type Schedule struct {
	Every time.Duration
	Args  []string // of bootstrap etcd snapshot save
	Off   bool
}

// ScheduleSnapshots is the plan by which systemd saves snapshots, by a copy of this program without its bundle.
func ScheduleSnapshots(s Schedule) Plan {
	run := func(ctx context.Context, env *Env) error { return env.schedule(ctx, s) }
	return Plan{{{Name: "snapshot-schedule", Short: "have systemd save snapshots", Run: run}}}
}

// CheckSchedule refuses a schedule none of whose runs could go well.
func (e *Env) CheckSchedule(at, bucketFile string, o Save, s Schedule) error {
	if s.Off {
		return nil
	}
	c, err := e.State().RememberedConfig()
	if err == nil && c == nil {
		err = plan.Hint(errors.New("there is no control plane of bootstrap's on this machine"), "run it on one")
	}
	if err != nil {
		return err
	}
	e.Config = c
	to, err := e.OpenSnapshots(at, bucketFile)
	if err != nil {
		return err
	}
	return o.check(to)
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
	sum, program, err := bundle.Program(executable)
	if err != nil {
		return err
	}
	if _, err := h.WriteStream(spec.SnapshotProgram, 0o755, sum, program); err != nil {
		return err
	}
	err = writeRendered(h, service, templates.SnapshotService{Program: spec.SnapshotProgram, Every: s.Every.String(), Args: s.Args})
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
func (e *Env) RunScheduled(ctx context.Context, s *Snapshots, o Save, run Scheduled) (snapshot.Entry, error) {
	c, apiErr := e.ConnectForHealth()
	if apiErr == nil {
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		has, err := c.TakeTurn(soon, "bootstrap-snapshot", e.Config.NodeName, run.Every/2)
		cancel()
		if err == nil && has != e.Config.NodeName {
			e.Tell.Say("%s has saved a snapshot, or does: nothing to do here", has)
			return snapshot.Entry{}, nil
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
	if noteErr := e.noteLast(last); noteErr != nil {
		err = errors.Join(err, noteErr)
	}
	if apiErr == nil {
		apiErr = c.Event(ctx, e.Config.NodeName, kind, reason, message)
	}
	if apiErr != nil {
		e.Tell.Warn("there is no Event of it: %v", apiErr)
	}
	return entry, err
}

// noteLast keeps how a run ended, and since when all goes well, for status and as metrics.
func (e *Env) noteLast(last snapshot.Last) error {
	const file, metrics = spec.SnapshotDir + "/last.json", spec.SnapshotDir + "/metrics.prom"
	if data, err := e.Host.ReadFile(file); err == nil && last.Error != "" {
		var before snapshot.Last
		_ = json.Unmarshal(data, &before) // else nothing is known of before
		last.Good = before.Good
	}
	if last.Error == "" {
		last.Good = last.Time
	}
	data, err := json.Marshal(last)
	if err != nil {
		return err
	}
	if err := e.Host.DirUnrecorded(spec.SnapshotDir); err != nil {
		return err
	}
	if _, err := e.Host.WriteUnrecorded(file, data, 0o600); err != nil {
		return err
	}
	_, err = e.Host.StreamUnrecorded(metrics, 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, last.Metrics())
		return err
	})
	return err
}
