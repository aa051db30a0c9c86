// Command bench measures bootstrap against kubeadm and against the floor, which is etcd
// and kube-apiserver as bare processes: on throw-away nodes, with the same programs and
// images, in turn. It must be run from the checkout, as root, on a quiet machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

const (
	work       = ".cache/bench"
	observer   = work + "/observe"
	components = ".cache/components/"
	box        = "bin/bootstrap-box"
)

func main() {
	rounds := flag.Int("rounds", 7, "how often each is measured")
	only := flag.String("only", "", "regular expression for the names of those to measure")
	before := flag.String("before", "", "box of another build, to be compared with this one round by round")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *only, *before); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, only, before string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	build := command("go", "build", "-trimpath", "-o", observer, "./scripts/bench/observe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return err
	}
	if err := makeKit(ctx); err != nil {
		return err
	}
	r := results{}
	for round := range rounds {
		for _, c := range contestants(before) {
			if !chosen.MatchString(c.name) {
				continue
			}
			f, trace, err := c.measure(ctx, fmt.Sprintf("bench-%d", round))
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, c.name, err)
			}
			r[c.name] = append(r[c.name], f)
			if trace != nil {
				r[traceOf+c.name] = append(r[traceOf+c.name], trace)
			}
			fmt.Printf("round %d of %d: %-15s %s\n", round+1, rounds, c.name, f)
		}
	}
	fmt.Print("\n", r.table(), "\n", r.builds(), "\n", sizes(), "\n", r.traces())
	return r.write()
}

func (c contestant) measure(ctx context.Context, name string) (f, trace figures, err error) {
	n, err := up(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, n.down()) }()
	if err := c.prepare(ctx, n); err != nil {
		return nil, nil, err
	}
	syscall.Sync() // what was copied is written before the clock runs
	s, err := c.run(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	f = s.figures()
	if c.after != nil {
		err = c.after(ctx, n, f)
	}
	return f, s.trace, err
}
