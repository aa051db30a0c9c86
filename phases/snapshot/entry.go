package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	suffix       = ".tar.zst"
	sealedSuffix = suffix + ".age"
	timeInName   = "20060102T150405Z"
)

// Entry is an archive in a list. A note beside it, which is written last, holds all but what is seen of the file.
type Entry struct {
	Name     string    `json:"name"`
	Meta     Meta      `json:"meta"`
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`
	Verified *Verified `json:"verified,omitempty"` // nil: nobody has tried it
	Problem  string    `json:"problem,omitempty"`  // why it does not count
}

// Verified is how a trial of an archive ended.
type Verified struct {
	Time      time.Time `json:"time"`
	Deep      bool      `json:"deep"` // an etcd was started on it, and had all keys
	APIServer bool      `json:"apiServer,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// Proven tells whether it was tried, and is good.
func (e Entry) Proven() bool {
	return e.Problem == "" && e.Verified != nil && e.Verified.Deep && e.Verified.Error == ""
}

// Result is how its trial ended, for people.
func (e Entry) Result() string {
	switch v := e.Verified; {
	case e.Problem != "":
		return "does not count: " + e.Problem
	case v == nil:
		return "not tried"
	case v.Error != "":
		return "BAD: " + v.Error
	case v.APIServer:
		return "proven by etcd and an API server"
	case v.Deep:
		return "proven by etcd"
	}
	return "whole"
}

// NameOf is an archive's file.
func NameOf(m Meta, sealed bool) string {
	end := suffix
	if sealed {
		end = sealedSuffix
	}
	return fmt.Sprintf("snapshot-%s-%s-%d%s", m.Time.UTC().Format(timeInName), m.Node, m.Revision, end)
}

// NoteOf is the file of the note beside an archive.
func NoteOf(name string) string { return name + ".json" }

// IsName tells an archive's file from others in its folder.
func IsName(name string) bool {
	return !TimeOf(name).IsZero() && (strings.HasSuffix(name, suffix) || strings.HasSuffix(name, sealedSuffix)) && !strings.Contains(name, "/")
}

// TimeOf is when an archive was made, by its name.
func TimeOf(name string) time.Time {
	rest, _ := strings.CutPrefix(name, "snapshot-")
	at, _, _ := strings.Cut(rest, "-")
	t, _ := time.Parse(timeInName, at) // the zero time of other names
	return t
}

// Newest sorts entries, the newest first.
func Newest(all []Entry) {
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(TimeOf(b.Name).Compare(TimeOf(a.Name)), strings.Compare(b.Name, a.Name))
	})
}

// Surplus are the archives of a cluster that may go: all but the newest ones, the newest of each of the last
// days that have one, and the last one that is proven. Nothing goes before one is proven. What does not count is
// not among those that are kept; it stays where another cluster's may be.
func Surplus(all []Entry, cluster string, keep, days int) []Entry {
	own := slices.DeleteFunc(slices.Clone(all), func(e Entry) bool { return e.Problem != "" || e.Meta.Cluster != cluster })
	Newest(own)
	proven := slices.IndexFunc(own, Entry.Proven)
	if proven < 0 {
		return nil
	}
	daily := map[string]bool{}
	var gone []Entry
	for i, e := range own {
		day := TimeOf(e.Name).Format(time.DateOnly)
		ofDay := !daily[day] && len(daily) < days
		daily[day] = daily[day] || ofDay
		if i >= keep && !ofDay && i != proven {
			gone = append(gone, e)
		}
	}
	return gone
}

// Last is how the last run of a schedule ended.
type Last struct {
	Time  time.Time `json:"time"`
	Good  time.Time `json:"good"` // when one ended well
	Every string    `json:"every"`
	At    string    `json:"at"`
	Name  string    `json:"name,omitempty"`
	Error string    `json:"error,omitempty"`
}

// Metrics is the same in Prometheus' format.
func (l Last) Metrics() string {
	failed := 0
	if l.Error != "" {
		failed = 1
	}
	const gauge = "# TYPE bootstrap_etcd_snapshot_%[1]s gauge\nbootstrap_etcd_snapshot_%[1]s %[2]d\n"
	return fmt.Sprintf(gauge, "last_run_timestamp_seconds", l.Time.Unix()) + fmt.Sprintf(gauge, "last_proven_timestamp_seconds", max(0, l.Good.Unix())) +
		fmt.Sprintf(gauge, "last_run_failed", failed)
}

// Finding says what is wrong with a schedule, if anything is: a run that failed, or one that is missing. since is
// when it was made.
func (l Last) Finding(since, now time.Time, every time.Duration) string {
	good := l.Good
	if good.IsZero() {
		good = since
	}
	switch late := now.Sub(good).Round(time.Minute); {
	case l.Error != "":
		return "the last snapshot of the schedule failed: " + l.Error
	case late > every+every/4+10*time.Minute:
		return fmt.Sprintf("the schedule wants a snapshot every %s, and the last one is %s old", every, late)
	}
	return ""
}
