// Command bootstrap turns a fresh systemd Linux machine into a Kubernetes
// control plane, and takes every trace away again. Package main is cobra and
// nothing else: one file per command; only main prints errors and exits.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	"bootstrap/phases/health"
	"bootstrap/phases/plan"
	"bootstrap/phases/staticpods"
)

// Exit codes, as documented in bootstrap --help.
const (
	exitFailed = 1   // a phase failed, the machine may be changed
	exitUsage  = 2   // usage, config or preflight, nothing was changed
	exitSignal = 128 // and the number of the signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP
)

func main() {
	syscall.Umask(0o077)
	silenceClientGo()
	// Where nobody reads standard output any more, init and reset go on: a write is an error
	// then, and no signal that kills.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx := interruptible()
	root, err := newRootCommand()
	if err == nil {
		root.SetArgs(os.Args[1:])
		err = root.ExecuteContext(ctx)
	}
	if notRead(err) {
		os.Exit(exitSignal + int(syscall.SIGPIPE))
	}
	printError(os.Stderr, err)
	os.Exit(exitCode(ctx, err))
}

// silenceClientGo keeps client-go from logging what it also returns as an error. Nothing less
// than another logger does: with any output of its own, klog prints errors on standard error too.
func silenceClientGo() { klog.SetLogger(klog.Logger{}) }

// notRead tells whether a write failed as the reader has closed standard output.
func notRead(err error) bool {
	var at *fs.PathError
	return errors.As(err, &at) && at.Path == os.Stdout.Name() && errors.Is(at.Err, syscall.EPIPE)
}

// signalError is why a context was cancelled.
type signalError struct{ syscall.Signal }

func (e signalError) Error() string { return e.String() }

// interruptible gives a context that the first SIGINT, SIGTERM or SIGHUP ends; the
// second one kills as usual. What nohup has ignored stays so.
func interruptible() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		s := <-signals
		signal.Stop(signals)
		cancel(signalError{s.(syscall.Signal)})
	}()
	return ctx
}

func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	if s := (signalError{}); errors.As(context.Cause(ctx), &s) {
		return exitSignal + int(s.Signal)
	}
	if errors.As(err, new(*plan.RefusedError)) {
		return exitUsage
	}
	return exitFailed
}

// printError prints each of several joined errors on its own, with its hint.
func printError(w io.Writer, err error) {
	if refused := (*plan.RefusedError)(nil); errors.As(err, &refused) {
		err = refused // without the name of the phase
	}
	all := plan.Failures(err)
	for i, each := range all {
		printFailure(w, each, i+1 < len(all) && plan.HintOf(all[i+1]) == plan.HintOf(each))
	}
}

// printFailure leaves out a hint that the next error has too.
func printFailure(w io.Writer, err error, repeated bool) {
	line := newErrorLine(err)
	if repeated {
		line.Hint = ""
	}
	say := func(text, about string) {
		if about != "" {
			fmt.Fprintf(w, "bootstrap: "+text+"\n", about)
		}
	}
	say("error: %s", line.Message)
	for _, excerpt := range line.Excerpt {
		say("  | %s", excerpt)
	}
	say("hint: %s", line.Hint)
	say("see: %s", line.See)
	say("more: bootstrap explain %s", line.Cause)
	if pod := (*staticpods.PodError)(nil); errors.As(err, &pod) {
		fmt.Fprintf(w, "bootstrap: hint: wait on: bootstrap static-pod wait %[1]s -n %[2]s; or take it away: bootstrap static-pod delete %[1]s -n %[2]s\n", pod.Name, pod.Namespace)
		return
	}
	if errors.As(err, new(*health.StalledError)) || errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "bootstrap: hint: run the same command again to go on, or undo it: bootstrap reset")
	}
}
