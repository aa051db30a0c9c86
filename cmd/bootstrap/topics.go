package main

import (
	_ "embed" // the pages of help

	"github.com/spf13/cobra"
)

//go:embed help/output.md
var outputPage string

// newOutputTopic is a page of help: bootstrap help output.
func newOutputTopic() *cobra.Command {
	return &cobra.Command{Use: "output", Short: "What --output json prints", Long: outputPage}
}
