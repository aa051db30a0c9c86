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
)

func newConfigCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Write, check and convert config files",
		RunE:  needsCommand,
	}
	addRootFlag(cmd.PersistentFlags(), &root)
	cmd.AddCommand(newConfigDefaultCommand(&root), newConfigValidateCommand(&root), newConfigMigrateCommand(),
		newConfigImagesCommand(&root), newConfigSchemaCommand())
	return cmd
}

func newConfigDefaultCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use:   "default",
		Short: "Print the config file that says what init does without one",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			machine, err := machineAt(*root)
			if err != nil {
				return usage(err)
			}
			file, err := config.DefaultFile(machine)
			return usage(printFile(cmd.OutOrStdout(), file, err))
		},
	}
}

func newConfigValidateCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check config files, and say all that is wrong with each",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			machine, err := machineAt(*root)
			if err != nil {
				return usage(err)
			}
			return usage(validateAll(cmd, args, machine))
		},
	}
}

func validateAll(cmd *cobra.Command, files []string, machine config.Machine) error {
	catalogue := diagnose.ReadCatalogue()
	var errs []error
	for _, file := range files {
		data, err := readInput(file)
		var c *config.Config
		if err == nil {
			c, err = config.Parse(file, data, machine)
		}
		if err == nil {
			err = phases.CheckConfig(catalogue, c)
		}
		if err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: valid\n", file)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func newConfigMigrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate FILE",
		Short: "Print a config file in the newest versions: v1beta3 becomes v1beta4",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readInput(args[0])
			if err != nil {
				return usage(err)
			}
			file, err := config.Migrate(args[0], data)
			return usage(printFile(cmd.OutOrStdout(), file, err))
		},
	}
}

func newConfigImagesCommand(root *string) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "images",
		Short: "List the images that a cluster of this config runs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configOf(file, *root)
			if err != nil {
				return usage(err)
			}
			images := slices.Concat(c.RequiredImages(), c.Addons())
			return usage(printImages(cmd.OutOrStdout(), images, asJSON))
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "config file, - for standard input; none is needed")
	addOutputFlag(cmd, &asJSON, "text: one image per line; or json: one object with all images")
	return cmd
}

// imagesObject is all of config images -o json.
type imagesObject struct {
	Schema string   `json:"schema"`
	Images []string `json:"images"`
}

func printImages(w io.Writer, images []string, asJSON bool) error {
	if asJSON {
		return printJSON(w, imagesObject{Schema: outputVersion, Images: images})
	}
	_, err := fmt.Fprintln(w, strings.Join(images, "\n"))
	return err
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of config files, for editors",
		Args:  cobra.NoArgs,
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
	var data []byte
	if file != "" {
		var err error
		if data, err = readInput(file); err != nil {
			return nil, err
		}
	}
	machine, err := machineAt(root)
	if err != nil {
		return nil, err
	}
	return config.Parse(file, data, machine)
}

// machineOf takes the bundle, or nil.
func machineOf(facts machine.Facts, b *bundle.Bundle) config.Machine {
	machine := config.Machine{Hostname: facts.Hostname}
	if b != nil {
		machine.Bundled = b.Index().Kubernetes
	}
	if len(facts.NodeIPs) > 0 {
		machine.Address = facts.NodeIPs[0]
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
