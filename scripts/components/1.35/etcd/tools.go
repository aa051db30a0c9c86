//go:build tools

// Package etcd pins what scripts/components/build builds from this project; go.mod is the only place its version is written.
package etcd

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/etcdutl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
