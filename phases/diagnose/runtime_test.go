package diagnose

import (
	"testing"
	"time"

	"bootstrap/phases/machine"
)

// runtimeFails is a machine on which the runtime at a socket gives an error.
func runtimeFails(socket, err string, unit machine.UnitState, texts ...string) *Evidence {
	e := podsFail()
	e.RuntimeError, e.Settings.RuntimeEndpoint = err, "unix://"+socket
	e.Units[containerdUnit] = unit
	e.Journal = map[string][]machine.LogLine{containerdUnit: logged(time.Second, texts...)}
	return e
}

// What gRPC and containerd said in the faults.
const (
	noSocket    = `connection error: desc = "transport: Error while dialing: dial unix /run/crio/crio.sock: connect: no such file or directory"`
	staleSocket = `connection error: desc = "transport: Error while dialing: dial unix /run/crio/crio.sock: connect: connection refused"`
	otherServer = `connection error: desc = "error reading server preface: read unix @->/run/dbus/system_bus_socket: read: connection reset by peer"`
	criOff      = `unknown service runtime.v1.RuntimeService`
	hangs       = `rpc error: code = DeadlineExceeded desc = context deadline exceeded`
	badTOML     = `containerd: failed to unmarshal TOML at row 2 column 6: toml: expected character =`
	criFailed   = `time="2026-11-25T04:14:07.367668525Z" level=warning msg="failed to load plugin" error="invalid plugin config: no corresponding runtime configured in ` + "`containerd.runtimes` for `containerd` `default_runtime_name" + ` = \"none\"" id=io.containerd.cri.v1.runtime type=io.containerd.cri.v1`
	criNoWatch  = `time="2026-11-25T04:29:08.481001481Z" level=warning msg="failed to load plugin" error="failed to create CRI service: failed to create cni conf monitor for default: failed to create fsnotify watcher: too many open files" id=io.containerd.grpc.v1.cri type=io.containerd.grpc.v1`
	badRecovery = `time="2026-12-01T00:23:54.591295232Z" level=fatal msg="Failed to run CRI service" error="failed to recover state: failed to read base directory: open /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes: too many open files"`
	badStart    = `containerd: failed to get listener for main ttrpc endpoint: listen unix /run/containerd/containerd.sock.ttrpc: bind: read-only file system`
)

func TestRuntimeCauses(t *testing.T) {
	running := machine.UnitState{Load: "loaded", Active: "active", Sub: "running", Started: lookedAt.Add(-time.Minute)}
	waitedFor := func(waited time.Duration, err string) *Evidence {
		e := runtimeFails("/run/crio/crio.sock", err, running)
		e.Waits = lookedAt.Add(-waited)
		return e
	}
	again := machine.UnitState{Load: "loaded", Active: "activating", Sub: "auto-restart", Started: lookedAt.Add(-2 * time.Second)}
	for _, c := range []causeTest{
		{"masked", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "masked", Active: "inactive"}), "unit-masked", Error, []string{"containerd.service"}},
		{"stopped", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "inactive"}), "containerd-stopped", Error, []string{"stopped"}},
		{"given up", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "failed", Result: "exit-code", ExitStatus: 1}), "containerd-stopped", Error, []string{"exit-code", "1"}},
		{"configuration", runtimeFails(containerdSocket, noSocket, again, badTOML), "containerd-config", Error, []string{"row 2 column 6"}},
		{"does not stay up", runtimeFails(containerdSocket, noSocket, again, badStart), "containerd-fails", Error, []string{"read-only"}},
		{"does not come up", runtimeFails(containerdSocket, noSocket, again, badRecovery), "containerd-fails", Error, []string{"containerd does not stay up: failed to recover state", "too many open files"}},
		{"no program", runtimeFails(containerdSocket, noSocket, machine.UnitState{Load: "loaded", Active: "activating", Result: "exit-code", ExitStatus: 203, Started: lookedAt}), "containerd-fails", Error, []string{"can't run the program of containerd.service"}},
		{"CRI off", runtimeFails(containerdSocket, criOff, running), "runtime-without-cri", Error, []string{"disabled"}},
		{"CRI lacks inotify", runtimeFails(containerdSocket, criOff, running, criNoWatch), "inotify-used-up", Error, []string{"containerd", "inotify"}},
		{"CRI does not load", runtimeFails(containerdSocket, criOff, running, criFailed), "runtime-without-cri", Error, []string{"could not load", "default_runtime_name"}},
		{"no socket", waitedFor(11*time.Second, noSocket), "runtime-not-listening", Error, []string{"/run/crio/crio.sock", "no socket"}},
		{"nobody there", waitedFor(11*time.Second, staleSocket), "runtime-not-listening", Error, []string{"nobody"}},
		{"another runtime may be starting", waitedFor(9*time.Second, noSocket), "runtime-not-listening", Warning, nil},
		{"nobody has waited for another runtime", runtimeFails("/run/crio/crio.sock", noSocket, running), "runtime-not-listening", Warning, nil},
		{"another socket than its own", runtimeFails(containerdSocket, noSocket, running), "runtime-not-listening", Error, []string{containerdSocket}},
		{"no CRI at all", runtimeFails("/run/dbus/system_bus_socket", otherServer, running), "runtime-not-cri", Error, []string{"/run/dbus/system_bus_socket"}},
		{"hangs", runtimeFails(containerdSocket, hangs, running), "runtime-hangs", Warning, []string{containerdSocket}},
	} {
		t.Run(c.name, c.run)
	}
}

// TestRuntimeHangsOnBusyMachine: there only a runtime that was silent for long, in each look, is said to hang.
func TestRuntimeHangsOnBusyMachine(t *testing.T) {
	running := machine.UnitState{Load: "loaded", Active: "active"}
	look := func(after time.Duration, says string, before *Evidence) *Evidence {
		e := with(runtimeFails(containerdSocket, says, running), func(e *Evidence) { e.Crowding, e.Now = 3, lookedAt.Add(after) })
		e.Remember(before)
		return e
	}
	first := look(0, hangs, nil)
	for _, c := range []causeTest{
		{name: "not for long", evidence: look(20*time.Second, hangs, first)},
		{name: "long", evidence: look(40*time.Second, hangs, look(20*time.Second, hangs, first)), id: "runtime-hangs", level: Warning},
		{name: "long, and it is at work", evidence: with(look(40*time.Second, hangs, look(20*time.Second, hangs, first)), func(e *Evidence) {
			e.Journal = map[string][]machine.LogLine{containerdUnit: {{Unit: containerdUnit, At: lookedAt.Add(15 * time.Second), Text: "StartContainer returns successfully"}}}
		})},
		{name: "it has answered since", evidence: look(40*time.Second, hangs, look(20*time.Second, "", first))},
		{name: "it was not there before", evidence: look(40*time.Second, hangs, look(20*time.Second, noSocket, first))},
	} {
		t.Run(c.name, c.run)
	}
}

func TestRuntimeHasNoCause(t *testing.T) {
	again := machine.UnitState{Load: "loaded", Active: "activating", Sub: "auto-restart", Started: lookedAt.Add(-500 * time.Millisecond)}
	young := machine.UnitState{Load: "loaded", Active: "active", Started: lookedAt.Add(-500 * time.Millisecond)}
	for _, c := range []causeTest{
		{name: "it starts", evidence: runtimeFails(containerdSocket, noSocket, young)},
		{name: "it starts and takes no connection yet", evidence: runtimeFails(containerdSocket, staleSocket, young)},
		{name: "it ends while it is asked", evidence: runtimeFails(containerdSocket, otherServer, young)},
		{name: "it is started again, since it could not read its configuration", evidence: runtimeFails(containerdSocket, noSocket, again, badTOML)},
		{name: "it answers, and somebody has masked its unit", evidence: runtimeFails(containerdSocket, "", machine.UnitState{Load: "masked", Active: "active"})},
		{name: "it answers by another unit", evidence: runtimeFails("/run/crio/crio.sock", "", machine.UnitState{Load: "loaded", Active: "inactive"})},
	} {
		t.Run(c.name, c.run)
	}
}
