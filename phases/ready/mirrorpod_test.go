package ready

import (
	"errors"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"bootstrap/phases/plan/plantest"
)

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// mirrorOf is a mirror pod that is all right, and its Node.
func mirrorOf(hash string) (*corev1.Pod, *corev1.Node) {
	started := true
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", UID: "node-uid"}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Annotations:     map[string]string{"kubernetes.io/config.mirror": hash, "kubernetes.io/config.hash": hash},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Node", Name: "node-1", UID: "node-uid"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(someTime.Add(-MinUptime))}},
		}}},
	}
	return pod, node
}

func TestCheckMirrorPod(t *testing.T) {
	status := func(change func(*corev1.ContainerStatus)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.Status.ContainerStatuses[0]) }
	}
	state := func(s corev1.ContainerState) func(*corev1.Pod) {
		return status(func(c *corev1.ContainerStatus) { c.State = s })
	}
	no := false
	cases := []struct {
		name  string
		spoil func(*corev1.Pod)
		want  string
	}{
		{"no mirror pod", func(p *corev1.Pod) { delete(p.Annotations, "kubernetes.io/config.mirror") }, "the pod of that name is no mirror pod"},
		{"no hash", func(p *corev1.Pod) { delete(p.Annotations, "kubernetes.io/config.hash") }, "of another manifest (hash , want abc)"},
		{"an old manifest", func(p *corev1.Pod) { p.Annotations["kubernetes.io/config.hash"] = "old" }, "of another manifest (hash old, want abc)"},
		{"no owner", func(p *corev1.Pod) { p.OwnerReferences = nil }, "does not belong to this Node"},
		{"a Node that was deleted", func(p *corev1.Pod) { p.OwnerReferences[0].UID = "before" }, "does not belong to this Node"},
		{"owned by no Node", func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "ReplicaSet" }, "does not belong to this Node"},
		{"two owners", func(p *corev1.Pod) { p.OwnerReferences = append(p.OwnerReferences, p.OwnerReferences[0]) }, "does not belong to this Node"},
		{"no status", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, "the mirror pod is pending"},
		{"image missing", state(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}}),
			"its container waits: ErrImagePull not found"},
		{"ended", state(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 2}}),
			"its container ended: Error, exit code 2"},
		{"no state", state(corev1.ContainerState{}), "its container has no state yet"},
		{"startup unknown", status(func(c *corev1.ContainerStatus) { c.Started = nil }), "its startup probe has not succeeded yet"},
		{"starting", status(func(c *corev1.ContainerStatus) { c.Started = &no }), "its startup probe has not succeeded yet"},
		{"not ready", status(func(c *corev1.ContainerStatus) { c.Ready = false }), "its readiness probe has not succeeded yet"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pod, node := mirrorOf("abc")
			c.spoil(pod)
			plantest.CheckError(t, checkMirrorPod(pod, node, "abc"), c.want)
		})
	}
	pod, node := mirrorOf("abc")
	if err := checkMirrorPod(pod, node, "abc"); err != nil {
		t.Errorf("a mirror pod that is all right: %v", err)
	}
}

// TestSecondContainer: a patch may add one, such as a plugin for encryption.
func TestSecondContainer(t *testing.T) {
	pod, node := mirrorOf("abc")
	pod.Spec.Containers = []corev1.Container{{Name: "kube-apiserver"}, {Name: "kms"}}
	plantest.CheckError(t, checkMirrorPod(pod, node, "abc"), "the mirror pod is running")
	second := *pod.Status.ContainerStatuses[0].DeepCopy()
	pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, second)
	if err := errors.Join(checkMirrorPod(pod, node, "abc"), checkUptime(pod, MinUptime, someTime)); err != nil {
		t.Error(err)
	}
	pod.Status.ContainerStatuses[1].State.Running.StartedAt = metav1.NewTime(someTime.Add(-time.Second))
	plantest.CheckError(t, checkUptime(pod, MinUptime, someTime), "watched until it has run for 3s")
	pod.Status.ContainerStatuses[1].Ready = false
	plantest.CheckError(t, checkMirrorPod(pod, node, "abc"), "its readiness probe has not succeeded yet")
}

func TestCheckUptime(t *testing.T) {
	pod, _ := mirrorOf("abc")
	status := &pod.Status.ContainerStatuses[0]
	status.RestartCount = 4 // long ago
	if err := checkUptime(pod, MinUptime, someTime); err != nil {
		t.Error(err)
	}
	status.State.Running.StartedAt = metav1.NewTime(someTime.Add(-MinUptime + time.Millisecond))
	plantest.CheckError(t, checkUptime(pod, MinUptime, someTime), "watched until it has run for 3s (restarts so far: 4)")
	if err := checkUptime(pod, 0, someTime); err != nil {
		t.Error(err)
	}
	status.State.Running.StartedAt = metav1.NewTime(someTime.Add(time.Minute))
	if err := checkUptime(pod, MinUptime, someTime); err != nil {
		t.Errorf("the clock was set back: %v", err)
	}
}

// TestCheckShown: the API shows a pod that was removed as ready for another second.
func TestCheckShown(t *testing.T) {
	pod, _ := mirrorOf("abc")
	shown := &pod.Status.ContainerStatuses[0]
	shown.Name, shown.ContainerID = "etcd", "containerd://old"
	if err := checkShown(pod, "etcd", "old"); err != nil {
		t.Error(err)
	}
	plantest.CheckError(t, checkShown(pod, "etcd", "new"), "of before the restart")
	if err := checkShown(pod, "other", "new"); err != nil {
		t.Errorf("a container that a patch has added: %v", err)
	}
}

// TestLease: what is shown must not rest on what a kubelet has said long ago. A Lease that is new, that
// lasts longer by the user's will, or that a clock has made that was ahead, says nothing bad.
func TestLease(t *testing.T) {
	now := time.Now()
	lease := func(age time.Duration, seconds int32) *coordinationv1.Lease {
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: now.Add(-age)}, LeaseDurationSeconds: &seconds}}
	}
	for name, c := range map[string]struct {
		lease *coordinationv1.Lease
		want  string
	}{
		"renewed":         {lease(9*time.Second, 40), ""},
		"late":            {lease(45*time.Second, 40), ""},
		"silent":          {lease(3*time.Minute, 40), "has not heard of it for 3m0s"},
		"longer":          {lease(3*time.Minute, 240), ""},
		"of the future":   {lease(-2*time.Hour, 40), ""},
		"not renewed yet": {&coordinationv1.Lease{}, ""},
	} {
		if err := checkLease(c.lease, now); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
