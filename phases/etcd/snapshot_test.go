package etcd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestSource: a voter that does not lead goes before the leader, this node's before others; a learner is none.
func TestSource(t *testing.T) {
	member := func(id uint64, learner bool) *pb.Member {
		return &pb.Member{ID: id, Name: "m", ClientURLs: []string{"https://m:2379"}, IsLearner: learner}
	}
	unstarted := &pb.Member{ID: 9}
	cases := map[string]struct {
		members     []*pb.Member
		leader, own uint64
		want        uint64
	}{
		"alone":                 {[]*pb.Member{member(1, false)}, 1, 1, 1},
		"this one follows":      {[]*pb.Member{member(1, false), member(2, false), member(3, false)}, 1, 3, 3},
		"this one leads":        {[]*pb.Member{member(1, false), member(2, false)}, 1, 1, 2},
		"this one is a learner": {[]*pb.Member{member(1, false), member(2, true)}, 1, 2, 1},
		"others have not begun": {[]*pb.Member{unstarted, member(1, false)}, 1, 1, 1},
		"nobody":                {[]*pb.Member{unstarted, member(2, true)}, 0, 2, 0},
	}
	for name, c := range cases {
		if got := Source(c.members, c.leader, c.own); got.GetID() != c.want {
			t.Errorf("%s: %x, want %x", name, got.GetID(), c.want)
		}
	}
}

func TestPrefixOf(t *testing.T) {
	for key, want := range map[string]string{
		"/registry/pods/default/a": "/registry/pods/", "/registry/minions/node-1": "/registry/minions/", "compact_rev_key": "compact_rev_key", "/registry/ranges": "/registry/ranges", "": "",
	} {
		if got := prefixOf(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestUnlike(t *testing.T) {
	got := Unlike(map[string]int64{"a": 1, "b": 2, "c": 3}, map[string]int64{"a": 1, "b": 3, "d": 1})
	if diff := cmp.Diff([]string{"b: 3, not 2", "c: 0, not 3", "d: 1, not 0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
