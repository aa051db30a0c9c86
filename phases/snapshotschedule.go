package phases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

// Scheduled is how often a snapshot is saved, and what is kept.
type Scheduled struct {
	Every      time.Duration // 0: no more
	Keep, Days int
}

// ScheduleSnapshots is the plan by which systemd saves snapshots, by a copy of this program without its bundle. A
// schedule none of whose runs could go well is refused.
func ScheduleSnapshots(e *Env, at string, o Save, run Scheduled) (Plan, error) {
	if err := e.needCluster(); err != nil {
		return nil, err
	}
	to, err := e.OpenSnapshots(at)
	if err == nil {
		err = o.check(to)
	}
	args := []string{
		"--to=" + at, "--encrypt-to=" + o.EncryptTo, fmt.Sprintf("--without-pki=%t", o.WithoutPKI), fmt.Sprintf("--keep=%d", run.Keep), fmt.Sprintf("--keep-daily=%d", run.Days),
	}
	phase := Phase{Name: "snapshot-schedule", Short: "have systemd save snapshots", Run: func(ctx context.Context, env *Env) error {
		return schedule(ctx, env.Host, templates.SnapshotService{Program: spec.SnapshotProgram, Every: run.Every.String(), Args: args}, run.Every)
	}}
	if run.Every == 0 {
		err = nil
		phase.Run = func(ctx context.Context, env *Env) error {
			return env.Host.UndoAll(ctx, func(r host.Record) bool { return r.By != phase.Name })
		}
	}
	return Plan{{phase}}, err
}

func schedule(ctx context.Context, h *host.Host, service templates.SnapshotService, every time.Duration) error {
	const timer = spec.SystemdDir + "/" + spec.SnapshotTimer
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := bundle.Program(executable)
	if err == nil {
		_, err = h.WriteOpaque(spec.SnapshotProgram, program, 0o755)
	}
	if err == nil {
		err = writeRendered(h, spec.SystemdDir+"/"+spec.SnapshotService, service)
	}
	if err == nil {
		err = writeRendered(h, timer, templates.SnapshotTimer{Every: fmt.Sprintf("%ds", int(every.Seconds()))})
	}
	if err != nil {
		return err
	}
	if err := h.EnableUnit(ctx, spec.SnapshotTimer); err != nil {
		return err
	}
	return h.StartUnit(ctx, spec.SnapshotTimer, timer)
}

// RunScheduled saves, tries and prunes, and tells how that ended: by an Event, a file of metrics, and what status
// reads. Of several control planes one does it; where no API server answers, each does.
func (e *Env) RunScheduled(ctx context.Context, s *Snapshots, o Save, run Scheduled) error {
	last := snapshot.Last{Time: time.Now().UTC().Truncate(time.Second), Every: run.Every.String(), At: s.At}
	c, apiErr := e.ConnectForHealth()
	if apiErr == nil {
		c = c.Acting() // the Host only plans, as it has no lock
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		has, err := c.TakeTurn(soon, "bootstrap-snapshot", e.Config.NodeName, run.Every/2)
		cancel()
		if err == nil && has != e.Config.NodeName {
			e.Tell.Say("another control plane has saved a snapshot, or does: nothing to do here (%s)", has)
			return e.noteLast(ctx, last)
		}
	}
	o.Try = true
	entry, err := e.SaveSnapshot(ctx, s, o)
	if err == nil {
		_, err = e.Prune(ctx, s, run)
	}
	last.Time, last.Name = time.Now().UTC().Truncate(time.Second), entry.Name
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
	here := &Snapshots{At: spec.SnapshotDir, host: e.Host}
	return errors.Join(
		here.put(ctx, path.Base(spec.SnapshotLast), func(w io.Writer) error { return json.NewEncoder(w).Encode(last) }),
		here.put(ctx, "metrics.prom", func(w io.Writer) error {
			_, err := io.WriteString(w, last.Metrics())
			return err
		}),
	)
}
