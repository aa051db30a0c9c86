package status

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bootstrap/phases/etcd"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
)

// Etcd is what this node's etcd says of itself.
type Etcd struct {
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
func (r *reporter) etcdStatus(ctx context.Context) *Etcd {
	client, err := r.EtcdClient()
	switch {
	case err != nil:
		return &Etcd{Error: err.Error()}
	case client == nil:
		return nil
	}
	defer client.Close()
	timeout := observe.EvidenceTimeout.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var members []etcd.Member
	var told etcd.Status
	var membersErr, toldErr error
	var fsync time.Duration
	plan.SideBySide(
		func() { members, membersErr = client.Members(ctx) },
		func() { told, toldErr = client.Status(ctx) },
		func() { fsync, _ = etcd.FsyncP99(ctx, r.Config.EtcdMetrics().String()) }, // the rest is worth telling without
	)
	switch err := errors.Join(membersErr, toldErr); {
	case ctx.Err() != nil:
		return &Etcd{Error: fmt.Sprintf("no answer within %s", timeout)}
	case err != nil:
		return &Etcd{Error: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	s := etcdStatusOf(told, members)
	s.FsyncP99Millis = float64(fsync) / float64(time.Millisecond)
	return s
}

func etcdStatusOf(told etcd.Status, members []etcd.Member) *Etcd {
	s := &Etcd{
		Version: told.Version, Members: len(members), Revision: told.Revision,
		SizeBytes: told.SizeBytes, InUseBytes: told.InUseBytes, Alarms: told.Alarms,
	}
	for _, m := range members {
		if m.ID == told.Leader {
			s.Leader = m.Name
		}
	}
	return s
}
