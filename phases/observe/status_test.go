package observe

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/spec"
)

// TestUsedDisks: the root of an image-based system is read-only, and so may be
// programs that nobody installs.
func TestUsedDisks(t *testing.T) {
	env := testEnv(t, "default")
	env.Bundle = nil
	for _, d := range env.usedDisks() {
		if d.Path == "/" || d.Path == spec.BinDir {
			t.Errorf("init without a bundle does not write to %s", d.Path)
		}
	}
}

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

// TestAddonsAwaited: only where the addons have the form that is wanted, what ails them is certain.
func TestAddonsAwaited(t *testing.T) {
	env := testEnv(t, "default")
	for stage, want := range map[Stage]bool{Begun: false, Serving: false, Written: false, Complete: true} {
		if got := env.Evidence(t.Context(), Query{Stage: stage, Since: time.Now()}).Addons; got != want {
			t.Errorf("at stage %d: %t", stage, got)
		}
	}
}

// TestOwnResolver: the config can say that there is none.
func TestOwnResolver(t *testing.T) {
	env := testEnv(t, "default")
	given := *env.Config
	given.Kubelet = map[string]any{"resolvConf": ""}
	env.Config = &given
	m := env.machine(t.Context())
	if !m.Resolver.Read || !m.Resolver.Own || m.Resolver.File != "" || !m.System.Read {
		t.Errorf("got %+v, system read: %t", m.Resolver, m.System.Read)
	}
}
