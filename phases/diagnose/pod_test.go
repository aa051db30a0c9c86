package diagnose

import (
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// podsFail is a machine with a kubelet that runs, and has said these lines.
func podsFail(texts ...string) *Evidence {
	e := kubeletCrashes(texts...)
	e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Sub: "running", Started: lookedAt.Add(-10 * time.Second)}
	return e
}

// syncError is a line of the kubelet about the pod of etcd, or of an addon.
func syncError(pod, uid, step, of, kind, message string) string {
	return `E1125 03:48:48.175559    8382 pod_workers.go:1338] "Error syncing pod, skipping" err="failed to \"` + step + `\" for \"` + of + `\" with ` + kind + `: \"` +
		strings.ReplaceAll(message, `"`, `\\\"`) + `\"" pod="kube-system/` + pod + `" podUID="` + uid + `"`
}

// dnsImage is a pod of cluster DNS without its image, in a sandbox that is there or was stopped.
func dnsImage(ready bool) *Evidence {
	e := podsFail(syncError("coredns-1", "uid-dns", "StartContainer", "coredns", "ErrImagePull", pullRefused))
	e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "coredns-1", UID: "uid-dns", Ready: ready, Created: lookedAt.Add(-time.Minute)}}
	return e
}

func etcdSandbox(reason string) string {
	return syncError("etcd-n1", "uid-etcd", "CreatePodSandbox", "etcd-n1_kube-system(uid-etcd)", "CreatePodSandboxError",
		`Failed to create sandbox for pod "etcd-n1_kube-system(uid-etcd)": rpc error: code = Unknown desc = failed to start sandbox "cb5387f2": `+reason)
}

func etcdContainer(kind, reason string) string {
	return syncError("etcd-n1", "uid-etcd", "StartContainer", "etcd", kind, reason)
}

func corednsSandbox(reason string) string {
	return syncError("coredns-8b4dddfff-f9z9g", "uid-dns", "CreatePodSandbox", "coredns-8b4dddfff-f9z9g_kube-system(uid-dns)", "CreatePodSandboxError",
		`Failed to create sandbox for pod "coredns-8b4dddfff-f9z9g_kube-system(uid-dns)": rpc error: code = Unknown desc = `+reason)
}

// What the runtime and the kubelet said in the faults of the same names.
const (
	pullRefused = `failed to pull and unpack image "registry.example/x:1": failed to resolve image: failed to do request: Head "https://registry.example/v2/x/manifests/1": dial tcp: lookup registry.example on 10.77.0.1:53: read udp 10.77.0.2:56004->10.77.0.1:53: read: connection refused`
	pullSlow    = `failed to pull and unpack image "registry.example/x:1": failed to resolve image: failed to do request: Head "https://registry.example/v2/x/manifests/1": dial tcp 192.0.2.7:443: i/o timeout`
	pullBusy    = `failed to pull and unpack image "registry.example/x:1": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.example/v2/x/blobs/sha256:1: 429 Too Many Requests - Server message: toomanyrequests: slow down`
	pauseGone   = `failed to get sandbox image "registry.example/x:1": failed to pull image "registry.example/x:1": ` + pullRefused
	runcGone    = `failed to create containerd task: failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open /run/containerd/io.containerd.runtime.v2.task/k8s.io/2802/log.json: no such file or directory): fork/exec /usr/local/bin/runc: no such file or directory`
	runcNowhere = `failed to create containerd task: failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open /run/containerd/io.containerd.runtime.v2.task/k8s.io/2802/log.json: no such file or directory): exec: "runc": executable file not found in $PATH`
	noSeccomp   = `failed to create containerd container: cannot load seccomp profile "/var/lib/kubelet/seccomp/missing.json": open /var/lib/kubelet/seccomp/missing.json: no such file or directory`
	notRoot     = `container's runAsUser breaks non-root policy (pod: "etcd-n1_kube-system(uid-etcd)", container: etcd)`
	noPath      = `E1125 03:50:43.434307   10641 nestedpendingoperations.go:348] Operation for "{volumeName:kubernetes.io/host-path/uid-etcd-own podName:uid-etcd nodeName:}" failed. No retries permitted until 2026-11-25 03:50:47.43427233 +0000 UTC m=+13.871225306 (durationBeforeRetry 4s). Error: MountVolume.SetUp failed for volume "own" (UniqueName: "kubernetes.io/host-path/uid-etcd-own") pod "etcd-n1" (UID: "uid-etcd") : hostPath type check failed: /srv/missing is not a directory`
	noBridge1   = `plugin type="bridge" name="bootstrap" failed (add): failed to find plugin "bridge" in path [/opt/cni/bin]`
	startFailed = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "etcd": executable file not found in $PATH`
)

// etcdEnded is a machine on which the container of etcd has ended for the second time.
func etcdEnded(c runtime.Container) *Evidence {
	e := podsFail()
	c.Name, c.Image, c.Exited, c.Attempt = "etcd", "registry.example/etcd:3", true, 1
	before := c
	before.Attempt, before.Started, before.Finished = 0, lookedAt.Add(-7*time.Second), lookedAt.Add(-6*time.Second)
	c.Started, c.Finished = lookedAt.Add(-4*time.Second), lookedAt.Add(-3*time.Second)
	e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-9 * time.Second), Containers: []runtime.Container{c, before}}}
	return e
}

func TestPodCauses(t *testing.T) {
	pathTwice := podsFail(noPath)
	pathTwice.Journal[kubeletUnit] = append(logged(2*time.Second, noPath), pathTwice.Journal[kubeletUnit]...)
	for _, c := range []causeTest{
		{"pause image", podsFail(etcdSandbox(pauseGone)), "pause-image-missing", Error, []string{"kube-system/etcd-n1", "registry.example/x:1", "connection refused"}},
		{"image", podsFail(etcdContainer("ErrImagePull", pullRefused)), "image-missing", Error, []string{"kube-system/etcd-n1", "registry.example/x:1", "can't be pulled: dial tcp"}},
		{"image, later", podsFail(etcdContainer("ImagePullBackOff", `Back-off pulling image "registry.example/x:1": ErrImagePull: `+pullRefused)), "image-missing", Error, nil},
		{"image, from a slow registry", podsFail(etcdContainer("ErrImagePull", pullSlow)), "image-missing", Warning, []string{"i/o timeout"}},
		{"image, from a busy registry", podsFail(etcdContainer("ErrImagePull", pullBusy)), "image-missing", Warning, []string{"429"}},
		{"pause image, from a slow registry", podsFail(etcdSandbox(`failed to get sandbox image "registry.example/x:1": failed to pull image "registry.example/x:1": ` + pullSlow)), "pause-image-missing", Warning, nil},
		{"runc", podsFail(etcdSandbox(runcGone)), "runc-missing", Error, []string{"/usr/local/bin/runc"}},
		{"runc nowhere", podsFail(etcdSandbox(runcNowhere)), "runc-missing", Error, []string{"runc"}},
		{"path, said once", podsFail(noPath), "host-path-missing", Warning, nil},
		{"path", pathTwice, "host-path-missing", Error, []string{"/srv/missing", "directory", "kube-system/etcd-n1"}},
		{"seccomp", podsFail(etcdContainer("CreateContainerError", noSeccomp)), "container-not-created", Error, []string{"etcd of kube-system/etcd-n1", "seccomp/missing.json"}},
		{"user", podsFail(etcdContainer("CreateContainerConfigError", notRoot)), "container-not-created", Error, []string{"non-root"}},
		{"sandbox gone", podsFail(etcdContainer("RunContainerError", "failed to create containerd task: failed to start shim: can't find shim for sandbox 757674f99702: not found")), "container-not-created", Warning, nil},
		{"busy machine", podsFail(etcdContainer("RunContainerError", "failed to create containerd task: failed to start shim: fork/exec /usr/local/bin/containerd-shim-runc-v2: resource temporarily unavailable")), "container-not-created", Warning, nil},
		{"slow runtime", podsFail(etcdContainer("CreateContainerError", "context deadline exceeded")), "container-not-created", Warning, nil},
		{"any sandbox", podsFail(etcdSandbox("no such luck")), "pod-not-created", Warning, []string{"no such luck"}},
		{"CNI plugin", podsFail(corednsSandbox(noBridge1)), "cni-plugin-missing", Warning, []string{"bridge", "/opt/cni/bin"}},
		{"CNI configuration", runtimeFails(containerdSocket, "", machine.UnitState{Load: "loaded", Active: "active"}, `time="2026-11-25T04:13:03.514434376Z" level=error msg="failed to reload cni configuration after receiving fs change event(WRITE         \"/etc/cni/net.d/.10-bootstrap.conflist.new\")" error="cni config load failed: failed to load CNI config list file /etc/cni/net.d/10-bootstrap.conflist: error parsing configuration list: unexpected end of JSON input: invalid cni config: failed to load cni config"`), "cni-config-invalid", Warning, []string{"10-bootstrap.conflist", "unexpected end"}},
		{"an addon's image", dnsImage(true), "image-missing", Warning, nil},
		{"other processor", etcdEnded(runtime.Container{ExitCode: 255, Log: wrote("exec /usr/local/bin/etcd: exec format error")}), "image-cannot-run", Error, []string{"/usr/local/bin/etcd", "another processor"}},
		{"no program", etcdEnded(runtime.Container{ExitCode: 128, Reason: "StartError", Message: startFailed}), "image-cannot-run", Error, []string{"etcd in the image registry.example/etcd:3"}},
		{"out of memory", etcdEnded(runtime.Container{ExitCode: 137, Reason: "OOMKilled"}), "container-oom-killed", Error, []string{"etcd", "2 times"}},
	} {
		t.Run(c.name, c.run)
	}
}

// TestPodsHaveNoCause is of pods that came up since, were replaced, or are of others.
func TestPodsHaveNoCause(t *testing.T) {
	upSince := podsFail(etcdSandbox(pauseGone), noPath)
	upSince.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-500 * time.Millisecond)}}
	runsSince := podsFail(etcdContainer("ErrImagePull", pullRefused), etcdContainer("CreateContainerError", noSeccomp))
	runsSince.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-5 * time.Second),
		Containers: []runtime.Container{{Name: "etcd", Running: true, Started: lookedAt.Add(-500 * time.Millisecond)}}}}
	endedSince := podsFail(etcdContainer("ErrImagePull", pullRefused))
	endedSince.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-5 * time.Second),
		Containers: []runtime.Container{{Name: "etcd", Exited: true, Started: lookedAt.Add(-500 * time.Millisecond)}}}}
	replaced := podsFail(etcdSandbox(pauseGone), etcdContainer("ErrImagePull", pullRefused), noPath)
	replaced.StaticPods["etcd-n1"] = "uid-of-the-manifest-now"
	replacedContainer := etcdEnded(runtime.Container{ExitCode: 255, Log: wrote("exec /usr/local/bin/etcd: exec format error")})
	replacedContainer.StaticPods["etcd-n1"] = "uid-of-the-manifest-now"
	longAgo := podsFail()
	longAgo.Journal[kubeletUnit] = logged(time.Minute, etcdSandbox(pauseGone), noPath)
	others := podsFail(strings.ReplaceAll(etcdContainer("ErrImagePull", pullRefused), "kube-system/etcd-n1", "shop/web-1"))
	beforeThisRun := etcdEnded(runtime.Container{ExitCode: 255, Log: wrote("exec /usr/local/bin/etcd: exec format error")})
	beforeThisRun.Since = lookedAt.Add(-2 * time.Second)
	notAwaited := podsFail(etcdSandbox(pauseGone))
	notAwaited.Settings.Components = []string{"kube-apiserver"}
	ran := etcdEnded(runtime.Container{ExitCode: 0})
	for _, c := range []causeTest{
		{name: "a sandbox since", evidence: upSince},
		{name: "a container since", evidence: runsSince},
		{name: "a container since, which has ended", evidence: endedSince},
		{name: "another manifest", evidence: replaced},
		{name: "a container of another manifest", evidence: replacedContainer},
		{name: "long ago", evidence: longAgo},
		{name: "a user's pod", evidence: others},
		{name: "ended well", evidence: ran},
		{name: "ended before this run, which may have mended it", evidence: beforeThisRun},
		{name: "a pod that is not waited for", evidence: notAwaited},
		{name: "an addon's pod was deleted", evidence: dnsImage(false)},
		{name: "the kubelet has just started", evidence: podsFail(syncError("coredns-1", "uid-dns", "StartContainer", "coredns", "CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars"))},
		{name: "no CNI configuration yet", evidence: runtimeFails(containerdSocket, "", machine.UnitState{Load: "loaded", Active: "active"}, `time="2026-11-25T04:07:12Z" level=error msg="failed to load cni during init, please check CRI plugin status before setting up network for pods" error="cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config"`)},
	} {
		t.Run(c.name, c.run)
	}
}
