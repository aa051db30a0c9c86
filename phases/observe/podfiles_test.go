package observe

import (
	"fmt"
	"strings"
	"testing"
)

// TestManifestOf: a manifest is read as the kubelet does.
func TestManifestOf(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  hostNetwork: true\n  more: passed over\n  containers:\n" +
		"  - name: c\n    ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP}]\n"
	cases := []struct {
		name, text, want, wrong, ports string
	}{
		{name: "own network", text: strings.Replace(pod, "hostNetwork: true", "hostNetwork: false", 1), want: "default/x"},
		{name: "of the host", text: pod, want: "default/x", ports: "0.0.0.0:8080"},
		{name: "of one address", text: strings.Replace(pod, "containerPort: 8080", "containerPort: 8080, hostIP: 127.0.0.1", 1), want: "default/x", ports: "127.0.0.1:8080"},
		{name: "namespace", text: strings.Replace(pod, "name: x", "name: x\n  namespace: kube-system", 1), want: "kube-system/x", ports: "0.0.0.0:8080"},
		{name: "no YAML", text: strings.Replace(pod, "spec:", "spec", 1), wrong: "line 6"},
		{name: "another type", text: strings.Replace(pod, "8080", "http", 1), wrong: "containerPort"},
		{name: "empty", text: "\n", wrong: "it is empty"},
		{name: "no Pod", text: strings.Replace(pod, "kind: Pod", "kind: Deployment", 1), wrong: "it is no Pod"},
		{name: "no name", text: strings.Replace(pod, "name: x", "labels: {}", 1), wrong: "metadata.name"},
		{name: "no containers", text: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", wrong: "spec.containers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := machineOf(t, map[string]string{"/m/x.yaml": c.text})
			m := manifestOf(podFile(o.Host, "/m/x.yaml"))
			if m.Name != c.want || strings.Trim(fmt.Sprint(m.Ports), "[]") != c.ports || (m.Error == "") != (c.wrong == "") {
				t.Errorf("%+v", m)
			}
			if !strings.Contains(m.Error, c.wrong) {
				t.Errorf("%v lacks %q", m.Error, c.wrong)
			}
		})
	}
}
