package snapshot

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(day, hour int, how string) Entry {
	m := Meta{Time: time.Date(2026, 12, day, hour, 0, 0, 0, time.UTC), Node: "node-1", Revision: int64(day*100 + hour), Cluster: "mine"}
	e := Entry{Name: NameOf(m, false), Meta: m, Proof: ByEtcd}
	switch how {
	case "untried":
		e.Proof = Whole
	case "cut":
		e.Problem = "it was cut short"
	case "other":
		e.Meta.Cluster = "other"
	}
	return e
}

func TestSurplus(t *testing.T) {
	all := []Entry{
		at(1, 0, ""), at(1, 6, ""), at(2, 0, "untried"), at(2, 6, "untried"), at(3, 0, "cut"), at(3, 6, "untried"), at(4, 0, "other"), at(4, 6, "untried"),
	}
	cases := map[string]struct {
		keep, days int
		want       []Entry
	}{
		"the last proven stays": {1, 0, []Entry{all[5], all[3], all[2], all[0]}},
		"days":                  {1, 3, []Entry{all[2], all[0]}},
		"newest":                {3, 0, []Entry{all[2], all[0]}},
		"more than there are":   {50, 9, nil},
		"nothing kept":          {0, 0, []Entry{all[7], all[5], all[3], all[2], all[0]}},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, Surplus(all, "mine", c.keep, c.days)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := Surplus(all[2:], "mine", 0, 0); got != nil {
		t.Errorf("none is proven, and %d would go", len(got))
	}
}

func TestNames(t *testing.T) {
	m := Meta{Time: time.Date(2026, 12, 1, 2, 3, 4, 0, time.UTC), Node: "node-1.example", Revision: 42}
	for _, sealed := range []bool{false, true} {
		name := NameOf(m, sealed)
		if !IsName(name) || strings.HasSuffix(name, ".age") != sealed {
			t.Errorf("%s: %t", name, IsName(name))
		}
		for _, other := range []string{NoteOf(name), "." + name + ".bootstrap", "x" + name, "", "last.json"} {
			if IsName(other) {
				t.Errorf("%q is no archive", other)
			}
		}
	}
}

func TestFinding(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cases := []struct {
		last  Last
		since time.Time
		want  string
	}{
		{Last{Good: ago(time.Hour)}, ago(100 * time.Hour), ""},
		{Last{Good: ago(7 * time.Hour)}, ago(100 * time.Hour), ""}, // a little late
		{Last{Good: ago(9 * time.Hour)}, ago(100 * time.Hour), "is 9h0m0s old"},
		{Last{Good: ago(time.Hour), Error: "full"}, ago(100 * time.Hour), "failed: full"},
		{Last{}, ago(time.Hour), ""}, // it has not run yet
		{Last{}, ago(10 * time.Hour), "is 10h0m0s old"},
	}
	for _, c := range cases {
		got := c.last.Finding(c.since, now, 6*time.Hour)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.last, got, c.want)
		}
	}
	if text := (Last{Time: now, Error: "x"}).Metrics(); !strings.Contains(text, "bootstrap_etcd_snapshot_last_run_failed 1\n") ||
		!strings.Contains(text, "bootstrap_etcd_snapshot_last_proven_timestamp_seconds 0\n") {
		t.Error(text)
	}
}
