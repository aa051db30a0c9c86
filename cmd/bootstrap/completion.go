package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print a script by which a shell completes commands, flags and phases",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return printCompletion(cmd.Root(), cmd.OutOrStdout(), args[0])
		},
	}
}

func printCompletion(root *cobra.Command, out io.Writer, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(out, true)
	case "zsh":
		return root.GenZshCompletion(out)
	}
	return root.GenFishCompletion(out, true)
}

// completeFlags tells shells what the flags of cmd, and of all commands below it, take.
func completeFlags(cmd *cobra.Command) {
	for _, each := range all(cmd) {
		each.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if values := flagValues(f.Name); values != nil {
				_ = each.RegisterFlagCompletionFunc(f.Name, values) // only fails for a flag that it does not have
			}
		})
	}
}

// flagValues is nil for flags whose values nobody can guess, or are any file.
func flagValues(flag string) cobra.CompletionFunc {
	switch flag {
	case "config":
		return cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt)
	case "root", "from":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "skip-phases":
		return completePhases
	}
	return nil
}

// completePhases completes the last name of a list with commas.
func completePhases(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	given := strings.Split(before, ",")
	var found []cobra.Completion
	for _, p := range phasesOfInit() {
		if !slices.Contains(given, p.Name) {
			found = append(found, cobra.CompletionWithDesc(before+p.Name, p.Short))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
