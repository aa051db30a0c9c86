package etcd

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// DialSocket asks a member that listens at a socket of this machine, without TLS: a trial.
func DialSocket(path string) (*Client, error) {
	return open("", clientv3.Config{Endpoints: []string{"unix://" + path}})
}

// At asks another member, as whom the first was asked.
func (c *Client) At(m *Member) (*Client, error) {
	config := c.config
	config.Endpoints = m.ClientURLs
	return open(m.Name, config)
}

// Source picks the member that a snapshot is taken from: a voter that does not lead, this node's own before others; the
// leader where there is no other voter. It is nil without one. A learner may lag behind without an end.
func Source(members []*Member, leader, own uint64) *Member {
	rank := func(m *Member) int {
		switch m.ID {
		case leader:
			return 1
		case own:
			return 3
		}
		return 2
	}
	var best *Member
	for _, m := range members {
		if votes := !m.IsLearner && m.Name != "" && len(m.ClientURLs) > 0; votes && (best == nil || rank(m) > rank(best)) {
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

// CountKeys counts the keys at a revision by prefix: /registry/pods/ and the like.
func (c *Client) CountKeys(ctx context.Context, revision int64) (map[string]int64, error) {
	counts := map[string]int64{}
	for from, more := "\x00", true; more; {
		soon, cancel := context.WithTimeout(ctx, 6*callTimeout)
		answer, err := c.etcd.Get(soon, from, clientv3.WithFromKey(), clientv3.WithRev(revision), clientv3.WithLimit(page), clientv3.WithKeysOnly())
		cancel()
		if err != nil {
			return nil, err
		}
		for _, kv := range answer.Kvs {
			counts[prefixOf(string(kv.Key))]++
			from = string(kv.Key) + "\x00"
		}
		more = answer.More
	}
	return counts, nil
}

// prefixOf is the first two names of a key. Of kinds in groups, Kubernetes has the group there.
func prefixOf(key string) string {
	names := strings.SplitAfterN(key, "/", 4)
	return strings.Join(names[:min(3, len(names))], "")
}

// DeleteStale deletes the keys in a restored database that say who was there when it was saved: addresses of API
// servers, which no lease of etcd's may end any more, and holders of what only one may do.
func (c *Client) DeleteStale(ctx context.Context) error {
	for _, prefix := range []string{"/registry/masterleases/", "/registry/peerserverleases/", "/registry/leases/kube-system/"} {
		soon, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := c.etcd.Delete(soon, prefix, clientv3.WithPrefix())
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// Unlike says how two counts of keys differ, one line for each prefix, in the order of their names.
func Unlike(was, is map[string]int64) []string {
	var lines []string
	all := map[string]int64{}
	maps.Copy(all, was)
	maps.Copy(all, is)
	for prefix := range all {
		if is[prefix] != was[prefix] {
			lines = append(lines, fmt.Sprintf("%s: %d, not %d", prefix, is[prefix], was[prefix]))
		}
	}
	slices.Sort(lines)
	return lines
}
