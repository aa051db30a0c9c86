package patch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const pod = `apiVersion: v1
kind: Pod
metadata:
  name: etcd
spec:
  containers:
  - name: etcd
    image: a
    command: [etcd, --x=1]
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestApply wants each kind of patch to do what its name says to a pod's containers.
func TestApply(t *testing.T) {
	const container = "spec: {containers: [{name: etcd, env: [{name: A, value: b}]}]}\n"
	merged := map[string]any{"name": "etcd", "env": []any{map[string]any{"name": "A", "value": "b"}}}
	cases := map[string]struct {
		files map[string]string
		want  map[string]any // of the first container
	}{
		"none":         {nil, map[string]any{"name": "etcd", "image": "a", "command": []any{"etcd", "--x=1"}}},
		"other target": {map[string]string{"kube-scheduler.yaml": container}, map[string]any{"name": "etcd", "image": "a", "command": []any{"etcd", "--x=1"}}},
		"by default strategic": {map[string]string{"etcd.yaml": container}, map[string]any{
			"name": "etcd", "image": "a", "command": []any{"etcd", "--x=1"}, "env": []any{map[string]any{"name": "A", "value": "b"}},
		}},
		"merge replaces lists": {map[string]string{"etcd0+merge.yaml": container}, merged},
		"json": {map[string]string{"etcd+json.json": `[{"op": "replace", "path": "/spec/containers/0/image", "value": "b"}]`},
			map[string]any{"name": "etcd", "image": "b", "command": []any{"etcd", "--x=1"}}},
		"in order, of several documents": {map[string]string{
			"etcd1.yaml": "# first\n---\nspec: {containers: [{name: etcd, image: b}]}\n---\nspec: {containers: [{name: etcd, image: c}]}\n",
			"etcd2.yaml": "spec: {containers: [{name: etcd, image: d}]}\n",
		}, map[string]any{"name": "etcd", "image": "d", "command": []any{"etcd", "--x=1"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set, err := Read(folder(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			patched, err := set.Apply("etcd", []byte(pod))
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Spec struct{ Containers []map[string]any }
			}
			if err := yaml.Unmarshal(patched, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]map[string]any{c.want}, got.Spec.Containers); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeepsBytes(t *testing.T) {
	got, err := Set{}.Apply("etcd", []byte(pod))
	if err != nil || string(got) != pod {
		t.Errorf("%s, %v", got, err)
	}
}

// TestRefused wants each error to name the file.
func TestRefused(t *testing.T) {
	cases := map[string]string{
		"apiserver.yaml":       "spec: {}\n",
		"README":               "text\n",
		"etcd+replace.yaml":    "spec: {}\n",
		"etcd.yaml":            "spec: {\n",
		"etcd+strategic.yaml":  "spec: {a: 1, a: 2}\n",
		"etcd+json.yaml":       "- {op: remove, path: /nowhere}\n",
		"etcd+json.json":       `{"op": "replace"}`,
		"kube-scheduler+.yaml": "spec: {}\n",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{name: text})
			set, err := Read(dir)
			if err == nil {
				_, err = set.Apply("etcd", []byte(pod))
			}
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Read("/nowhere/at/all"); err == nil {
		t.Error("a folder that is not there is accepted")
	}
}
