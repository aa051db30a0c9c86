package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cgroupsHere makes cgroups below one of the test's own, in every hierarchy of this
// machine, and gives the roots and the name of that one.
func cgroupsHere(t *testing.T, paths ...string) (roots []string, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: making cgroups needs root")
	}
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	name = fmt.Sprintf("/bootstrap-test-%d", os.Getpid())
	roots = cgroupRoots(mounts)
	if len(roots) == 0 {
		t.Fatal("this machine has no cgroups")
	}
	for _, root := range roots {
		t.Cleanup(func() { removeAll(t, root+name) })
		for _, path := range paths {
			if err := os.MkdirAll(root+name+path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return roots, name
}

func removeAll(t *testing.T, cgroup string) {
	t.Helper()
	var dirs []string
	filepath.WalkDir(cgroup, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// startIn runs a shell script as a process of the cgroup, and returns when it has
// printed a line.
func startIn(t *testing.T, cgroup, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "echo $$ >"+cgroup+"/cgroup.procs; "+script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func existing(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		_, err := os.Stat(p)
		return err != nil
	})
}

func TestRemoveCgroups(t *testing.T) {
	roots, name := cgroupsHere(t, "/kubepods.slice/burstable/pod1", "/kubepods.slice/besteffort", "/other.slice/kubepods.slice")
	found, err := findCgroups(roots, name+"/kubepods.slice")
	if none, err := findCgroups(roots, name+"/none"); err != nil || len(none) > 0 {
		t.Errorf("found %q, %v", none, err)
	}
	if err != nil || len(found) != 4*len(roots) {
		t.Fatalf("found %q in %d hierarchies, %v", found, len(roots), err)
	}
	for _, path := range found {
		for range 2 {
			if err := removeCgroup(t.Context(), path); err != nil {
				t.Error(err)
			}
		}
	}
	if left := existing(found); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for _, root := range roots {
		if _, err := os.Stat(root + name + "/other.slice/kubepods.slice"); err != nil {
			t.Errorf("another's cgroup is gone: %v", err)
		}
	}
}

func TestRemoveCgroupWithProcess(t *testing.T) {
	roots, name := cgroupsHere(t, "/pod")
	dir := roots[slices.IndexFunc(roots, func(r string) bool { return !strings.Contains(r, "cpuset") })] + name + "/pod"
	cmd := startIn(t, dir, "echo; exec sleep 60")
	busy := (*ObstacleError)(nil)
	err := removeCgroup(t.Context(), dir)
	if !errors.As(err, &busy) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d (", cmd.Process.Pid)) {
		t.Errorf("error is %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := removeCgroup(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

func TestCgroupRoots(t *testing.T) {
	hybrid := []*mountinfo.Info{
		{Mountpoint: "/sys/fs/cgroup", FSType: "tmpfs"},
		{Mountpoint: "/sys/fs/cgroup/unified", FSType: "cgroup2", VFSOptions: "rw"},
		{Mountpoint: "/sys/fs/cgroup/pids", FSType: "cgroup", VFSOptions: "rw,pids"},
		{Mountpoint: "/sys/fs/cgroup/systemd", FSType: "cgroup", VFSOptions: "rw,xattr,name=systemd"},
		{Mountpoint: "/sys/fs/cgroup/pids", FSType: "cgroup", VFSOptions: "rw,pids"},
	}
	want := []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/systemd"}
	if diff := cmp.Diff(want, cgroupRoots(hybrid)); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		mounts []*mountinfo.Info
		want   string
	}{
		{hybrid, "/sys/fs/cgroup/systemd"},
		{[]*mountinfo.Info{{Mountpoint: "/sys/fs/cgroup", FSType: "cgroup2"}}, "/sys/fs/cgroup"},
		{nil, ""},
	} {
		if got := unitsRoot(c.mounts); got != c.want {
			t.Errorf("unitsRoot is %q, want %q", got, c.want)
		}
	}
}

// unitHere is a cgroup of the test's own where systemd keeps its units.
func unitHere(t *testing.T) string {
	t.Helper()
	_, name := cgroupsHere(t, "/unit/below", "/other")
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	return unitsRoot(mounts) + name
}

func TestKillMembers(t *testing.T) {
	dir := unitHere(t)
	gentle := startIn(t, dir+"/unit", "trap 'exit 3' TERM; echo; while :; do sleep 0.05; done")
	stubborn := startIn(t, dir+"/unit/below", "trap '' TERM; echo; while :; do sleep 0.05; done")
	bystander := startIn(t, dir+"/other", "echo; exec sleep 60")
	done := make(chan string, 2)
	for _, cmd := range []*exec.Cmd{gentle, stubborn} {
		go func() { cmd.Wait(); done <- cmd.ProcessState.String() }()
	}
	members, err := cgroupMembers(dir + "/unit")
	if err != nil || !slices.Contains(members, machine.Process{PID: gentle.Process.Pid, Command: "sh"}) {
		t.Errorf("members are %v, %v", members, err)
	}
	for range 2 {
		if err := killMembers(t.Context(), dir+"/unit"); err != nil {
			t.Error(err)
		}
	}
	got := []string{<-done, <-done}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"exit status 3", "signal: killed"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := bystander.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("a process of another cgroup is gone: %v", err)
	}
	if err := killMembers(t.Context(), dir+"/never-was"); err != nil {
		t.Error(err)
	}
}

// TestReusedProcessID: the id was of a member when they were listed, and is of
// another process now.
func TestReusedProcessID(t *testing.T) {
	dir := unitHere(t)
	startIn(t, dir+"/unit", "echo; exec sleep 60")
	other := startIn(t, dir+"/other", "trap 'exit 3' TERM; echo; while :; do sleep 0.05; done")
	if err := signalMember(dir+"/unit", other.Process.Pid, unix.SIGTERM); err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	select {
	case <-ended:
		t.Fatal("a process of another cgroup was ended")
	case <-time.After(300 * time.Millisecond):
	}
	// The same call ends a member: the test would see it.
	if err := signalMember(dir+"/other", other.Process.Pid, unix.SIGTERM); err != nil {
		t.Error(err)
	}
	<-ended
}
