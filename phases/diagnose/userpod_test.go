package diagnose

import (
	"strings"
	"testing"
	"time"

	"bootstrap/phases/runtime"
)

// usersPod is a machine with a static pod of a user's, whose kubelet has said these lines.
func usersPod(texts ...string) *Evidence {
	e := podsFail(texts...)
	e.Settings.Pod, e.Settings.Manifest, e.Settings.Components = "shop/web-n1", "/etc/kubernetes/manifests/web.yaml", []string{"web"}
	e.StaticPods = map[string]string{"web-n1": ""} // nothing of it has come up, so its UID is not known
	return e
}

// usersContainer is one whose container has ended so many times.
func usersContainer(times int, c runtime.Container) *Evidence {
	e := usersPod()
	c.Name, c.Image, c.Exited, c.Attempt = "web", "registry.example/web:1", true, uint32(times-1)
	c.Started, c.Finished = lookedAt.Add(-4*time.Second), lookedAt.Add(-3*time.Second)
	e.Pods = []runtime.Sandbox{{Namespace: "shop", Name: "web-n1", UID: "uid-web", Ready: true, Created: lookedAt.Add(-9 * time.Second), Containers: []runtime.Container{c}}}
	return e
}

func ofWeb(line string) string {
	return strings.NewReplacer("kube-system/etcd-n1", "shop/web-n1", "etcd-n1", "web-n1", "uid-etcd", "uid-web", `\"etcd\"`, `\"web\"`).Replace(line)
}

const (
	refusedByWatch = `E1125 14:02:24.068184     129 file_linux.go:107] "Unable to process watch event" err="can't process config file \"/etc/kubernetes/manifests/web.yaml\": invalid pod: [spec.containers[0].livenessProbe: Required value: must specify a handler type]"`
	denied         = `I1125 14:02:24.068184     129 allocation_manager.go:619] "Pod admission denied" podUID="uid-web" pod="shop/web-n1" reason="OutOfcpu" message="Node didn't have enough resource: cpu, requested: 1000000, used: 950, capacity: 2000" operation="add"`
	noMirror       = `E1125 14:02:25.068184     129 kubelet.go:3501] "Failed creating a mirror pod" err="namespaces \"monitoring\" not found" pod="shop/web-n1"`
	overQuota      = `E1125 14:02:25.068184     129 kubelet.go:3501] "Failed creating a mirror pod" err="pods \"web-n1\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0" pod="shop/web-n1"`
	noPriority     = `E1125 14:02:25.068184     129 kubelet.go:3501] "Failed creating a mirror pod" err="pods \"web-n1\" is forbidden: no PriorityClass with name high was found" pod="shop/web-n1"`
	noParent       = `E1125 03:50:43.434307   10641 nestedpendingoperations.go:348] Operation for "{volumeName:kubernetes.io/host-path/uid-web-own podName:uid-web nodeName:}" failed. No retries permitted until 2026-11-25 03:50:47.43427233 +0000 UTC m=+13.871225306 (durationBeforeRetry 4s). Error: MountVolume.SetUp failed for volume "own" (UniqueName: "kubernetes.io/host-path/uid-web-own") pod "web-n1" (UID: "uid-web") : open /srv/none/file: no such file or directory`
	refusedByList  = `E1125 14:02:24.068184     129 file.go:187] "Could not process manifest file" err="invalid pod: [spec.containers[0].livenessProbe: Required value: must specify a handler type]" path="/etc/kubernetes/manifests/web.yaml"`
)

// TestUsersPod: causes are found for a user's static pod as for one of the control plane,
// with the remedy for a manifest.
func TestUsersPod(t *testing.T) {
	pathTwice := usersPod(ofWeb(noPath))
	pathTwice.Journal[kubeletUnit] = append(logged(2*time.Second, ofWeb(noPath)), pathTwice.Journal[kubeletUnit]...)
	replaced := usersPod(ofWeb(etcdContainer("ErrImagePull", pullRefused)))
	replaced.Settings.Replaced = []string{"uid-web"}
	parentTwice := usersPod(noParent)
	parentTwice.Journal[kubeletUnit] = append(logged(2*time.Second, noParent), parentTwice.Journal[kubeletUnit]...)
	other := usersPod(strings.ReplaceAll(refusedByWatch, "web.yaml", "other.yaml"))
	before := usersPod(refusedByWatch)
	before.Since = lookedAt
	for _, c := range []causeTest{
		{"image", usersPod(ofWeb(etcdContainer("ErrImagePull", pullRefused))), "image-missing", Error, []string{"shop/web-n1", "registry.example/x:1"}},
		{"image, of the content before", replaced, "", "", nil},
		{"image, of another pod", usersPod(etcdContainer("ErrImagePull", pullRefused)), "", "", nil},
		{"path", pathTwice, "host-path-missing", Error, []string{"/srv/missing", "shop/web-n1"}},
		{"a file in no folder, seen once", usersPod(noParent), "host-path-missing", Warning, []string{"/srv/none/file", "can't be made"}},
		{"a file in no folder", parentTwice, "host-path-missing", Error, []string{"/srv/none/file", "shop/web-n1"}},
		{"a file of the kubelet's own", usersPod(strings.ReplaceAll(noParent, "/srv/none", "/var/lib/kubelet/pods/x")), "", "", nil},
		{"no namespace", usersPod(noMirror), "mirror-pod-refused", Error, []string{"shop/web-n1 runs", "the namespace monitoring is not there"}},
		{"another pod has no namespace", usersPod(strings.ReplaceAll(noMirror, "shop/web", "shop/other")), "", "", nil},
		{"a quota", usersPod(overQuota), "mirror-pod-refused", Error, []string{"exceeded quota: few"}},
		{"a class that may come", usersPod(noPriority), "mirror-pod-refused", Warning, []string{"no PriorityClass"}},
		{"an API server that is away", usersPod(strings.ReplaceAll(noMirror, `namespaces \"monitoring\" not found`, `Post \"https://10.0.0.1:6443/api/v1/namespaces/monitoring/pods\": dial tcp 10.0.0.1:6443: connect: connection refused`)), "", "", nil},
		{"a flag", usersContainer(1, runtime.Container{ExitCode: 2, Log: wrote("flag provided but not defined: -frob")}), "component-bad-flag", Error, []string{"web refuses its flag -frob"}},
		{"it ends, the second time", usersContainer(2, runtime.Container{ExitCode: 3, Log: wrote("no luck")}), "component-crashes", Warning, []string{"web has ended 2 times"}},
		{"it ends by a signal", usersContainer(3, runtime.Container{ExitCode: 139}), "component-crashes", Error, []string{"web has ended 3 times", "exit code 139"}},
		{"it ends again and again", usersContainer(3, runtime.Container{ExitCode: 3, Log: wrote("no luck")}), "component-crashes", Error, []string{"web has ended 3 times", "exit code 3"}},
		{"refused at once", usersPod(refusedByWatch), "manifest-refused", Error, []string{"web.yaml: invalid pod: [spec.containers[0].livenessProbe: Required value"}},
		{"refused later", usersPod(refusedByList), "manifest-refused", Error, []string{"must specify a handler type"}},
		{"not admitted", usersPod(denied), "pod-not-admitted", Error, []string{"shop/web-n1", "OutOfcpu: Node didn't have enough resource: cpu"}},
		{"another pod is not admitted", usersPod(strings.ReplaceAll(denied, "shop/web", "shop/other")), "", "", nil},
		{"another file is refused", other, "", "", nil},
		{"it was refused before", before, "", "", nil},
	} {
		t.Run(c.name, c.run)
	}
	found, ok := First(catalogue(t).Causes(usersPod(ofWeb(etcdContainer("ErrImagePull", pullRefused)))))
	if !ok || !strings.Contains(found.Remedy, "in the manifest") {
		t.Errorf("its remedy: %+v", found)
	}
}
