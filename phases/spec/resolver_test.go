package spec

import (
	"testing"

	"bootstrap/phases/machine"
)

func TestResolvConf(t *testing.T) {
	cases := []struct {
		facts machine.Facts
		want  string
	}{
		{machine.Facts{}, ""},
		{machine.Facts{ResolvConf: true}, "/etc/resolv.conf"},
		{machine.Facts{ResolvConf: true, ResolvedConf: true}, "/run/systemd/resolve/resolv.conf"},
		{machine.Facts{ResolvedConf: true}, "/run/systemd/resolve/resolv.conf"},
	}
	for _, c := range cases {
		if got := resolvConf(c.facts); got != c.want {
			t.Errorf("%+v: %q, want %q", c.facts, got, c.want)
		}
	}
}
