package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// DialSocket asks a member that listens at a socket of this machine, without TLS: a trial.
func DialSocket(path string) (*Client, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + path}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	return &Client{etcd: c}, nil
}

// Source picks the member that a snapshot is taken from: a voter that does not lead, this node's own before
// others; the leader where there is no other voter. A learner may lag behind without an end.
func Source(members []*Member, leader, own uint64) *Member {
	var best *Member
	rank := func(m *Member) int {
		switch {
		case m == nil || m.IsLearner || m.Name == "" || len(m.ClientURLs) == 0:
			return 0
		case m.ID == leader:
			return 1
		case m.ID == own:
			return 3
		}
		return 2
	}
	for _, m := range members {
		if rank(m) > rank(best) {
			best = m
		}
	}
	return best
}

// Snapshot writes the member's database as it is now, and etcd's hash of it at the end. It needs neither a
// leader nor the other members.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) error {
	answer, err := c.etcd.SnapshotWithVersion(ctx)
	if err != nil {
		return err
	}
	defer answer.Snapshot.Close()
	_, err = io.Copy(w, answer.Snapshot)
	return err
}

// page is how many keys are read at once.
const page = 5000

// CountKeys counts the keys at a revision, or the newest with 0, by prefix: /registry/pods/ and the like.
func (c *Client) CountKeys(ctx context.Context, revision int64) (map[string]int64, error) {
	counts := map[string]int64{}
	err := c.eachKey(ctx, "", revision, func(kv *mvccpb.KeyValue) { counts[prefixOf(string(kv.Key))]++ })
	return counts, err
}

// Keys are those that begin with a prefix.
func (c *Client) Keys(ctx context.Context, prefix string) (keys []string, err error) {
	err = c.eachKey(ctx, prefix, 0, func(kv *mvccpb.KeyValue) { keys = append(keys, string(kv.Key)) })
	return keys, err
}

func (c *Client) eachKey(ctx context.Context, prefix string, revision int64, do func(*mvccpb.KeyValue)) error {
	from, end := prefix, clientv3.GetPrefixRangeEnd(prefix)
	if prefix == "" {
		from, end = "\x00", "\x00" // all there are
	}
	for {
		soon, cancel := context.WithTimeout(ctx, 6*callTimeout)
		answer, err := c.etcd.Get(soon, from, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(page), clientv3.WithKeysOnly())
		cancel()
		if err != nil {
			return err
		}
		for _, kv := range answer.Kvs {
			do(kv)
		}
		if !answer.More {
			return nil
		}
		from = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
		revision = cmp.Or(revision, answer.Header.Revision) // all pages are of one moment
	}
}

// prefixOf is the first two names of a key. Of kinds in groups, Kubernetes has the group there.
func prefixOf(key string) string {
	names := strings.SplitAfterN(key, "/", 4)
	if len(names) < 4 {
		return key
	}
	return strings.Join(names[:3], "")
}

// Delete deletes keys; those that are gone are fine.
func (c *Client) Delete(ctx context.Context, keys []string) error {
	for _, key := range keys {
		soon, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := c.etcd.Delete(soon, key)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// Stale are the keys in a restored database that say who was there when it was saved: addresses of API servers,
// which no lease of etcd's ends any more, and holders of what only one may do.
func Stale(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !strings.HasPrefix(key, "/registry/masterleases/") && !strings.HasPrefix(key, "/registry/peerserverleases/") &&
			!strings.HasPrefix(key, "/registry/leases/kube-system/")
	})
}

// Unlike says how two counts of keys differ, one line for each prefix, in the order of their names.
func Unlike(was, is map[string]int64) []string {
	var lines []string
	for _, counts := range []map[string]int64{was, is} {
		for prefix := range counts {
			if line := fmt.Sprintf("%s: %d, not %d", prefix, is[prefix], was[prefix]); is[prefix] != was[prefix] && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// ErrNoSource is of a cluster in which no voter has started.
var ErrNoSource = errors.New("etcd has no member with a vote that a snapshot could be taken from")
