package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	traceOf    = "trace of " // before the name of a contestant, among the results
	initEvents = "/root/init.json"
)

// milestone is a moment of init that the first line of a log tells which matches.
type milestone struct{ title, log, line string }

// milestones say who waits for whom until the four mirror pods are ready. What the
// observer sees from outside comes beside them.
var milestones = []milestone{
	{"kubelet is started", "systemd", `^Started kubelet`},
	{"kubelet runs", "kubelet", `"Kubelet version"`},
	{"kubelet has asked containerd for its version", "kubelet", `"Container runtime initialized"`},
	{"kubelet looks at its pods, and skips the first look", "kubelet", `"Skipping pod synchronization"`},
	{"kubelet has seen the pods' volumes, and asks for the first sandbox", "containerd", `RunPodSandbox for`},
	{"etcd runs", "etcd", ``},
	{"kube-apiserver runs", "kube-apiserver", ``},
	{"etcd has elected itself", "etcd", `became leader`},
	{"kube-apiserver serves", "kube-apiserver", `Serving securely`},
	{"kube-controller-manager runs", "kube-controller-manager", ``},
	{"kube-scheduler runs", "kube-scheduler", ``},
	{"kube-controller-manager leads", "kube-controller-manager", `(?i)successfully acquired lease`},
	{"kube-scheduler leads", "kube-scheduler", `(?i)successfully acquired lease`},
}

// outside are the events of the observer that belong to the trace.
var outside = map[string]string{
	"livez": "seen: API server live", "readyz": "seen: API server ready", "etcd": "seen: mirror pod of etcd ready",
	"kube-apiserver": "seen: mirror pod of kube-apiserver ready", "kube-scheduler": "seen: mirror pod of kube-scheduler ready",
	"kube-controller-manager": "seen: mirror pod of kube-controller-manager ready",
}

// logLine is one line of a log, at seconds since the command was started.
type logLine struct {
	at   float64
	log  string
	text string
}

// trace gives the moments of an init by title, in seconds since its start.
func (n node) trace(ctx context.Context, s seen) (figures, error) {
	t := figures{}
	for event, title := range outside {
		t[title] = s.Seconds[event]
	}
	lines, err := n.logLines(ctx, s.Start)
	if err != nil {
		return nil, err
	}
	for _, m := range milestones {
		if at, ok := m.in(lines); ok { // another release may say it otherwise
			t[m.title] = at
		}
	}
	return t, n.addPhases(ctx, t)
}

func (m milestone) in(lines []logLine) (float64, bool) {
	pattern := regexp.MustCompile(m.line)
	i := slices.IndexFunc(lines, func(l logLine) bool { return l.log == m.log && pattern.MatchString(l.text) })
	if i < 0 {
		return 0, false
	}
	return lines[i].at, true
}

// addPhases adds when each phase of init ended.
func (n node) addPhases(ctx context.Context, t figures) error {
	out, err := n.sh(ctx, "tail -n 1 "+initEvents)
	if err != nil {
		return err
	}
	var result struct {
		Phases []struct {
			Phase          string
			Began, Seconds float64
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return fmt.Errorf("trace: %w: %s", err, last(out))
	}
	for _, p := range result.Phases {
		t["phase "+p.Phase+" done"] = p.Began + p.Seconds
	}
	return nil
}

// logLines are those of the journal and of the pods, in the order of their time.
func (n node) logLines(ctx context.Context, start time.Time) ([]logLine, error) {
	journal, err := n.sh(ctx, "journalctl --no-pager --output json --output-fields MESSAGE,SYSLOG_IDENTIFIER --unit kubelet --unit containerd")
	if err != nil {
		return nil, err
	}
	pods, err := n.sh(ctx, `cd /var/log/pods; for log in */*/*.log; do awk -v of="$(basename "$(dirname "$log")")" '{ print of, $0 }' "$log"; done`)
	if err != nil {
		return nil, err
	}
	lines := slices.Concat(journalLines(journal, start), podLines(pods, start))
	slices.SortStableFunc(lines, func(a, b logLine) int { return cmp.Compare(a.at, b.at) })
	return slices.DeleteFunc(lines, func(l logLine) bool { return l.at < 0 }), nil
}

// journalLines leaves out what is no text.
func journalLines(journal string, start time.Time) []logLine {
	var lines []logLine
	for line := range strings.Lines(journal) {
		var entry struct {
			Time string `json:"__REALTIME_TIMESTAMP"` // microseconds
			Log  string `json:"SYSLOG_IDENTIFIER"`
			Text string `json:"MESSAGE"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		micros, _ := strconv.ParseInt(entry.Time, 10, 64)
		lines = append(lines, logLine{at: time.UnixMicro(micros).Sub(start).Seconds(), log: entry.Log, text: entry.Text})
	}
	return lines
}

// podLines reads lines as the CRI writes them, with the container's name before.
func podLines(pods string, start time.Time) []logLine {
	var lines []logLine
	for line := range strings.Lines(pods) {
		words := strings.SplitN(line, " ", 5)
		at, err := time.Parse(time.RFC3339Nano, words[min(1, len(words)-1)])
		if err == nil && len(words) == 5 {
			lines = append(lines, logLine{at: at.Sub(start).Seconds(), log: words[0], text: words[4]})
		}
	}
	return lines
}

// traces are tables of the median moments, each with what it took since the one before.
func (r results) traces() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if strings.HasPrefix(name, traceOf) {
			b.WriteString(traceTable(name, r[name]) + "\n")
		}
	}
	return b.String()
}

func traceTable(title string, rounds []figures) string {
	type moment struct {
		title string
		at    float64
	}
	var moments []moment
	seen := figures{}
	for _, round := range rounds {
		maps.Copy(seen, round)
	}
	for name := range seen {
		moments = append(moments, moment{name, median(results{title: rounds}.of(title, name))})
	}
	slices.SortFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "ms\tsince\t %s\n", title)
	before := 0.0
	for _, m := range moments {
		fmt.Fprintf(w, "%.0f\t%.0f\t %s\n", 1000*m.at, 1000*(m.at-before), m.title)
		before = m.at
	}
	_ = w.Flush() // to memory
	return b.String()
}
