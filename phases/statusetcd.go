package phases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// EtcdStatus is what this node's etcd says of itself.
type EtcdStatus struct {
	Version        string   `json:"version,omitempty"`
	Members        int      `json:"members"`
	Leader         string   `json:"leader,omitempty"` // name of a member
	SizeBytes      int64    `json:"sizeBytes"`
	InUseBytes     int64    `json:"inUseBytes"`
	Revision       int64    `json:"revision"`
	Alarms         []string `json:"alarms,omitempty"`
	FsyncP99Millis float64  `json:"fsyncP99Millis,omitempty"` // at most so long, since etcd began
	Error          string   `json:"error,omitempty"`          // why it says nothing
}

// etcdStatus is nil if this node runs none.
func (e *Env) etcdStatus(ctx context.Context) *EtcdStatus {
	client, ok := e.etcdClient()
	if !ok || client.program == "" {
		return nil
	}
	timeout := evidenceTimeout.now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := &EtcdStatus{}
	var members []etcdMember
	var told etcdTold
	var membersErr, toldErr error
	sideBySide(
		func() { members, membersErr = client.members(ctx) },
		func() { told, toldErr = client.status(ctx) },
		func() {
			text, err := etcdMetricsText(ctx, e.Config)
			if err == nil {
				s.FsyncP99Millis = quantile(text, "etcd_disk_wal_fsync_duration_seconds", 0.99) * 1000
			}
		},
	)
	switch err := errors.Join(membersErr, toldErr); {
	case ctx.Err() != nil:
		s.Error = fmt.Sprintf("no answer within %s", timeout)
	case err != nil:
		s.Error = lastLine(err.Error())
	default:
		told.fill(s, members)
	}
	return s
}

// etcdTold is what etcdctl endpoint status prints.
type etcdTold struct {
	Header      struct{ Revision int64 }
	Version     string
	DBSize      int64
	DBSizeInUse int64
	Leader      uint64
	Errors      []string
}

func (c etcdClient) status(ctx context.Context) (etcdTold, error) {
	out, err := c.host.Output(ctx, c.program, slices.Concat(c.args, []string{"endpoint", "status", "--write-out", "json"})...)
	if err != nil {
		return etcdTold{}, err
	}
	var answers []struct{ Status etcdTold }
	if err := json.Unmarshal([]byte(out), &answers); err != nil || len(answers) == 0 {
		return etcdTold{}, err
	}
	return answers[0].Status, nil
}

func (t etcdTold) fill(s *EtcdStatus, members []etcdMember) {
	s.Version, s.Members, s.Revision, s.Alarms = t.Version, len(members), t.Header.Revision, t.Errors
	s.SizeBytes, s.InUseBytes = t.DBSize, t.DBSizeInUse
	for _, m := range members {
		if m.ID == t.Leader {
			s.Leader = m.Name
		}
	}
}

// quantile is the upper bound of the bucket of a Prometheus histogram that a share of
// all samples lies below; 0 without samples.
func quantile(metrics, name string, share float64) float64 {
	total, _ := strconv.ParseFloat(metric(metrics, name+"_count "), 64)
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, name+`_bucket{le="`)
		bound, count, cut := strings.Cut(strings.TrimSpace(rest), `"} `)
		if !ok || !cut {
			continue
		}
		n, err := strconv.ParseFloat(count, 64)
		le, boundErr := strconv.ParseFloat(bound, 64)
		if err == nil && boundErr == nil && total > 0 && n >= share*total && !math.IsInf(le, 1) {
			return le
		}
	}
	return 0
}

// metric is the rest of the line that begins so.
func metric(metrics, prefix string) string {
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// lastLine is what a program says at the end, which is why it failed.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
