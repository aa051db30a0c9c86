package spec

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config/configtest"
)

// TestConfigObjects holds the names and keys that kubeadm join and upgrade look for.
func TestConfigObjects(t *testing.T) {
	objects, err := ConfigObjects(configtest.Valid(t, "default"), []byte("the kubelet's"))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ name, key, text string }{
		{"kubeadm-config", "ClusterConfiguration", "kind: ClusterConfiguration\n"},
		{"kubelet-config", "kubelet", "the kubelet's"},
		{"bootstrap-config", "BoxConfiguration", "kind: BoxConfiguration\n"},
	}
	for i, data := range objects {
		object := decodeConfigMap(t, data)
		if object.Namespace != "kube-system" || object.Name != want[i].name || !strings.Contains(object.Data[want[i].key], want[i].text) {
			t.Errorf("%+v, want %v", object, want[i])
		}
	}
	if len(objects) != len(want) {
		t.Errorf("%d objects", len(objects))
	}
}

func decodeConfigMap(t *testing.T, data []byte) corev1.ConfigMap {
	t.Helper()
	var object corev1.ConfigMap
	if err := yaml.UnmarshalStrict(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
