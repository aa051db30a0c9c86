package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/plan"
	"bootstrap/phases/ready"
	"bootstrap/phases/status"
)

type statusOptions struct {
	wait    bool
	timeout time.Duration
	json    bool
	root    string
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what is installed, whether it is healthy, and if not, why",
		RunE:  func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	cmd.Flags().BoolVar(&o.wait, "wait", false, "look again until all is ready")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 4*time.Minute, "how long --wait may take")
	addOutputFlag(cmd, &o.json, "text, or json: one object")
	addRootFlag(cmd.Flags(), &o.root)
	return cmd
}

func runStatus(ctx context.Context, w io.Writer, o statusOptions) error {
	s, err := o.status(ctx)
	if err != nil {
		return plan.Refused(err)
	}
	hideSecrets(&s)
	if o.json {
		err = printJSON(w, statusObject{Schema: outputVersion, Status: s})
	} else if s.Installed {
		err = printStatus(w, s, time.Now())
	}
	if err != nil {
		return err
	}
	return o.verdict(s)
}

func (o statusOptions) status(ctx context.Context) (status.Status, error) {
	if !o.wait {
		return o.look(ctx, time.Time{})
	}
	began := time.Now()
	return status.Wait(ctx, o.timeout, func(ctx context.Context) (status.Status, error) { return o.look(ctx, began) })
}

// look opens the machine each time anew: init may be at work on it. waits is when --wait began.
func (o statusOptions) look(ctx context.Context, waits time.Time) (status.Status, error) {
	env, err := phases.OpenMachine(o.root, true, nil)
	if err != nil {
		return status.Status{}, err
	}
	defer env.Close()
	if !env.Host.Real() && len(env.Host.Entries()) > 0 {
		return status.Status{}, fmt.Errorf("--root %s only stands for a machine: nothing runs there; bootstrap ledger shows what was made", o.root)
	}
	return status.Current(ctx, &env.Observer, waits)
}

// hideSecrets takes out secrets that can come from logs and servers.
func hideSecrets(s *status.Status) {
	for i, c := range s.Components {
		s.Components[i].Reason = shown(c.Reason)
	}
	if s.Cause != nil {
		*s.Cause = shownFinding(*s.Cause)
	}
	if s.Etcd != nil {
		s.Etcd.Error = shown(s.Etcd.Error)
	}
	if s.PodURL != nil {
		s.PodURL.Error = shown(s.PodURL.Error)
	}
	s.Notes = shownLines(s.Notes)
}

// verdict is what the exit code comes from.
func (o statusOptions) verdict(s status.Status) error {
	switch {
	case !s.Installed:
		return plan.Refused(errors.New("nothing is installed here: bootstrap has made nothing on this machine"))
	case s.Ready:
		return nil
	case len(s.Components) == 0:
		return errors.New("not ready: " + strings.Join(s.Notes, "; "))
	}
	err := errors.New("not ready: " + strings.Join(s.NotReady(), ", "))
	if s.Cause == nil {
		return plan.Hint(err, "see: bootstrap pods; journalctl -u containerd -u kubelet -n 50")
	}
	return err
}

// statusObject is all of status -o json.
type statusObject struct {
	Schema string `json:"schema"`
	status.Status
}

// printStatus is one screen: the components, the cause, and what runs full or out.
func printStatus(w io.Writer, s status.Status, now time.Time) error {
	fmt.Fprintln(w, statusTitle(s, now))
	if len(s.Components) > 0 {
		fmt.Fprintln(w)
	}
	var rows []string
	for _, c := range s.Components {
		rows = append(rows, strings.TrimRight(fmt.Sprintf("  %s\t%s\t%s", c.Name, c.State, shortened(c.Reason)), "\t"))
	}
	err := newTable(w, rows...).Flush()
	if s.Cause != nil {
		printCause(w, *s.Cause, s.Ready)
	}
	fmt.Fprintln(w)
	return errors.Join(err, newTable(w, statusRows(s, now)...).Flush())
}

func statusTitle(s status.Status, now time.Time) string {
	state := "not ready"
	if s.Ready {
		state = "ready"
	}
	title := "Installed"
	if s.Kubernetes != "" {
		what := "Kubernetes"
		if s.Standalone {
			what = "Standalone kubelet"
		}
		title = fmt.Sprintf("%s %s on %s (%s): %s, installed", what, s.Kubernetes, s.Node, s.Address, state)
	}
	if since, err := time.Parse(time.RFC3339, s.Since); err == nil {
		title += fmt.Sprintf(" %s ago", age(now.Sub(since)))
	}
	return title
}

// shortened keeps a row on a line that can be read; JSON has all of it.
func shortened(text string) string {
	const most = 160
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

// printCause names a cause only where there is something that it could be the cause of.
func printCause(w io.Writer, f diagnose.Finding, ready bool) {
	label := "Cause"
	switch {
	case ready:
		label = "Beware"
	case f.Level == diagnose.Warning:
		label = "Perhaps"
	}
	fmt.Fprintf(w, "\n%s: %s\n", label, f.What)
	for _, line := range f.Excerpt {
		fmt.Fprintf(w, "  | %s\n", line)
	}
	fmt.Fprintf(w, "  remedy: %s\n", f.Remedy)
	if f.See != "" {
		fmt.Fprintf(w, "  see: %s\n", f.See)
	}
	fmt.Fprintf(w, "  more: bootstrap explain %s\n", f.ID)
}

// statusRows are the rows below the components, each a name and a value.
func statusRows(s status.Status, now time.Time) []string {
	var rows []string
	add := func(name, value string) { rows = append(rows, name+"\t"+value) }
	for _, line := range certificateLines(s.Certificates, now) {
		add("certificates", line)
	}
	if s.Etcd != nil {
		add("etcd", etcdLine(*s.Etcd))
	}
	if s.Snapshots != nil && !s.Snapshots.Good.IsZero() {
		add("snapshots", fmt.Sprintf("the last that is proven is %s old, in %s", age(now.Sub(s.Snapshots.Good)), printable(s.Snapshots.At)))
	}
	if s.PodURL != nil {
		add("static pods", podURLLine(*s.PodURL))
	}
	for _, d := range s.Disks {
		add("disk", fmt.Sprintf("%s: %s of %s free", d.Path, humanize.IBytes(d.FreeBytes), humanize.IBytes(d.SizeBytes)))
	}
	for _, d := range s.Drift {
		add("drift", fmt.Sprintf("%s: %s", printable(d.Path), d.What))
	}
	if len(s.Components) > 0 && len(s.Drift) == 0 {
		add("drift", "none: files are as bootstrap wrote them")
	}
	for _, note := range s.Notes {
		add("note", note)
	}
	return rows
}

const expiresSoon = 30 * 24 * time.Hour

// certificateLines are those with a problem or that expire soon, else the first to expire.
func certificateLines(all []diagnose.Certificate, now time.Time) []string {
	var lines []string
	var first diagnose.Certificate
	for _, c := range all {
		known := !c.NotAfter.IsZero()
		if known && (first.NotAfter.IsZero() || c.NotAfter.Before(first.NotAfter)) {
			first = c
		}
		switch {
		case c.Problem != "":
			lines = append(lines, fmt.Sprintf("%s, for %s: %s", c.Path, c.Use, c.Detail))
		case known && c.NotAfter.Sub(now) < expiresSoon:
			lines = append(lines, fmt.Sprintf("%s, for %s, expires in %s", c.Path, c.Use, age(c.NotAfter.Sub(now))))
		}
	}
	if len(lines) == 0 && first.Path != "" {
		lines = append(lines, fmt.Sprintf("all %d good; the first to expire is %s in %s", len(all), first.Path, age(first.NotAfter.Sub(now))))
	}
	return lines
}

func etcdLine(e status.Etcd) string {
	if e.Error != "" {
		return "says nothing: " + shortened(e.Error)
	}
	line := fmt.Sprintf("%s, members: %d, leader: %s, %s (%s in use), revision %d", e.Version, e.Members, e.Leader,
		humanize.IBytes(uint64(e.SizeBytes)), humanize.IBytes(uint64(e.InUseBytes)), e.Revision)
	if e.FsyncP99Millis > 0 {
		line += fmt.Sprintf(", fsync p99 under %g ms", e.FsyncP99Millis)
	}
	if len(e.Alarms) == 0 {
		return line + ", no alarm"
	}
	return line + ", ALARM: " + strings.Join(e.Alarms, " ")
}

// podURLLine tells what the URL gives now, and what runs of what it gave last.
func podURLLine(p ready.PodURLStatus) string {
	gives := "serves " + orNone(p.Serves)
	if p.Error != "" {
		gives = "gives nothing: " + shortened(p.Error)
	}
	return fmt.Sprintf("%s %s; of what it served last runs: %s", p.URL, gives, orNone(p.Runs))
}

func orNone(names []string) string { return cmp.Or(strings.Join(names, ", "), "none") }
