package staticpods

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
)

// TestCurrent: after a change of the file, what was made before does not count; unless it
// is there long after the kubelet must have seen the change, which then was none to it.
func TestCurrent(t *testing.T) {
	changed := time.Now()
	made := func(uid string, after time.Duration) runtime.Sandbox {
		s := webSandbox(uid, true, webRuns)
		s.Created = changed.Add(after)
		return s
	}
	w := &podWait{target: target{kubelet: observe.KubeletFound{NodeName: "n1"}, pod: webPod()}, replaced: replaced{since: changed, until: changed.Add(time.Minute)}}
	for _, tt := range []struct {
		name string
		all  []runtime.Sandbox
		at   time.Duration
		want string // a UID, or a part of the reason
	}{
		{"nothing", nil, time.Second, "has made no pod of it yet"},
		{"one before", []runtime.Sandbox{made("h1", -time.Hour)}, time.Second, "being stopped"},
		{"one since", []runtime.Sandbox{made("h2", time.Second), made("h1", -time.Hour)}, 2 * time.Second, "h2"},
		{"one before, that stays", []runtime.Sandbox{made("h1", -time.Hour)}, 2 * time.Minute, "h1"},
	} {
		s, err := w.current(tt.all, changed.Add(tt.at))
		if err == nil && s.UID != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want %s", tt.name, s, err, tt.want)
		}
	}
}

// TestSays: a Pod in other words is the same to the kubelet.
func TestSays(t *testing.T) {
	read := func(text string) *corev1.Pod {
		pod, err := observe.ReadPod([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		return pod
	}
	one := target{pod: read("spec: {containers: [{name: web, image: x}]} # a comment")}
	if !one.says(read("spec:\n  containers:\n  - image: x\n    name: web\n")) || one.says(read("spec: {containers: [{name: web, image: y}]}")) || one.says(nil) {
		t.Error("what is the same is another, or what is another the same")
	}
}
