//go:build tools

// Package runc pins what scripts/components/build builds from this project; go.mod is the only place its version is written.
package runc

import (
	_ "github.com/opencontainers/runc"
)
