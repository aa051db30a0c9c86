package podmanifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const folder = "../../testdata/staticpod/"

// TestRefused wants of each manifest exactly the findings of its "# want: " lines, which
// stand at the end so that they move no line.
func TestRefused(t *testing.T) {
	eachManifest(t, "bad-", 25, func(t *testing.T, manifest []byte) []error {
		_, _, err := Parse("pod.yaml", manifest)
		if err == nil {
			t.Fatal("it was let pass")
		}
		return []error{err}
	})
}

// TestWarned: what a kubelet runs is let pass, with what it does otherwise than people expect.
func TestWarned(t *testing.T) {
	accepted := func(t *testing.T, manifest []byte) []error {
		_, warnings, err := Parse("pod.yaml", manifest)
		if err != nil {
			t.Fatal(err)
		}
		return warnings
	}
	eachManifest(t, "warned-", 4, accepted)
	eachManifest(t, "good-", 4, accepted)
}

// eachManifest judges those whose names begin so, and compares with, or writes, their "# want: " lines.
func eachManifest(t *testing.T, prefix string, least int, judge func(*testing.T, []byte) []error) {
	t.Helper()
	files, err := filepath.Glob(folder + prefix + "*.yaml")
	if err != nil || len(files) < least {
		t.Fatalf("%d files, %v: want %d at least", len(files), err, least)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			manifest, want, _ := strings.Cut(string(data), "# want: ")
			var lines []string
			for _, found := range judge(t, []byte(manifest)) {
				lines = append(lines, "# want: "+strings.ReplaceAll(found.Error(), "\n", "\n# want: ")+"\n")
			}
			if *update {
				if err := os.WriteFile(file, []byte(manifest+strings.Join(lines, "")), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := strings.TrimPrefix(strings.Join(lines, ""), "# want: "); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestAccepted: what a kubelet runs is let pass, with all that is decoded of it.
func TestAccepted(t *testing.T) {
	for name, manifest := range map[string]string{
		"least": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: example/web}\n",
		"json":  `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"example/web"}]}}`,
		"much": `---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: kube-system
  labels: {app.kubernetes.io/name: web}
  annotations: {Example.Test/Note: any text}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  priorityClassName: system-node-critical
  automountServiceAccountToken: false
  restartPolicy: OnFailure
  tolerations: [{operator: Exists}]
  initContainers:
  - name: first
    image: example/first@sha256:0000
    ports: [{containerPort: 80}]
  - name: sidecar
    image: example/sidecar:1
    restartPolicy: Always
    ports: [{containerPort: 81}]
  containers:
  - name: web
    image: example/web:1
    imagePullPolicy: Never
    env:
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}, {containerPort: 80, hostPort: 80}]
    resources: {limits: {cpu: 1, memory: 1e9}, requests: {cpu: 500m}}
    livenessProbe: {httpGet: {path: /, port: 80}}
    volumeMounts: [{name: www, mountPath: /www}, {name: pod, mountPath: /pod}]
  volumes:
  - {name: www, hostPath: {path: /srv/www, type: ""}}
  - {name: pod, projected: {sources: [{downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}
  - {name: tmp, emptyDir: {}}
  - {name: more}
  - {name: most, emptyDir: }
---
`,
	} {
		t.Run(name, func(t *testing.T) {
			pod, _, err := Parse("pod.yaml", []byte(manifest))
			if err != nil || pod.Name != "web" || len(pod.Spec.Containers) != 1 {
				t.Errorf("%v: %v", pod, err)
			}
		})
	}
}

func TestHostPorts(t *testing.T) {
	meets := func(a, b HostPort) bool { return a.Meets(b) && b.Meets(a) }
	web := HostPort{Port: 80, Protocol: "TCP"}
	for _, tt := range []struct {
		name  string
		other HostPort
		want  bool
	}{
		{"same", web, true},
		{"one address of all", HostPort{Port: 80, Protocol: "TCP", IP: "127.0.0.1"}, true},
		{"another protocol", HostPort{Port: 80, Protocol: "UDP"}, false},
		{"another port", HostPort{Port: 81, Protocol: "TCP"}, false},
	} {
		if got := meets(web, tt.other); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	one, two := HostPort{Port: 80, Protocol: "TCP", IP: "127.0.0.1"}, HostPort{Port: 80, Protocol: "TCP", IP: "127.0.0.2"}
	if one.Meets(two) {
		t.Error("two addresses: one has to wait for the other")
	}
}

// FuzzParse: whatever a file holds, it is a Pod or refused.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(folder + "bad-*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pod, _, err := Parse("pod.yaml", data)
		if err == nil && (pod.Name == "" || len(pod.Spec.Containers) == 0) {
			t.Errorf("let pass: %q", data)
		}
	})
}
