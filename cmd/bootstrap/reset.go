package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bootstrap/phases"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

type resetOptions struct {
	force bool
}

func newResetCommand() *cobra.Command {
	var o resetOptions
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Undo init: stop the control plane and remove everything that bootstrap made",
		Long: "Undo init. What was made stands in the ledger, /var/lib/bootstrap/ledger; exactly that\n" +
			"is undone, newest first. All phases run, whatever fails:\n" + phaseList(phases.Reset()) + "\n" + exitCodes,
		Example: `  sudo bootstrap reset
  sudo bootstrap reset --force     # without asking`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReset(cmd.Context(), o) },
	}
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "do not ask")
	return cmd
}

func runReset(ctx context.Context, o resetOptions) error {
	env, err := resetEnv()
	if err != nil {
		return usage(err)
	}
	defer env.Host.Close()
	if len(env.Host.Entries()) == 0 {
		fmt.Println("Nothing to undo: bootstrap has made nothing on this machine.")
		return nil
	}
	if err := o.confirm(len(env.Host.Entries())); err != nil {
		return usage(err)
	}
	progress := newProgress(os.Stdout)
	env.Report = progress.report
	err = phases.Reset().RunAll(ctx, env)
	progress.end()
	return err
}

func resetEnv() (*phases.Env, error) {
	facts, err := host.ReadFacts("/")
	if err != nil {
		return nil, err
	}
	h, err := openHost("/", host.Systemd{})
	if err != nil {
		return nil, err
	}
	return &phases.Env{Config: &config.Config{}, Host: h, Facts: facts}, nil
}

var errNotConfirmed = errors.New("not confirmed, nothing was changed")

func (o resetOptions) confirm(effects int) error {
	if o.force {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("%w: no terminal to ask at; use --force", errNotConfirmed)
	}
	fmt.Printf("This undoes %d effects, the cluster's data in etcd among them. Go on? [y/N] ", effects)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errNotConfirmed
	}
	return nil
}
