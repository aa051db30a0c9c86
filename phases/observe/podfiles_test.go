package observe

import (
	"slices"
	"strings"
	"testing"
)

// TestReadManifest reads as the kubelet does.
func TestReadManifest(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  hostNetwork: true\n  more: passed over\n  containers:\n" +
		"  - name: c\n    ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP}]\n"
	cases := []struct {
		name, text, want, wrong string
		ports                   []int
	}{
		{name: "own network", text: strings.Replace(pod, "hostNetwork: true", "hostNetwork: false", 1), want: "default/x"},
		{name: "of the host", text: pod, want: "default/x", ports: []int{8080}},
		{name: "namespace", text: strings.Replace(pod, "name: x", "name: x\n  namespace: kube-system", 1), want: "kube-system/x", ports: []int{8080}},
		{name: "no YAML", text: strings.Replace(pod, "spec:", "spec", 1), wrong: "line 6"},
		{name: "another type", text: strings.Replace(pod, "8080", "http", 1), wrong: "containerPort"},
		{name: "empty", text: "\n", wrong: "it is empty"},
		{name: "no Pod", text: strings.Replace(pod, "kind: Pod", "kind: Deployment", 1), wrong: "it is no Pod"},
		{name: "no name", text: strings.Replace(pod, "name: x", "labels: {}", 1), wrong: "metadata.name"},
		{name: "no containers", text: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", wrong: "spec.containers"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name, ports, err := readManifest([]byte(c.text))
			if name != c.want || !slices.Equal(ports, c.ports) || (err == nil) != (c.wrong == "") {
				t.Errorf("%q, %v, %v", name, ports, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v lacks %q", err, c.wrong)
			}
		})
	}
}
