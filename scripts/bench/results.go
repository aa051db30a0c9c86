package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// results are the figures of all rounds, by contestant.
type results map[string][]figures

// rows are the figures of the table, in its order: seconds unless the name has a unit.
var rows = []struct{ key, title string }{
	{"livez", "API server live"},
	{"readyz", "API server ready"},
	{"pod", "first mirror pod ready"},
	{"pods", "all four mirror pods ready"},
	{"node", "Node ready"},
	{"dns", "CoreDNS ready"},
	{"returned", "command returns"},
	{"init again", "init again, nothing to do"},
	{"reset", "reset"},
	{"version", "version"},
	{"CPU", "CPU time of the tool"},
	{"peak MiB", "peak memory of the tool, MiB"},
	{"cluster MiB", "memory of the cluster, MiB"},
	{"installed MiB", "installed, with data and images, MiB"},
}

func (s seen) figures() figures {
	f := maps.Clone(figures(s.Seconds))
	f["CPU"], f["peak MiB"] = s.CPU, s.PeakRSS/(1<<20)
	return f
}

func (f figures) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", key, f[key]))
	}
	return strings.Join(parts, ", ")
}

// of gives the values of a figure in all rounds, sorted.
func (r results) of(contestant, key string) []float64 {
	var values []float64
	for _, f := range r[contestant] {
		if v, ok := f[key]; ok {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// table has, for each start, one line per figure: median and worst of both tools, and
// how bootstrap's median stands to kubeadm's and to the floor's time to readiness.
func (r results) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	floor := r.of("floor", "readyz")
	for _, start := range []string{"warm", "bare"} {
		fmt.Fprintf(w, "%s\tbootstrap\tworst\tkubeadm\tworst\tof kubeadm\tof floor\n", start)
		for _, row := range rows {
			own, peer := r.of("bootstrap "+start, row.key), r.of("kubeadm "+start, row.key)
			if len(own)+len(peer) > 0 {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.title, both(own), both(peer), ratio(own, peer), ratio(own, floor))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "floor: API server ready\t%s\n", both(floor))
	_ = w.Flush() // to memory
	return b.String()
}

func both(values []float64) string {
	if len(values) == 0 {
		return "-\t-"
	}
	return fmt.Sprintf("%.2f\t%.2f", median(values), values[len(values)-1])
}

func ratio(of, to []float64) string {
	if len(of) == 0 || len(to) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(of)/median(to))
}

// builds compares this build with the one before, round by round: the median of the ratios, and
// the interval that holds the true median with at least 95 %.
func (r results) builds() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, start := range []string{"warm", "bare"} {
		for _, row := range rows {
			ratios := r.ratios("bootstrap "+start, "before "+start, row.key)
			if low, high, ok := interval(ratios); ok {
				fmt.Fprintf(w, "%s, %s\tof before\t%.3f\t95 %%: %.3f to %.3f\n", start, row.title, median(ratios), low, high)
			}
		}
	}
	_ = w.Flush() // to memory
	return b.String()
}

// ratios are those of each round in which both were measured, sorted.
func (r results) ratios(of, to, key string) []float64 {
	var ratios []float64
	for round, f := range r[to] {
		if round < len(r[of]) && f[key] > 0 {
			ratios = append(ratios, r[of][round][key]/f[key])
		}
	}
	slices.Sort(ratios)
	return ratios
}

// interval is that of order statistics, which supposes nothing of the distribution: the k-th
// smallest and the k-th largest, with the largest k for which at most 2.5 % of tosses of as many
// coins show fewer than k heads. With under six values there is none.
func interval(sorted []float64) (low, high float64, ok bool) {
	n := len(sorted)
	below, one := 0.0, math.Pow(0.5, float64(n))
	for k := 0; k < n/2; k++ {
		if below += one; below > 0.025 {
			return low, high, k > 0
		}
		low, high = sorted[k], sorted[n-1-k]
		one = one * float64(n-k) / float64(k+1)
	}
	return low, high, n > 5
}

// sizes are of what people download and of what it becomes, in MiB.
func sizes() string {
	var b strings.Builder
	for _, file := range []string{"bin/bootstrap", ".cache/bundle.tar.zst", box, components + "kubeadm/kubeadm"} {
		info, err := os.Stat(file)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "%s: %.1f MiB\n", file, float64(info.Size())/(1<<20))
	}
	return b.String()
}

func (r results) write() error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	file := ".cache/results/bench.json"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
