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
	files, err := filepath.Glob(folder + "bad-*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files, %v: want 25 at least", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			manifest, want, _ := strings.Cut(string(data), "# want: ")
			got := refusal(t, []byte(manifest))
			if *update {
				lines := "# want: " + strings.Join(strings.Split(got, "\n"), "\n# want: ") + "\n"
				if err := os.WriteFile(file, []byte(manifest+lines), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want = strings.ReplaceAll(strings.TrimSuffix(want, "\n"), "\n# want: ", "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func refusal(t *testing.T, manifest []byte) string {
	t.Helper()
	_, err := Parse("pod.yaml", manifest)
	if err == nil {
		t.Fatal("it was let pass")
	}
	return err.Error()
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
			pod, err := Parse("pod.yaml", []byte(manifest))
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
		pod, err := Parse("pod.yaml", data)
		if err == nil && (pod.Name == "" || len(pod.Spec.Containers) == 0) {
			t.Errorf("let pass: %q", data)
		}
	})
}
