package phases

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

func TestSharedCerts(t *testing.T) {
	env := certsDone(t, "default")
	hosttest.Remove(t, env.Host, pkiDir+"/ca.key") // an external CA
	files, err := sharedCerts(env.Host, env.Config)
	if err != nil {
		t.Fatal(err)
	}
	stacked := []string{"ca.crt", "ca.key", "etcd-ca.crt", "etcd-ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"}
	if diff := cmp.Diff(stacked, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, data := range files {
		if (len(data) == 0) != (name == "ca.key") {
			t.Errorf("%s has %d bytes", name, len(data))
		}
	}
	env.Config.Etcd.External = &config.ExternalEtcd{} // over plain HTTP
	if files, err := sharedCerts(env.Host, env.Config); err != nil || len(files["external-etcd.key"]) > 0 {
		t.Error(err)
	}
	env.Config.Etcd.External = &config.ExternalEtcd{CAFile: "/e/ca", CertFile: "/e/cert", KeyFile: "/e/key"}
	paths := spec.SharedCertFiles(env.Config)
	for name, want := range map[string]string{"external-etcd-ca.crt": "/e/ca", "external-etcd.crt": "/e/cert", "external-etcd.key": "/e/key", "etcd-ca.key": ""} {
		if paths[name] != want {
			t.Errorf("%s is %q, want %q", name, paths[name], want)
		}
	}
}

// TestNotAsked: without being asked for, these phases need no API server.
func TestNotAsked(t *testing.T) {
	for name, run := range map[string]func(context.Context, *Env) error{"upload-certs": runUploadCerts, "write-kubeconfig": runWriteKubeconfig} {
		env := testEnv(t, "default")
		if notes := runPhase(t, env, run); len(notes) > 0 || len(env.Host.Entries()) > 0 {
			t.Errorf("%s: %q, %v", name, notes, env.Host.Entries())
		}
	}
}
