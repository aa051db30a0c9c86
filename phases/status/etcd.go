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
	etcd.Status
	Members        int     `json:"members"`
	Leader         string  `json:"leader,omitempty"`         // name of a member
	FsyncP99Millis float64 `json:"fsyncP99Millis,omitempty"` // at most so long, since etcd began
	Error          string  `json:"error,omitempty"`          // why it says nothing
}

// etcdStatus is nil if this node runs none.
func etcdStatus(ctx context.Context, o *observe.Observer) *Etcd {
	client, err := o.EtcdClient()
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
	s := &Etcd{}
	var members []*etcd.Member
	var membersErr, statusErr error
	var fsync time.Duration
	plan.SideBySide(
		func() { members, membersErr = client.Members(ctx) },
		func() { s.Status, statusErr = client.Status(ctx) },
		func() { fsync, _ = etcd.FsyncP99(ctx, o.Config.EtcdMetrics().String()) }, // the rest is worth showing without it
	)
	switch err := errors.Join(membersErr, statusErr); {
	case ctx.Err() != nil:
		return &Etcd{Error: fmt.Sprintf("no answer within %s", timeout)}
	case err != nil:
		return &Etcd{Error: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	s.Members, s.FsyncP99Millis = len(members), float64(fsync)/float64(time.Millisecond)
	for _, m := range members {
		if m.ID == s.Status.Leader {
			s.Leader = m.Name
		}
	}
	return s
}
