package diagnose

import (
	"testing"
	"time"

	"bootstrap/phases/runtime"
)

// longUp is a machine on which a component has run for an hour, in a container "c1".
func longUp(name string) *Evidence {
	e := componentRuns(name)
	c := &e.Pods[0].Containers[0]
	c.ID, c.Started = "c1", lookedAt.Add(-time.Hour)
	return e
}

// unanswered is a server that has taken a connection and said nothing since.
func unanswered(since time.Duration) Server {
	return Server{Address: "10.0.0.1:1", Dial: Open, Error: "context deadline exceeded", Unanswered: since}
}

func TestHangs(t *testing.T) {
	stopped, kubelet, other := longUp("kube-scheduler"), longUp("etcd"), longUp("etcd")
	stopped.Stopped = map[int]string{9: "0::/kubepods.slice/cri-containerd-c1.scope\n"}
	kubelet.Stopped = map[int]string{7: "1:cpu:/system.slice/kubelet.service\n0::/system.slice/kubelet.service\n"}
	other.Stopped = map[int]string{7: "0::/user.slice\n", 8: "0::/system.slice/kubelet.service/x\n"}
	dropped := longUp("kube-apiserver")
	dropped.API, dropped.Stopped = Server{Address: "10.0.0.1:6443", Dial: TimedOut}, stopped.Stopped
	etcd, api, behind, starts, crowd, busy := longUp("etcd"), longUp("kube-apiserver"), longUp("kube-apiserver"), longUp("kube-apiserver"), longUp("kube-apiserver"), longUp("kube-apiserver")
	for _, e := range []*Evidence{api, starts, crowd, busy} {
		e.API, e.Etcd.Status = unanswered(silence), 200
	}
	etcd.Etcd, behind.API, behind.Etcd = unanswered(silence), unanswered(silence), unanswered(time.Second)
	busy.API.Unanswered = time.Second
	starts.Pods[0].Containers[0].Started = lookedAt.Add(-50 * time.Second)
	crowd.Crowding, crowd.Pods[0].Containers[0].Started = 3, lookedAt.Add(-2*time.Minute)
	mute := with(longUp("etcd"), func(e *Evidence) { e.Etcd, e.Crowding = unanswered(time.Minute), 3 })
	mute.Pods[0].Containers[0].Log = []runtime.LogLine{{At: lookedAt.Add(-time.Minute), Text: "apply took too long"}}
	for _, c := range []causeTest{
		{"stopped", stopped, "process-stopped", Warning, []string{"kube-scheduler", "process 9"}},
		{"the kubelet is stopped", kubelet, "process-stopped", Warning, []string{"kubelet", "process 7"}},
		{"stopped so long that its queue is full", dropped, "process-stopped", Warning, []string{"kube-apiserver"}},
		{"etcd hangs", etcd, "component-hangs", Warning, []string{"etcd", "10.0.0.1:1"}},
		{"etcd hangs on a busy machine", mute, "component-hangs", Warning, []string{"etcd"}},
		{"the API server hangs", api, "component-hangs", Warning, []string{"kube-apiserver"}},
		{name: "somebody else is stopped", evidence: other},
		{name: "the API server may wait for etcd", evidence: behind},
		{name: "it has just started", evidence: starts},
		{name: "it starts on a crowded machine", evidence: crowd},
		{name: "it is only busy", evidence: busy},
	} {
		t.Run(c.name, c.run)
	}
}

// TestSilence: two looks know more than one.
func TestSilence(t *testing.T) {
	before, now := longUp("etcd"), longUp("etcd")
	before.Now, before.Etcd, now.Etcd = lookedAt.Add(-2*time.Second), unanswered(1500*time.Millisecond), unanswered(1500*time.Millisecond)
	causeTest{name: "one look", evidence: now}.run(t)
	now.Remember(before)
	causeTest{name: "two looks", evidence: now, id: "component-hangs", level: Warning}.run(t)
	now.Etcd.Unanswered, before.Etcd.Unanswered = time.Second, 0
	now.Remember(before)
	causeTest{name: "it answered in between", evidence: now}.run(t)
}
