package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bootstrap/phases"
	"bootstrap/phases/config"
	"bootstrap/phases/patch"
	"bootstrap/phases/plan"
	"bootstrap/phases/state"
)

// initOptions are the flags of init and of init phase.
type initOptions struct {
	config string
	// configGiven tells --config '', which asks for the defaults, from no --config.
	configGiven bool
	bundle      string
	root        string
	timeout     time.Duration
	skipPhases  []string
	ignore      []string
	dryRun      bool
	timings     bool
	json        bool

	box config.Flags
}

func (o *initOptions) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&o.config, "config", "", "config file: kubeadm's kinds (v1beta4, v1beta3), KubeletConfiguration, KubeProxyConfiguration, BoxConfiguration; none is needed (default: what this machine was made with)")
	f.StringVar(&o.bundle, "bundle", "", "bundle to install from (default: the one inside this executable, beside it, or in /usr/local/share/bootstrap)")
	f.DurationVar(&o.timeout, "timeout", 0, "how long the control plane may take to become healthy, and then the addons; up to three times as long while more comes up (default: timeouts.controlPlaneComponentHealthCheck of the config file, 4m without)")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would be changed; needs no root where nothing was made yet")
	f.BoolVar(&o.timings, "timings", false, "show at the end when each phase began and how long it took; --output json always does")
	addOutputFlag(cmd, &o.json, eventsAsJSON)
	boolFlag(f, &o.box.Standalone, "standalone", "no control plane: container runtime and kubelet only, which runs the static pods in /etc/kubernetes/manifests")
	boolFlag(f, &o.box.SingleNode, "single-node", "let pods run on this node (default: yes, unless the config or --print-join-command asks for a token)")
	boolFlag(f, &o.box.PrintJoinCommand, "print-join-command", "make a token, and print the command by which other nodes join")
	boolFlag(f, &o.box.UploadCerts, "upload-certs", "store the CAs in the cluster, encrypted, for other control plane nodes")
	boolFlag(f, &o.box.WriteKubeconfig, "write-kubeconfig", "add admin.conf to ~/.kube/config of root and of the user behind sudo")
	f.StringVar(&o.root, "root", "/", "directory that stands for this machine's root; only phases that write files work with another")
}

func newInitCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make this machine a Kubernetes control plane, or a standalone kubelet",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := (phases.Plan{phasesOfInit()}).Without(o.skipPhases); err != nil { // of which plan they are does not matter yet
				return plan.Refused(err)
			}
			return runInit(cmd, o, "")
		},
	}
	o.addFlags(cmd)
	addIgnoreFlag(cmd, &o.ignore)
	cmd.Flags().StringSliceVar(&o.skipPhases, "skip-phases", nil, "phases to leave out")
	cmd.AddCommand(newInitPhaseCommand(&o))
	return cmd
}

func newInitPhaseCommand(o *initOptions) *cobra.Command {
	cmd := newGroup("phase NAME", "Run one phase of init")
	for _, phase := range phasesOfInit() {
		cmd.AddCommand(&cobra.Command{
			Use:   phase.Name,
			Short: phase.Short,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return runInit(cmd, *o, phase.Name)
			},
		})
	}
	return cmd
}

// phasesOfInit are those of both its plans.
func phasesOfInit() []phases.Phase {
	all := phases.Init().Phases()
	for _, phase := range phases.Standalone().Phases() {
		if _, both := phases.Init().Find(phase.Name); !both {
			all = append(all, phase)
		}
	}
	return all
}

// boolFlag sets given only if the flag is there: what was not asked for is left to the
// config file.
func boolFlag(f *pflag.FlagSet, given **bool, name, text string) {
	f.BoolFunc(name, text, func(value string) error {
		is, err := strconv.ParseBool(value)
		*given = &is
		return err
	})
}

const readyText = `
The control plane is ready after %s. Use it, as root:

  export KUBECONFIG=/etc/kubernetes/admin.conf
  kubectl get nodes

Undo it: bootstrap reset
`

const standaloneReadyText = `
The kubelet is ready after %s, and runs what lies in /etc/kubernetes/manifests:

  bootstrap pods
  bootstrap status

Undo it: bootstrap reset
`

// runInit runs one phase, or all of the plan that the config asks for.
func runInit(cmd *cobra.Command, o initOptions, phase string) error {
	ctx := cmd.Context()
	o.configGiven = cmd.Flags().Changed("config")
	out := newOutput(o.json, o.dryRun)
	out.timed = o.timings
	env, err := o.env(ctx, out.report)
	if err != nil {
		return out.end(plan.Refused(err))
	}
	defer env.Close()
	for _, text := range env.Config.Warnings {
		env.Tell.For("init").Warn("%s", text)
	}
	todo, err := o.plan(env.Config, phase)
	if err == nil {
		err = env.CheckStandaloneAlone()
	}
	if err != nil {
		return out.end(plan.Refused(err))
	}
	if env.Recalled {
		env.Tell.For("init").Say("with what this machine was made with, as no --config is given; the defaults: --config ''")
	}
	tellAsMade(env)
	if err = todo.Run(ctx, env); err != nil {
		return out.end(err)
	}
	return out.end(o.endInit(env, todo, out))
}

// tellAsMade tells what stays as this cluster was made, though the machine has changed since.
func tellAsMade(env *phases.Env) {
	now := machineOf(env.Facts, nil)
	made, tell := state.AsMade(env.Host, now), env.Tell.For("init")
	if now.Address.IsValid() && made.Address != now.Address && env.Config.AdvertiseAddress == made.Address {
		tell.Say("the advertise address stays %s, as this cluster was made; the machine's own choice is %s now", made.Address, now.Address)
	}
	if made.Hostname != strings.ToLower(now.Hostname) && env.Config.NodeName == made.Hostname {
		tell.Say("the node stays %s, as this cluster was made; the machine is called %s now", made.Hostname, now.Hostname)
	}
}

// endInit tells that all is there, if it was waited for.
func (o initOptions) endInit(env *phases.Env, plan phases.Plan, out *output) error {
	for name, text := range map[string]string{"wait-control-plane": readyText, "wait-kubelet": standaloneReadyText} {
		if _, waited := plan.Find(name); waited {
			err := errors.Join(env.State().RememberDone(), env.Host.End())
			if !o.dryRun {
				out.say(fmt.Sprintf(text, out.elapsed()))
			}
			return err
		}
	}
	return nil
}

// plan is all phases but those to be left out, or the one that was named.
func (o initOptions) plan(c *config.Config, name string) (phases.Plan, error) {
	plan := phases.InitPlan(c)
	if name == "" {
		return plan.Without(slices.Concat(o.skipPhases, c.SkipPhases))
	}
	phase, ok := plan.Find(name)
	if !ok {
		return nil, fmt.Errorf("phase %s does not go with --standalone=%t", name, c.Box.Standalone)
	}
	return phases.Plan{{phase}}, nil
}

// env opens what the phases work with, and changes nothing.
func (o initOptions) env(ctx context.Context, to func(plan.Event)) (*phases.Env, error) {
	if o.timeout != 0 && o.timeout < time.Second {
		return nil, fmt.Errorf("--timeout %s is under a second", o.timeout)
	}
	env, err := phases.NewEnv(o.root, to)
	if err != nil {
		return nil, err
	}
	env.Timeout, env.Ignore, env.Built, env.Skipped = o.timeout, o.ignore, builtAt(), o.skipPhases
	if err := phases.CheckIgnore(env.Catalogue, o.ignore); err != nil {
		return nil, err
	}
	if err := o.open(&env); err != nil {
		env.Close()
		return nil, err
	}
	return phases.OpenInit(ctx, env), nil
}

// open opens the bundle and the machine, and decides by what config: that of the file, that
// which the machine was made with, or the defaults.
func (o initOptions) open(env *phases.Env) (err error) {
	if env.Bundle, err = findBundle(o.bundle); err != nil {
		return err
	}
	if env.Host, err = phases.OpenHost(o.root, o.dryRun); err != nil {
		return err
	}
	machine := machineOf(env.Facts, env.Bundle)
	machine.Flags = o.box
	if !o.configGiven && o.config == "" {
		env.Config, env.Patches, err = env.State().Remembered(machine)
		if env.Recalled = env.Config != nil; env.Recalled || err != nil {
			return err
		}
	}
	env.Config, err = configFor(state.AsMade(env.Host, machine), o.config)
	if err != nil || env.Config.PatchesDir == "" {
		return err
	}
	if env.Patches, err = patch.Read(env.Config.PatchesDir); err != nil {
		return fmt.Errorf("patches.directory: %w", err)
	}
	return nil
}
