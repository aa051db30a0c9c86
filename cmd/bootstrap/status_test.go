package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/etcd"
	"bootstrap/phases/machine"
	"bootstrap/phases/ready"
	"bootstrap/phases/status"
)

var statusNow = time.Date(2030, 1, 11, 0, 0, 0, 0, time.UTC)

// TestPrintStatus holds the whole screen, healthy and not.
func TestPrintStatus(t *testing.T) {
	s := status.Status{
		Installed: true, Ready: true, Since: "2030-01-01T00:00:00Z", Kubernetes: "v1.36.3", Node: "node-1", Address: "192.0.2.10",
		Components:   []status.Component{{Name: "containerd", State: status.StateReady}, {Name: "Node", State: status.StateReady}},
		Certificates: []diagnose.Certificate{{Path: "/a.crt", Use: "etcd", NotAfter: statusNow.AddDate(1, 0, 0)}, {Path: "/b.crt", Use: "etcd", NotAfter: statusNow.AddDate(0, 0, 100)}},
		Etcd:         &status.Etcd{Status: etcd.Status{Version: "3.6.8", SizeBytes: 3 << 20, InUseBytes: 1 << 19, Revision: 7}, Members: 1, Leader: "node-1", FsyncP99Millis: 8},
		Disks:        []status.Disk{{Path: "/var/lib/etcd", FreeBytes: 3 << 30, SizeBytes: 8 << 30}},
	}
	checkStatus(t, s, `Kubernetes v1.36.3 on node-1 (192.0.2.10): ready, installed 10d ago

  containerd  ready
  Node        ready

certificates  all 2 good; the first to expire is /b.crt in 100d
etcd          3.6.8, members: 1, leader: node-1, 3.0 MiB (512 KiB in use), revision 7, fsync p99 under 8 ms, no alarm
disk          /var/lib/etcd: 3.0 GiB of 8.0 GiB free
drift         none: files are as bootstrap wrote them
`)

	s.Ready = false
	s.Components[0] = status.Component{Name: "containerd", State: status.StateNotReady, Reason: strings.Repeat("x", 200)}
	s.Cause = &diagnose.Finding{ID: "some-id", Level: diagnose.Error, What: "it broke", Remedy: "mend it", See: "ls", Excerpt: []string{"line"}}
	s.Certificates[0].Problem, s.Certificates[0].Detail = "expired", "it expired"
	s.Certificates[1].NotAfter = statusNow.AddDate(0, 0, 20)
	s.Etcd = &status.Etcd{Error: "refused"}
	s.Disks = nil
	s.Drift = []machine.Drift{{Path: "/etc/x", What: "mode 0644"}}
	s.Notes = []string{"not looked at"}
	checkStatus(t, s, `Kubernetes v1.36.3 on node-1 (192.0.2.10): not ready, installed 10d ago

  containerd  not-ready  `+strings.Repeat("x", 160)+`...
  Node        ready

Cause: it broke
  | line
  remedy: mend it
  see: ls
  more: bootstrap explain some-id

certificates  /a.crt, for etcd: it expired
certificates  /b.crt, for etcd, expires in 20d
etcd          says nothing: refused
drift         /etc/x: mode 0644
note          not looked at
`)

	checkStatus(t, status.Status{Installed: true, Since: "2030-01-01T00:00:00Z", Notes: []string{"run init"}}, "Installed 10d ago\n\nnote  run init\n")
}

func checkStatus(t *testing.T, s status.Status, want string) {
	t.Helper()
	var b strings.Builder
	if err := printStatus(&b, s, statusNow); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestStatusLabels: what is named is a cause only if something is wrong, and it is certain.
func TestStatusLabels(t *testing.T) {
	for _, c := range []struct {
		level diagnose.Level
		ready bool
		want  string
	}{
		{diagnose.Error, false, "\nCause: x\n"}, {diagnose.Warning, false, "\nPerhaps: x\n"},
		{diagnose.Warning, true, "\nBeware: x\n"}, {diagnose.Error, true, "\nBeware: x\n"},
	} {
		var b strings.Builder
		printCause(&b, diagnose.Finding{Level: c.level, What: "x"}, c.ready)
		if !strings.HasPrefix(b.String(), c.want) {
			t.Errorf("%s, ready %t: %q", c.level, c.ready, b.String())
		}
	}
}

// TestEtcdAlarm: an alarm is not overlooked.
func TestEtcdAlarm(t *testing.T) {
	line := etcdLine(status.Etcd{Status: etcd.Status{Version: "3.6.8", Alarms: []string{"memberID:1 alarm:NOSPACE"}}})
	if !strings.Contains(line, "ALARM: memberID:1 alarm:NOSPACE") || strings.Contains(line, "fsync") {
		t.Error(line)
	}
}

// TestStatusVerdict: the exit code says which of three it is.
func TestStatusVerdict(t *testing.T) {
	var o statusOptions
	down := status.Status{Installed: true, Components: []status.Component{
		{Name: "etcd", State: status.StateReady}, {Name: "kubelet", State: status.StateNotReady}, {Name: "kube-scheduler", State: status.StateUnknown},
	}}
	for _, c := range []struct {
		s    status.Status
		code int
		text string
	}{
		{status.Status{Installed: true, Ready: true}, 0, ""},
		{status.Status{}, 2, "nothing is installed here"},
		{down, 1, "not ready: kubelet, kube-scheduler"},
		{status.Status{Installed: true, Notes: []string{"no control plane"}}, 1, "not ready: no control plane"},
	} {
		err := o.verdict(c.s)
		if got := exitCode(t.Context(), err); got != c.code || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %d, %v", c.s, got, err)
		}
	}
}

// TestStatusHidesSecrets: what logs and servers say may hold a token, and is shown without.
func TestStatusHidesSecrets(t *testing.T) {
	const token = "abcdef.0123456789abcdef"
	s := status.Status{
		Installed: true, Components: []status.Component{{Name: "x", State: status.StateNotReady, Reason: "bad token " + token}},
		Cause: &diagnose.Finding{What: "refused " + token, Excerpt: []string{"token: " + token}},
		Etcd:  &status.Etcd{Error: "no " + token}, Notes: []string{token},
	}
	hideSecrets(&s)
	var b strings.Builder
	if err := printJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "0123456789abcdef") || !strings.Contains(b.String(), "bad token") {
		t.Errorf("it shows %s", b.String())
	}
}

// TestStatusStandalone: a kubelet without a control plane says so, and what its URL gives.
func TestStatusStandalone(t *testing.T) {
	s := status.Status{
		Installed: true, Ready: true, Standalone: true, Since: "2030-01-01T00:00:00Z", Kubernetes: "v1.36.3", Node: "node-1", Address: "192.0.2.10",
		Components: []status.Component{{Name: "default/web-node-1", State: status.StateReady}},
		PodURL:     &ready.PodURLStatus{URL: "https://pods.example/", Serves: []string{"default/web-node-1"}, Runs: []string{"default/web-node-1"}},
	}
	checkStatus(t, s, `Standalone kubelet v1.36.3 on node-1 (192.0.2.10): ready, installed 10d ago

  default/web-node-1  ready

static pods  https://pods.example/ serves default/web-node-1; of what it served last runs: default/web-node-1
drift        none: files are as bootstrap wrote them
`)
	for want, p := range map[string]ready.PodURLStatus{
		"x serves none; of what it served last runs: none":             {URL: "x"},
		"x gives nothing: refused; of what it served last runs: a, b":  {URL: "x", Error: "refused", Runs: []string{"a", "b"}},
		"x gives nothing: it is empty; of what it served last runs: a": {URL: "x", Error: "it is empty", Runs: []string{"a"}},
		"x serves a, b; of what it served last runs: a":                {URL: "x", Serves: []string{"a", "b"}, Runs: []string{"a"}},
	} {
		if got := podURLLine(p); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
