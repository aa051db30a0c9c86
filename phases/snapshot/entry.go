package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	prefix     = "snapshot-"
	suffix     = ".tar.zst"
	timeInName = "20060102T150405Z"
)

// Entry is an archive in a list. A note beside it, which is written last, holds all but what is seen of the file.
type Entry struct {
	Name    string    `json:"name"`
	Meta    Meta      `json:"meta"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	Tried   time.Time `json:"tried,omitzero"`
	Proof   Proof     `json:"proof,omitempty"`
	Problem string    `json:"problem,omitempty"` // why it does not count
}

// Proof is how far an archive is known to be good.
type Proof string

// Each of these includes the one before it.
const (
	Whole       Proof = "whole"                  // it was read to its end
	ByEtcd      Proof = "etcd"                   // an etcd was started on it, and had all keys
	ByAPIServer Proof = "etcd and an API server" // which listed its Nodes
)

// Proven tells whether it was tried, and is good.
func (e Entry) Proven() bool { return e.Problem == "" && (e.Proof == ByEtcd || e.Proof == ByAPIServer) }

// NameOf is an archive's file. In the order of names the newest is the last.
func NameOf(m Meta, sealed bool) string {
	end := map[bool]string{true: suffix + ".age", false: suffix}[sealed]
	return fmt.Sprintf("%s%s-%s-%d%s", prefix, m.Time.UTC().Format(timeInName), m.Node, m.Revision, end)
}

// NoteOf is the file of the note beside an archive.
func NoteOf(name string) string { return name + ".json" }

// IsName tells an archive's file from others in its folder.
func IsName(name string) bool {
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(strings.TrimSuffix(name, ".age"), suffix) && !strings.Contains(name, "/")
}

// Newest sorts entries, the newest first.
func Newest(all []Entry) {
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(b.Name, a.Name) })
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
		day := e.Meta.Time.Format(time.DateOnly)
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
	failed := map[bool]int{true: 1}[l.Error != ""]
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
