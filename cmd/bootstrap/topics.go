package main

import (
	_ "embed" // the pages of help

	"github.com/spf13/cobra"
)

//go:embed help/output.md
var outputPage string

//go:embed help/causes.md
var causesPage string

// newCausesTopic is a page of help: bootstrap help causes.
func newCausesTopic() *cobra.Command {
	return &cobra.Command{Use: "causes", Short: "What can be wrong, and what to do about it", Long: causesPage}
}

// newOutputTopic is a page of help: bootstrap help output.
func newOutputTopic() *cobra.Command {
	return &cobra.Command{Use: "output", Short: "What --output json prints", Long: outputPage}
}
