package phases

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/cluster"
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

// TestDoesFor: a token without a value is made once, not by each run.
func TestDoesFor(t *testing.T) {
	day := time.Now().Add(24 * time.Hour)
	asked := cluster.Token{Description: valuelessDescription, Expires: day}
	cases := map[string]struct {
		change func(*cluster.Token)
		want   bool
	}{
		"the same":         {func(*cluster.Token) {}, true},
		"made an hour ago": {func(m *cluster.Token) { m.Expires = day.Add(-time.Hour) }, true},
		"nearly over":      {func(m *cluster.Token) { m.Expires = time.Now().Add(time.Minute) }, false},
		"for ever":         {func(m *cluster.Token) { m.Expires = time.Time{} }, false},
		"of another":       {func(m *cluster.Token) { m.Description = joinTokenDescription }, false},
	}
	for name, c := range cases {
		made := asked
		made.ID, made.Secret = "abcdef", "0123456789abcdef"
		c.change(&made)
		if got := doesFor(made, asked); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
