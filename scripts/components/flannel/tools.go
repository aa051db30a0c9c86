//go:build tools

// Package flannel pins what scripts/components/build builds from this project; go.mod is the only place its version is written.
package flannel

import (
	_ "github.com/flannel-io/flannel"
)
