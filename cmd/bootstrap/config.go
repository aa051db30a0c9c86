package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bootstrap/phases"
	"bootstrap/phases/bundle"
	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
)

func newConfigCommand() *cobra.Command {
	var root string
	cmd := newGroup("config", "Write, check and convert config files",
		newConfigDefaultCommand(&root), newConfigValidateCommand(&root), newConfigMigrateCommand(),
		newConfigImagesCommand(&root), newConfigSchemaCommand())
	addRootFlag(cmd.PersistentFlags(), &root)
	return cmd
}

func newConfigDefaultCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use:   "default",
		Short: "Print the config file that says what init does without one",
		RunE: func(cmd *cobra.Command, _ []string) error {
			machine, err := machineAt(*root)
			if err != nil {
				return plan.Refused(err)
			}
			file, err := config.DefaultFile(machine)
			return plan.Refused(printFile(cmd.OutOrStdout(), file, err))
		},
	}
}

func newConfigValidateCommand(root *string) *cobra.Command {
	return withConfigFlag(&cobra.Command{
		Use:   "validate FILE...",
		Short: "Check config files, and say all that is wrong with each",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return plan.Refused(validateAll(cmd, args, *root))
		},
	})
}

// withConfigFlag lets a command take files by --config, as kubeadm's do, as well as by arguments.
func withConfigFlag(cmd *cobra.Command) *cobra.Command {
	var given []string
	cmd.Flags().StringArrayVar(&given, "config", nil, "config file, - for standard input: as the argument FILE")
	count, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error { return count(cmd, slices.Concat(given, args)) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd, slices.Concat(given, args)) }
	return cmd
}

// printWarnings tells what of a config file means nothing.
func printWarnings(cmd *cobra.Command, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "bootstrap: warning: %s\n", shown(text))
	}
}

func validateAll(cmd *cobra.Command, files []string, root string) error {
	machine, err := machineAt(root)
	if err != nil {
		return err
	}
	catalogue := diagnose.ReadCatalogue()
	var errs []error
	for _, file := range files {
		c, err := readConfig(file, machine)
		if err == nil {
			err = phases.CheckConfig(catalogue, c)
		}
		if err == nil {
			printWarnings(cmd, c.Warnings)
			fmt.Fprintf(cmd.OutOrStdout(), "%s: valid\n", file)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func newConfigMigrateCommand() *cobra.Command {
	return withConfigFlag(&cobra.Command{
		Use:   "migrate FILE",
		Short: "Print a config file in the newest versions: v1beta3 becomes v1beta4",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readInput(args[0])
			if err != nil {
				return plan.Refused(err)
			}
			file, warnings, err := config.Migrate(args[0], data)
			printWarnings(cmd, warnings)
			return plan.Refused(printFile(cmd.OutOrStdout(), file, err))
		},
	})
}

func newConfigImagesCommand(root *string) *cobra.Command {
	var asJSON bool
	cmd := withConfigFlag(&cobra.Command{
		Use:   "images [FILE]",
		Short: "List the images that a cluster of this config runs",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := configOf(strings.Join(args, ""), *root) // it is one at most
			if err != nil {
				return plan.Refused(err)
			}
			printWarnings(cmd, c.Warnings)
			images := slices.Concat(c.RequiredImages(), c.Addons())
			if asJSON {
				return plan.Refused(printJSON(cmd.OutOrStdout(), imagesObject{Schema: outputVersion, Images: images}))
			}
			return plan.Refused(printFile(cmd.OutOrStdout(), []byte(strings.Join(images, "\n")+"\n"), nil))
		},
	})
	addOutputFlag(cmd, &asJSON, "text: one image per line; or json: one object with all images")
	return cmd
}

// imagesObject is all of config images -o json.
type imagesObject struct {
	Schema string   `json:"schema"`
	Images []string `json:"images"`
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of config files, for editors",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printFile(cmd.OutOrStdout(), config.Schema(), nil)
		},
	}
}

// machineAt is what the machine at root contributes to a config.
func machineAt(root string) (config.Machine, error) {
	facts, err := machine.At(root).Facts()
	if err != nil {
		return config.Machine{}, err
	}
	b, err := findBundle("")
	if err != nil {
		return config.Machine{}, err
	}
	if b != nil {
		defer b.Close()
	}
	return machineOf(facts, b), nil
}

// configOf is what a file says, or the defaults without one, on the machine at root.
func configOf(file, root string) (*config.Config, error) {
	machine, err := machineAt(root)
	if err != nil {
		return nil, err
	}
	return configFor(machine, file)
}

// configFor is what a file says, or the defaults without one, on a machine that is known.
func configFor(machine config.Machine, file string) (*config.Config, error) {
	if file == "" {
		c, err := config.Parse("", nil, machine)
		return c, withHint(err, "without a config file this machine has to say it; or give one: bootstrap config-file")
	}
	return readConfig(file, machine)
}

// withHint gives a hint to each of several errors that has none.
func withHint(err error, hint string) error {
	var all []error
	for _, each := range plan.Failures(err) {
		if plan.HintOf(each) == "" {
			each = plan.Hint(each, "%s", hint)
		}
		all = append(all, each)
	}
	return errors.Join(all...)
}

func readConfig(file string, machine config.Machine) (*config.Config, error) {
	data, err := readInput(file)
	if err != nil {
		return nil, plan.Hint(err, "name a file that can be read, or - for standard input")
	}
	c, err := config.Parse(file, data, machine)
	return c, withHint(err, "mend it, and check it: bootstrap config validate "+file+"; what it may hold: bootstrap config-file")
}

// machineOf takes the bundle, or nil.
func machineOf(facts machine.Facts, b *bundle.Bundle) config.Machine {
	machine := config.Machine{Hostname: facts.Hostname}
	if b != nil {
		machine.Bundled = b.Index().Kubernetes
	}
	if len(facts.NodeIPs) > 0 { // one of each family at most
		machine.Address = facts.NodeIPs[0]
		machine.IPv6 = facts.NodeIPs[len(facts.NodeIPs)-1]
	}
	return machine
}

// printFile prints what was made, if it could be.
func printFile(w io.Writer, file []byte, err error) error {
	if err == nil {
		_, err = w.Write(file)
	}
	return err
}

// readInput reads a file, or standard input for -.
func readInput(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}
