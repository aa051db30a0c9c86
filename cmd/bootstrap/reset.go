package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bootstrap/phases"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
)

type resetOptions struct {
	force  bool
	dryRun bool
	json   bool
	root   string
	keep   phases.Keep
	adopt  bool

	staticPods bool
}

func newResetCommand() *cobra.Command {
	var o resetOptions
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Undo init: stop the control plane and remove everything that bootstrap made",
		RunE:  func(cmd *cobra.Command, _ []string) error { return runReset(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.force, "force", "f", false, "do not ask")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be removed")
	f.BoolVar(&o.keep.Images, "keep-images", false, "leave the images in the container runtime")
	f.BoolVar(&o.keep.Runtime, "keep-runtime", false, "leave the container runtime, with its images and all that phase runtime made")
	f.BoolVar(&o.keep.Etcd, "keep-etcd", false, "leave etcd's data, and the certificates and keys that belong to it")
	f.BoolVar(&o.staticPods, "static-pods", false, "remove all that lies in /etc/kubernetes/manifests, also what init did not make")
	f.BoolVar(&o.adopt, "adopt", false, "on a machine without a ledger: remove the cluster that kubeadm made")
	addRootFlag(f, &o.root)
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	return cmd
}

func runReset(ctx context.Context, o resetOptions) error {
	out := newOutput(o.json, o.dryRun)
	return out.end(o.run(ctx, out))
}

func (o resetOptions) run(ctx context.Context, out *output) error {
	env, err := o.env(o.dryRun, out.report)
	if err != nil {
		return plan.Refused(err)
	}
	defer env.Close()
	// A ledger in which all is undone is left by a reset that was killed: it still has to go.
	foreign := phases.Adoptable(env)
	if !env.Host.HasLedger() && foreign == "" {
		out.say("Nothing to undo: bootstrap has made nothing on this machine.\n")
		out.Clean = new(true)
		return nil
	}
	if !env.Host.HasLedger() && !o.adopt {
		err := fmt.Errorf("there is no ledger: bootstrap has not made the cluster on this machine, or its ledger was removed (%s)", foreign)
		return plan.Refused(plan.Hint(err, "see what of it would be removed: bootstrap reset --adopt --dry-run"))
	}
	if !o.dryRun && !o.force {
		if err := o.confirm(ctx, env); err != nil {
			return plan.Refused(err)
		}
	}
	if err := o.adoptInto(ctx, env); err != nil {
		return err
	}
	if o.dryRun {
		return phases.Reset().RunAll(ctx, env)
	}
	return o.reset(ctx, env, out)
}

// adoptInto takes what kubeadm made into the ledger, if that was asked for and
// bootstrap itself has made nothing. What a run before took is taken again: it may have
// been killed in between.
func (o resetOptions) adoptInto(ctx context.Context, env *phases.Env) error {
	isOurs := func(r host.Record) bool { return !r.Undone && r.Purpose != host.Adopted }
	if !o.adopt || slices.ContainsFunc(env.Host.Entries(), isOurs) {
		return nil
	}
	return phases.Adopt(ctx, env)
}

func (o resetOptions) env(dryRun bool, to func(plan.Event)) (*phases.Env, error) {
	env, err := phases.OpenMachine(o.root, dryRun, to)
	if err != nil {
		return nil, err
	}
	env.Config, env.Keep, env.AllPods = &config.Config{}, o.keep, o.staticPods
	return phases.Open(env), nil
}

// reset undoes all, and then looks whether anything is left.
func (o resetOptions) reset(ctx context.Context, env *phases.Env, out *output) error {
	// Opened before anything is removed, so that it knows what there was.
	var scan phases.Scan
	looking, err := o.env(true, scan.Take)
	if err != nil {
		return err
	}
	defer looking.Close()
	failed := phases.Reset().RunAll(ctx, env)
	if ctx.Err() != nil {
		return failed
	}
	left := scan.Verdict(ctx, env, looking, failed)
	out.say(verdictText(left, failed))
	if len(left) == 0 {
		out.Clean = new(true)
		return nil
	}
	err = fmt.Errorf("%s left", count(len(left), "thing"))
	out.Clean, out.Left = new(false), left
	return plan.Hint(err, "see to what is listed above, then: bootstrap reset")
}

// verdictText is what reset ends with. A failure is named only where nothing is left: else
// what is left shows it.
func verdictText(left []phases.Left, failed error) string {
	var b strings.Builder
	if len(left) == 0 {
		for _, failure := range plan.Failures(failed) {
			fmt.Fprintf(&b, "warning: %v\n", failure)
		}
		return b.String() + "clean: nothing that bootstrap made is left on this machine\n"
	}
	b.WriteString("left:\n")
	for _, l := range left {
		if l.What == "" || strings.Contains(l.Why, l.What) {
			fmt.Fprintf(&b, "  %s\n", l.Why)
		} else {
			fmt.Fprintf(&b, "  %s: %s\n", printable(l.What), l.Why)
		}
		if l.Hint != "" {
			fmt.Fprintf(&b, "      %s\n", l.Hint)
		}
	}
	return b.String()
}

// confirm shows what would be removed and asks.
func (o resetOptions) confirm(ctx context.Context, env *phases.Env) error {
	return confirm(ctx, func() string {
		shows := o
		shows.dryRun, shows.json = true, false
		if err := runReset(ctx, shows); err != nil {
			fmt.Printf("What can't be removed: %v\n", err)
		}
		data := ", the cluster's data in etcd among it, if there is any"
		if o.keep.Etcd {
			data = ""
		}
		if env.State().WasStandalone() {
			data += "; the kubelet that ran standalone before goes too, and its static pods end"
		}
		return "All this goes" + data
	})
}

// confirm asks whether to go on with what is shown.
func confirm(ctx context.Context, show func() string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("not confirmed, nothing was changed: no terminal to ask at; use --force")
	}
	fmt.Printf("%s. Go on? [y/N] ", show())
	answer, err := readLine(ctx)
	if err == nil && !strings.EqualFold(answer, "y") {
		return errors.New("not confirmed, nothing was changed")
	}
	return err
}

// readLine reads a line of standard input; one that is cut short is empty. A signal ends it.
func readLine(ctx context.Context) (string, error) {
	lines := make(chan string, 1)
	go func() { // ends with the program, if nobody writes
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil {
			line = ""
		}
		lines <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line := <-lines:
		return line, nil
	}
}
