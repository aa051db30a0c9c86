package phases

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/pki"
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
	data, err := clusterInfo(env)
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
