package diagnose

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

var lookedAt = time.Date(2026, 11, 25, 3, 45, 0, 0, time.UTC)

// logged is what a unit wrote some time before it is looked at.
func logged(before time.Duration, texts ...string) []machine.LogLine {
	var lines []machine.LogLine
	for _, text := range texts {
		lines = append(lines, machine.LogLine{At: lookedAt.Add(-before), Text: text})
	}
	return lines
}

// kubeletCrashes is a machine on which the kubelet was started two seconds ago, and a
// second later has said these lines.
func kubeletCrashes(texts ...string) *Evidence {
	return &Evidence{
		Machine: Machine{Now: lookedAt, Settings: Settings{NodeName: "n1", Components: []string{"etcd", "kube-apiserver"}, OwnNetwork: true}},
		Units: map[string]machine.UnitState{
			containerdUnit: {Load: "loaded", Active: "active", Sub: "running", Started: lookedAt.Add(-time.Minute)},
			kubeletUnit:    {Load: "loaded", Active: "activating", Sub: "auto-restart", Result: "exit-code", ExitStatus: 1, Started: lookedAt.Add(-2 * time.Second)},
		},
		Journal:    map[string][]machine.LogLine{kubeletUnit: logged(time.Second, texts...)},
		Listening:  []string{"10250"},
		StaticPods: map[string]string{"etcd-n1": "uid-etcd", "kube-apiserver-n1": "uid-api"},
	}
}

// causeTest wants one finding, or none, of all entries.
type causeTest struct {
	name     string
	evidence *Evidence
	id       string // empty: none
	level    Level
	what     []string // parts of what is said
}

func (c causeTest) run(t *testing.T) {
	found, ok := First(catalogue(t).Causes(c.evidence))
	switch {
	case !ok && c.id == "":
		return
	case found.ID != c.id || found.Level != c.level:
		t.Fatalf("got %q %q, want %q %q: %s", found.Level, found.ID, c.level, c.id, found.What)
	}
	for _, part := range c.what {
		if !strings.Contains(found.What, part) {
			t.Errorf("%q lacks %q", found.What, part)
		}
	}
	if found.Remedy == "" || found.See == "" {
		t.Errorf("%s: no remedy %q or nothing to see %q", found.ID, found.Remedy, found.See)
	}
}

const (
	saysFlag   = `E1125 03:44:17.473655    2666 run.go:72] "command failed" err="failed to parse kubelet flag: invalid argument \"many\" for \"--max-pods\" flag: strconv.ParseInt: parsing \"many\": invalid syntax"`
	saysRange  = `E1125 03:43:43.603872    2315 run.go:72] "command failed" err="failed to validate kubelet configuration, error: invalid configuration: imageGCLowThresholdPercent (--image-gc-low-threshold) 80 must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) 20, path: &TypeMeta{Kind:,APIVersion:,}"`
	saysType   = `E1125 03:44:03.877284    2510 run.go:72] "command failed" err="failed to load kubelet config file, path: /var/lib/kubelet/config.yaml, error: failed to load Kubelet config file /var/lib/kubelet/config.yaml, error failed to decode: json: cannot unmarshal string into Go struct field KubeletConfiguration.failSwapOn of type bool"`
	saysSwap   = `E1125 03:44:57.962688    3022 run.go:72] "command failed" err="failed to run Kubelet: running with swap on is not supported, please disable swap or set --fail-swap-on flag to false"`
	saysCgroup = `E1125 03:45:15.690618    3624 kubelet.go:1821] "Failed to start ContainerManager" err="system validation failed - Following Cgroup subsystem not mounted: [memory]"`
	saysPort   = `E1125 03:45:36.490584    4190 server.go:209] "Failed to listen and serve" err="listen tcp 0.0.0.0:10250: bind: address already in use"`
	saysFull   = `E1125 03:46:56.988709    5921 kuberuntime_manager.go:1594] "Failed to prepare dynamic resources" err="prepare dynamic resources: checkpoint ResourceClaim state: could not save checkpoint dra_manager_state: write /var/lib/kubelet/.1899017008: no space left on device" pod="kube-system/etcd-n1"`
	saysRO     = `E1125 03:47:27.526833    6176 server.go:260] "Failed to create listener for podResources endpoint" err="failed to unlink socket file \"/var/lib/kubelet/pod-resources/kubelet.sock\": read-only file system"`
	saysWatch  = `E1125 03:47:35.289096    6610 kubelet.go:1804] "Failed to start cAdvisor" err="inotify_init: too many open files"`
	saysCRI    = `E1125 03:42:52.062857    1618 run.go:72] "command failed" err="failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \"unix:///run/containerd/containerd.sock\": rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory\""`
	saysResolv = `E1125 03:47:50.569535    7369 dns.go:285] "Could not open resolv conf file." err="open /etc/resolv.conf.missing: no such file or directory"`
	saysEvict  = `I1125 03:48:08.435503    8232 eviction_manager.go:383] "Eviction manager: attempting to reclaim" resourceName="ephemeral-storage"`
	saysEnough = `I1125 03:48:08.935503    8232 eviction_manager.go:394] "Eviction manager: able to reduce resource pressure without evicting pods." resourceName="ephemeral-storage"`
	saysOther  = `E1125 03:44:57.962688    3022 run.go:72] "command failed" err="failed to run Kubelet: no such luck"`
)

// TestResolverOfAnother: a file that init would not name any more, as systemd-resolved was turned off, need not come back.
func TestResolverOfAnother(t *testing.T) {
	e := saidTwice(saysResolv)
	e.Resolver = Resolver{Read: true, File: "/etc/resolv.conf"}
	found := resolverMissed(e)
	if len(found) != 1 || found[0].Level != Error || !strings.Contains(found[0].Remedy, "run bootstrap init: it has the kubelet read /etc/resolv.conf") {
		t.Errorf("%+v", found)
	}
}

func TestKubeletCauses(t *testing.T) {
	full, readOnly := kubeletCrashes(saysFull), kubeletCrashes(saysRO)
	full.Disks = []Disk{{Path: "/var/lib/kubelet", Daemon: "kubelet", Disk: machine.Disk{Size: 10 * mib, Free: 4096}}}
	readOnly.Disks = []Disk{{Path: "/var/lib/kubelet", Daemon: "kubelet", Disk: machine.Disk{ReadOnly: true}}}
	pressure := saidTwice(saysEvict)
	pressure.Addons = true
	static, once := saidTwice(saysEvict), kubeletCrashes(saysEvict)
	once.Addons = true
	fileIsThere := saidTwice(saysResolv)
	fileIsThere.Resolver = Resolver{Read: true, File: "/etc/resolv.conf.missing", Servers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	masked := kubeletCrashes()
	masked.Units[kubeletUnit] = machine.UnitState{Load: "masked", Active: "inactive"}
	for _, c := range []causeTest{
		{"masked", masked, "unit-masked", Error, nil},
		{"flag", kubeletCrashes(saysFlag), "kubelet-flag", Error, []string{`invalid argument "many" for "--max-pods" flag`}},
		{"range", kubeletCrashes(saysRange), "kubelet-config", Error, []string{"/var/lib/kubelet/config.yaml", "imageGCLowThresholdPercent"}},
		{"type", kubeletCrashes(saysType), "kubelet-config", Error, []string{"KubeletConfiguration.failSwapOn of type bool"}},
		{"swap", kubeletCrashes(saysSwap), "kubelet-swap", Error, []string{"swap"}},
		{"cgroup", kubeletCrashes(saysCgroup), "kubelet-cgroups", Error, []string{"memory"}},
		{"port", kubeletCrashes(saysPort), "kubelet-port-taken", Error, []string{"0.0.0.0:10250"}},
		{"full disk", full, "kubelet-disk-full", Error, []string{"/var/lib/kubelet/.1899017008", "full"}},
		{"full disk, said twice", saidTwice(saysFull), "kubelet-disk-full", Error, nil},
		{"full disk, said once", kubeletCrashes(saysFull), "kubelet-disk-full", Warning, nil},
		{"read-only disk, said twice", saidTwice(saysRO), "kubelet-disk-read-only", Error, []string{"/var/lib/kubelet/pod-resources", "read-only"}},
		{"read-only disk, said once", kubeletCrashes(saysRO), "kubelet-disk-read-only", Warning, nil},
		{"inotify", kubeletCrashes(saysWatch), "inotify-used-up", Error, []string{"inotify"}},
		{"inotify of its files only", kubeletCrashes(strings.Replace(saysWatch, "Failed to start cAdvisor", "Failed to watch CA file, will retry later", 1)), "inotify-used-up", Warning, []string{"inotify"}},
		{"resolver", saidTwice(saysResolv), "resolver-file-missing", Error, []string{"/etc/resolv.conf.missing", "no such file"}},
		{"resolver, said once", kubeletCrashes(saysResolv), "resolver-file-missing", Warning, nil},
		{"resolver that is there now", fileIsThere, "resolver-file-missing", Warning, nil},
		{"pressure", pressure, "node-pressure", Error, []string{"ephemeral-storage"}},
		{"pressure, said once", once, "node-pressure", Warning, nil},
		{"pressure, while static pods are waited for", static, "node-pressure", Warning, nil},
		{"anything, once, and systemd has given it up", with(kubeletCrashes(saysOther), func(e *Evidence) {
			unit := e.Units[kubeletUnit]
			unit.Active = "failed"
			e.Units[kubeletUnit] = unit
		}), "kubelet-fails", Error, []string{"no such luck"}},
		{"anything, three times", kubeletCrashes(saysOther, saysOther, saysOther), "kubelet-fails", Error, []string{"no such luck"}},
	} {
		t.Run(c.name, c.run)
	}
	if f, _ := First(catalogue(t).Causes(readOnly)); f.ID != "kubelet-disk-read-only" || f.Level != Error {
		t.Errorf("said once, and it is so: %+v", f)
	}
}

// saidTwice is a machine on which the kubelet has said a line each ten seconds.
func saidTwice(text string) *Evidence {
	e := kubeletCrashes(text)
	e.Journal[kubeletUnit] = append(logged(11*time.Second, text), e.Journal[kubeletUnit]...)
	return e
}

// TestKubeletHasNoCause is of machines that are only slow, or were mended.
func TestKubeletHasNoCause(t *testing.T) {
	startedSince := func(texts ...string) *Evidence {
		e := kubeletCrashes(texts...)
		unit := e.Units[kubeletUnit]
		unit.Active, unit.Started = "active", lookedAt.Add(-500*time.Millisecond)
		e.Units[kubeletUnit] = unit
		return e
	}
	podSince := func(text string) *Evidence {
		e := startedSince(text)
		e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: "etcd-n1", UID: "uid-etcd", Ready: true, Created: lookedAt.Add(-100 * time.Millisecond)}}
		return e
	}
	longAgo := func(text string) *Evidence {
		e := startedSince()
		e.Journal[kubeletUnit] = logged(time.Minute, text)
		return e
	}
	unknown := kubeletCrashes(saysFlag)
	unknown.Units = nil // systemd did not answer
	enough := saidTwice(saysEvict)
	enough.Addons = true
	enough.Journal[kubeletUnit] = append(enough.Journal[kubeletUnit], logged(time.Second, saysEnough)...)
	free := kubeletCrashes(saysPort)
	free.Listening = nil
	late := kubeletCrashes(saysCRI, saysCRI, saysCRI)
	late.RuntimeError = `connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory"`
	late.Units[containerdUnit] = machine.UnitState{Load: "loaded", Active: "activating", Started: lookedAt.Add(-time.Second)}
	for _, c := range []causeTest{
		{name: "a process that another took the place of", evidence: startedSince(saysFlag, saysRange, saysType, saysSwap, saysCgroup, saysPort)},
		{name: "no state of the unit", evidence: unknown},
		{name: "whoever held the port is gone", evidence: free},
		{name: "twice is not thrice", evidence: kubeletCrashes(saysOther, saysOther)},
		{name: "a runtime that starts", evidence: late},
		{name: "space since", evidence: podSince(saysFull)},
		{name: "writable since", evidence: podSince(saysRO)},
		{name: "a resolver since", evidence: podSince(saysResolv)},
		{name: "it was enough to remove images", evidence: enough},
		{name: "no pressure for a while", evidence: longAgo(saysEvict)},
		{name: "inotify long ago", evidence: longAgo(saysWatch)},
	} {
		t.Run(c.name, c.run)
	}
}

// TestHealthy reads the journals of an init that went well, as if each line were the last.
func TestHealthy(t *testing.T) {
	e := kubeletCrashes()
	e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "active", Sub: "running", Started: lookedAt.Add(-10 * time.Second)}
	for _, unit := range []string{kubeletUnit, containerdUnit} {
		file := "testdata/healthy-" + strings.TrimSuffix(unit, ".service") + ".txt"
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) < 50 {
			t.Fatalf("%s has only %d lines", file, len(lines))
		}
		for _, line := range lines {
			e.Journal = map[string][]machine.LogLine{unit: logged(time.Second, line)}
			if found, ok := First(catalogue(t).Causes(e)); ok {
				t.Errorf("%s %s: %s\n%s", found.Level, found.ID, found.What, line)
			}
		}
	}
}

func TestStoppedKubelet(t *testing.T) {
	stopped, before := kubeletCrashes("I1125 server.go:1] starting"), kubeletCrashes()
	starts := kubeletCrashes("I1125 server.go:1] starting")
	for _, e := range []*Evidence{stopped, before} {
		e.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "inactive", Result: "success"}
	}
	starts.Units[kubeletUnit] = machine.UnitState{Load: "loaded", Active: "activating", Sub: "start"}
	for _, c := range []causeTest{
		{"it ran", stopped, "kubelet-stopped", Error, []string{"inactive"}},
		{"perhaps not yet started", before, "kubelet-stopped", Warning, nil},
		{name: "starts", evidence: starts},
	} {
		t.Run(c.name, c.run)
	}
}

// TestAfter: what was logged before a moment is not in the evidence after it.
func TestAfter(t *testing.T) {
	e := podsFail()
	e.Journal[kubeletUnit] = append(logged(20*time.Second, saysOther), logged(time.Second, saysFlag)...)
	later := e.After(lookedAt.Add(-10 * time.Second))
	if got := later.Journal[kubeletUnit]; len(got) != 1 || got[0].Text != saysFlag || len(e.Journal[kubeletUnit]) != 2 {
		t.Errorf("got %+v", got)
	}
}
