// Command observe runs a command on a node and tells what users wait for: when the
// command returned, the API server was ready, and which pods and the Node were. It
// sees only what any client of the API sees, whatever tool makes the cluster.
//
//	observe -until api|cluster [-then SCRIPT] [-timeout D] COMMAND [ARG...]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Seen is what is printed, as JSON. Times are seconds since the command was started.
type Seen struct {
	Exit     int                `json:"exit"`
	Start    time.Time          `json:"start"`
	Seconds  map[string]float64 `json:"seconds"`  // event -> when it was first seen
	CPU      float64            `json:"cpu"`      // seconds of the command and what it ran
	PeakRSS  int64              `json:"peakRSS"`  // bytes of the largest of its processes
	TimedOut bool               `json:"timedOut"` // something was never seen
}

func main() {
	until := flag.String("until", "exit", "exit, api (it is ready) or cluster (the Node and its pods are)")
	then := flag.String("then", "", "shell script that runs once the command has succeeded")
	timeout := flag.Duration("timeout", 3*time.Minute, "for everything")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	seen, err := observe(ctx, *until, *then, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "observe:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen)
}

func observe(ctx context.Context, until, then string, command []string) (*Seen, error) {
	c := newClock()
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Stdout, run.Stderr = os.Stderr, os.Stderr
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := run.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- end(ctx, c, run, then) }()
	err := await(ctx, c, until)
	if until == "api" { // bare processes, which do not end by themselves
		err = errors.Join(err, syscall.Kill(-run.Process.Pid, syscall.SIGTERM))
	}
	if failed := <-ended; until != "api" {
		err = errors.Join(err, failed)
	}
	seen := c.result(ctx.Err() != nil)
	seen.account(run.ProcessState)
	return seen, err
}

// end waits for the command, then runs what comes after it.
func end(ctx context.Context, c *clock, run *exec.Cmd, then string) error {
	if err := run.Wait(); err != nil {
		return fmt.Errorf("%s: %w", run.Path, err)
	}
	c.saw("returned")
	if then == "" {
		return nil
	}
	script := exec.CommandContext(ctx, "sh", "-ec", then)
	script.Stdout, script.Stderr = os.Stderr, os.Stderr
	return script.Run()
}

func await(ctx context.Context, c *clock, until string) error {
	if until == "exit" {
		return nil
	}
	api, err := connect(ctx)
	if err != nil {
		return err
	}
	api.awaitReady(ctx, c)
	if until == "cluster" {
		api.awaitCluster(ctx, c)
	}
	return nil
}

func (s *Seen) account(p *os.ProcessState) {
	if p == nil {
		return
	}
	s.Exit = p.ExitCode()
	s.CPU = (p.UserTime() + p.SystemTime()).Seconds()
	s.PeakRSS = p.SysUsage().(*syscall.Rusage).Maxrss * 1024
}
