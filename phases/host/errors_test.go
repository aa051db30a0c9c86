package host

import (
	"errors"
	"testing"
)

func TestObstacles(t *testing.T) {
	for _, c := range []struct {
		err                error
		where, words, hint string
	}{
		{unitFailed("start", "a.service", "failed"), "a.service", "start a.service: failed", "journalctl -u a.service -n 50"},
		{mountInTheWay("/a b"), "/a b", `"/a b" is a mount point, and stays with what is in it`, "umount '/a b'"},
		{changedByOther(Record{Target: "/a"}), "/a", "/a was changed since bootstrap wrote it, and stays", "keep what you need of it, then: rm /a"},
		{otherMount("/a/b", "/a", ""), "/a", `"/a/b" lies on the file system that was mounted at "/a", which is not mounted now`, "mount it again"},
		{otherMount("/a/b", "", "/a"), "/a", `"/a/b" is hidden by what was mounted since at "/a", which stays with what is in it`, "umount /a"},
	} {
		var o *ObstacleError
		if !errors.As(c.err, &o) || o.Where() != c.where || o.Error() != c.words || o.Hint() != c.hint {
			t.Errorf("%+v, want %+v", o, c)
		}
	}
}
