package status

import (
	"encoding/json"
	"time"

	"bootstrap/phases/host"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
)

// Snapshots is the schedule of etcd's snapshots, and how it goes.
type Snapshots struct {
	snapshot.Last
	Finding string `json:"finding,omitempty"` // what is wrong
}

// scheduled is nil without a schedule.
func scheduled(h *host.Host, now time.Time) *Snapshots {
	since, err := h.Changed(spec.SystemdDir + "/" + spec.SnapshotTimer)
	if err != nil {
		return nil
	}
	s := &Snapshots{}
	data, err := h.ReadFile(spec.SnapshotLast)
	if err == nil {
		err = json.Unmarshal(data, &s.Last)
	}
	every, parseErr := time.ParseDuration(s.Every)
	if err != nil || parseErr != nil {
		every = time.Hour // it has not run yet, which it does a minute after it was made
	}
	s.Finding = s.Last.Finding(since, now, every)
	return s
}
