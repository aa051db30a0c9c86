package observe

import (
	"testing"

	"bootstrap/phases/host"
)

func TestMountOfRecord(t *testing.T) {
	for _, c := range []struct {
		r    host.Record
		want string
	}{
		{host.Record{Target: "/srv/etcd"}, ""},
		{host.Record{Target: "/srv/etcd", On: "/srv"}, "/srv"},
		{host.Record{Target: "/srv/etcd", On: "/srv", Before: host.State{Mount: true}}, "/srv/etcd"},
	} {
		if got := mountOfRecord(c.r); got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}
