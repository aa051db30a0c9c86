package main

import (
	_ "embed" // the pages of help

	"github.com/spf13/cobra"
)

//go:embed help/output.md
var outputPage string

//go:embed help/causes.md
var causesPage string

//go:embed help/static-pods.md
var staticPodsPage string

// newStaticPodsTopic is a page of help: bootstrap help static-pods.
func newStaticPodsTopic() *cobra.Command {
	return &cobra.Command{Use: "static-pods", Short: "Pods that a kubelet runs from files, with a cluster or without", Long: staticPodsPage}
}

// newCausesTopic is a page of help: bootstrap help causes.
func newCausesTopic() *cobra.Command {
	return &cobra.Command{Use: "causes", Short: "What can be wrong, and what to do about it", Long: causesPage}
}

// newOutputTopic is a page of help: bootstrap help output.
func newOutputTopic() *cobra.Command {
	return &cobra.Command{Use: "output", Short: "What --output json prints", Long: outputPage}
}
