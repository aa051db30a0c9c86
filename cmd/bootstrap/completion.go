package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print a script by which a shell completes commands, flags and phases",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(out)
			}
			return cmd.Root().GenFishCompletion(out, true)
		},
	}
}

// completeFlags tells shells what the flags of cmd, and of all commands below it, take; but
// for those whose values nobody can guess, or are any file.
func completeFlags(cmd *cobra.Command) {
	folders := cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	values := map[string]cobra.CompletionFunc{
		"config":      cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
		"root":        folders,
		"from":        folders,
		"skip-phases": completePhases,
	}
	for _, each := range all(cmd) {
		for flag, complete := range values {
			_ = each.RegisterFlagCompletionFunc(flag, complete) // only fails for a flag that it does not have, or that has them
		}
	}
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
