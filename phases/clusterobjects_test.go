package phases

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

func decodeConfigMap(t *testing.T, data []byte) corev1.ConfigMap {
	t.Helper()
	var object corev1.ConfigMap
	if err := yaml.UnmarshalStrict(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestClusterInfo: anybody may read it, so it must hold the CA and nobody's key.
func TestClusterInfo(t *testing.T) {
	env := kubeconfigsDone(t, "custom")
	data, err := clusterInfo(env.keyPairs())
	if err != nil {
		t.Fatal(err)
	}
	object := decodeConfigMap(t, data)
	want, err := pki.EncodeClusterInfo("https://api.example.org:443", pki.EncodeCert(readCert(t, env, pkiDir+"/ca.crt")))
	if err != nil {
		t.Fatal(err)
	}
	if object.Namespace+"/"+object.Name != "kube-public/cluster-info" || object.Data["kubeconfig"] != string(want) || len(object.Data) != 1 {
		t.Errorf("%+v", object)
	}
}

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

func TestTokenOf(t *testing.T) {
	now, at := time.Unix(1000, 0), time.Unix(9000, 0)
	cases := map[string]struct {
		token config.BootstrapToken
		want  time.Time
	}{
		"a ttl":     {config.BootstrapToken{TTL: time.Hour}, now.Add(time.Hour)},
		"a date":    {config.BootstrapToken{Expires: at}, at},
		"neither":   {config.BootstrapToken{}, time.Time{}},
		"the other": {config.BootstrapToken{TTL: time.Hour, Expires: at}, at},
	}
	for name, c := range cases {
		if got := tokenOf(c.token, now).Expires; !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
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
