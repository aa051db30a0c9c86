package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const loadProgram = ".cache/e2e/load"

// snapshotSize is how much the test of snapshots does.
type snapshotSize struct{ objects, perSecond, snapshots, restores int }

func (s snapshotSize) String() string {
	return fmt.Sprintf("%d objects, %d snapshots", s.objects, s.snapshots)
}

var (
	manySnapshots = snapshotSize{50_000, 200, 30, 5}
	fewSnapshots  = snapshotSize{1_500, 200, 2, 1}
)

// archived is an entry of etcd snapshot -o json.
type archived struct {
	Name string
	Meta struct{ Revision int64 }

	Proof, Problem string
}

// etcdNode has a cluster, and the programs of these tests.
func etcdNode(t *testing.T, deadline time.Duration) *Node {
	t.Helper()
	build := exec.Command("go", "test", "-c", "-o", path(loadProgram), "./testdata/e2e/load")
	build.Dir, build.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build load: %v\n%s", err, out)
	}
	n := Up(t, deadline)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Copy(loadProgram, "/root/load")
	return n
}

// save makes an archive, and gives its entry.
func (n *Node) save(args ...string) archived {
	n.t.Helper()
	r := n.MustBootstrap(append([]string{"etcd", "snapshot", "save", "--output", "json"}, args...)...)
	return lastSnapshots(n, r.Out)[0]
}

func (n *Node) snapshots(args ...string) []archived {
	n.t.Helper()
	return lastSnapshots(n, n.MustBootstrap(append([]string{"etcd", "snapshot", "list", "--output", "json"}, args...)...).Out)
}

// lastSnapshots reads the object in the last line.
func lastSnapshots(n *Node, out string) []archived {
	n.t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var object struct{ Snapshots []archived }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	return object.Snapshots
}

// start runs a program beside the test; end ends it, and wants it to end well.
func (n *Node) start(name string, args ...string) (end func()) {
	n.t.Helper()
	n.MustExec(append([]string{"systemd-run", "--quiet", "--unit=" + name, "--property=RemainAfterExit=yes"}, args...)...)
	return func() {
		n.t.Helper()
		n.MustSh("systemctl kill " + name + " 2>/dev/null || true; for i in $(seq 100); do pgrep -f '^" + args[0] + " " + args[1] + "' >/dev/null || break; sleep 0.1; done")
		if result := strings.TrimSpace(n.MustExec("systemctl", "show", "-P", "Result", name)); result != "success" {
			n.t.Errorf("%s: %s: %s", name, result, n.Exec("journalctl", "--no-pager", "-o", "cat", "-u", name).Out)
		}
		n.Sh("systemctl stop " + name + " 2>/dev/null; systemctl reset-failed " + name + " 2>/dev/null")
	}
}

// acknowledged are the objects that the writer was told were written, with their resourceVersions.
func (n *Node) acknowledged() map[string]int64 {
	n.t.Helper()
	all := map[string]int64{}
	for line := range strings.Lines(n.MustExec("cat", "/tmp/acked")) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			n.t.Fatal(err)
		}
		all[name] = at
	}
	return all
}

// objects are what the cluster has of the writer's, with the resourceVersions.
func (n *Node) objects() map[string]int64 {
	n.t.Helper()
	out := n.MustKubectl("get", "configmaps", "-n", "load", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion} {.data.number}{"\n"}{end}`)
	all := map[string]int64{}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) != 3 { // kube-root-ca.crt
			continue
		}
		at, err := strconv.ParseInt(words[1], 10, 64)
		if number, numberErr := strconv.Atoi(words[2]); err != nil || numberErr != nil || fmt.Sprintf("object-%06d", number) != words[0] {
			n.t.Fatalf("object %s is not as it was written", line)
		}
		all[words[0]] = at
	}
	return all
}

// isExactly wants all that was acknowledged up to a revision, as it was written then, and nothing after it.
func (n *Node) isExactly(acked map[string]int64, revision int64) {
	n.t.Helper()
	got := n.objects()
	for name, at := range acked {
		if now, there := got[name]; there != (at <= revision) || there && now != at {
			n.t.Fatalf("%s of revision %d: there %t at %d, after a restore of revision %d", name, at, there, now, revision)
		}
	}
	for name, at := range got {
		if at > revision {
			n.t.Errorf("%s is of revision %d, after a restore of revision %d", name, at, revision)
		}
	}
	n.t.Logf("%d objects, as at revision %d", len(got), revision)
}

// TestSnapshot saves snapshots under load, each of which is proven by an etcd; a restored one is exactly what it
// was, and all who watch go on with it.
func TestSnapshot(t *testing.T) {
	size := fewSnapshots
	if *runAll {
		size = manySnapshots
	}
	n := etcdNode(t, 60*time.Minute)
	before := n.survey()
	n.MustBootstrap("init")
	end := n.start("writer", "/root/load", "write", "/tmp/acked", strconv.Itoa(size.objects), strconv.Itoa(size.perSecond))
	whole := time.Duration(size.objects/size.perSecond) * time.Second
	var all []archived
	for i := range size.snapshots {
		time.Sleep(whole / time.Duration(size.snapshots+1))
		all = append(all, n.save())
		t.Logf("snapshot %d: revision %d", i, all[i].Meta.Revision)
	}
	for i, each := range all {
		args := []string{"etcd", "snapshot", "verify", "--deep", each.Name}
		if i == 0 {
			args[3] = "--with-apiserver"
		}
		n.MustBootstrap(args...)
	}
	for _, e := range n.snapshots() {
		if !strings.HasPrefix(e.Proof, "etcd") || e.Problem != "" {
			t.Errorf("%s is not proven: %s %s", e.Name, e.Proof, e.Problem)
		}
	}
	n.Eventually(whole+5*time.Minute, "the writer is through", func() error {
		return n.Sh("! pgrep -f '^/root/load write'").err()
	})
	end()
	acked := n.acknowledged()
	for i := range size.restores {
		a := all[i*len(all)/size.restores]
		t.Run(fmt.Sprintf("Restore/%d", a.Meta.Revision), func(t *testing.T) { n.In(t).restores(a, acked) })
	}
	n.MustReset("/root/bootstrap")
	n.MustSh("rm -rf /tmp/acked /tmp/seen /tmp/kubectl")
	if left := n.MustSh("ls /var/lib/bootstrap-snapshots | grep -c tar.zst$ || true"); strings.TrimSpace(left) != strconv.Itoa(len(all)+size.restores) {
		t.Errorf("reset leaves the user's snapshots, of %d and one before each restore are there %s", len(all), left)
	}
	n.MustSh("rm -r /var/lib/bootstrap-snapshots")
	n.SameSurvey("after reset", before)
}

// restores restores an archive while an informer and a pod that it does not know are there.
func (n *Node) restores(a archived, acked map[string]int64) {
	n.t.Helper()
	file := "/var/lib/bootstrap-snapshots/" + a.Name
	endWatcher := n.start("watcher", "/root/load", "watch", "/tmp/seen")
	n.Eventually(30*time.Second, "a pod that the archive does not know", func() error {
		return n.Kubectl("run", "phantom", "--image="+n.pauseImage(), "--restart=Never").err()
	})
	n.MustKubectl("wait", "--for=condition=Ready", "pod/phantom", "--timeout=18s")
	plan := n.MustBootstrap("etcd", "restore", "--dry-run", "--output", "json", file)
	r := n.MustBootstrap("etcd", "restore", "--force", "--output", "json", file)
	sameChanges(n, plan.Out, r.Out)
	n.Healthy(time.Minute)
	n.isExactly(acked, a.Meta.Revision)
	n.Eventually(time.Minute, "no pod runs that the cluster does not know", func() error {
		return n.Sh(`! /root/bootstrap pods | grep phantom | grep -q ready`).err()
	})
	n.deploymentScales()
	time.Sleep(10 * time.Second) // an informer that is lost would be for longer
	endWatcher()
	seen := strings.Fields(strings.ReplaceAll(n.MustExec("cat", "/tmp/seen"), "kube-root-ca.crt", ""))
	var has []string
	for name := range n.objects() {
		has = append(has, name)
	}
	slices.Sort(has)
	if !slices.Equal(seen, has) {
		n.t.Errorf("the informer believes in %d objects, and there are %d", len(seen), len(has))
	}
}

// sameChanges wants a dry run and the run to list the same.
func sameChanges(n *Node, plan, run string) {
	n.t.Helper()
	of := func(out string) (list []string) {
		for line := range strings.Lines(out) {
			var event struct {
				Change struct{ Op, Verb, Target string }
			}
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				n.t.Fatalf("%v: %s", err, line)
			}
			if c := event.Change; c.Target != "" {
				list = append(list, c.Verb+" "+c.Op+" "+c.Target)
			}
		}
		slices.Sort(list)
		return list
	}
	if p, r := of(plan), of(run); len(p) < 4 || !slices.Equal(p, r) {
		n.t.Errorf("a dry run lists\n%s\nand the run\n%s", strings.Join(p, "\n"), strings.Join(r, "\n"))
	}
}

// deploymentScales wants the controllers to act.
func (n *Node) deploymentScales() {
	n.t.Helper()
	n.Sh("kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=/tmp/kubectl delete deployment scales --ignore-not-found")
	n.Eventually(30*time.Second, "a Deployment is accepted", func() error {
		return n.Kubectl("create", "deployment", "scales", "--image="+n.pauseImage(), "--replicas=1").err()
	})
	n.MustKubectl("scale", "deployment/scales", "--replicas=3")
	n.Eventually(time.Minute, "it scales", func() error {
		out := n.MustKubectl("get", "deployment", "scales", "-o", "jsonpath={.status.readyReplicas}")
		if out != "3" {
			return fmt.Errorf("%q of 3 are ready", out)
		}
		return nil
	})
	n.MustKubectl("delete", "deployment", "scales", "--wait=false")
}

// restoreKills are the moments at which a restore is killed.
func restoreKills() []moment {
	all := evenly(12)
	for _, phase := range []string{"restore-stage", "restore-stop", "restore-switch", "preflight", "kubelet-start", "wait-control-plane"} {
		all = append(all, moment{text: fmt.Sprintf("%-20s done", phase)})
	}
	return all
}

// TestRestoreKill kills a restore at many moments: run again it ends as one that was not killed, and with --undo the
// cluster is what it was.
func TestRestoreKill(t *testing.T) {
	n := etcdNode(t, 60*time.Minute)
	n.MustBootstrap("init")
	n.MustKubectl("create", "configmap", "old", "--from-literal=a=b")
	a := n.save("--verify")
	file := "/var/lib/bootstrap-snapshots/" + a.Name
	start := time.Now()
	n.MustBootstrap("etcd", "restore", "--force", file)
	whole := time.Since(start)
	kills := restoreKills()
	for _, m := range selected(t, kills, kills[13]) {
		for _, undo := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/undo=%t", m, undo), func(t *testing.T) { n.In(t).killRestore(m, whole, file, undo) })
		}
	}
}

func (n *Node) killRestore(m moment, whole time.Duration, file string, undo bool) {
	n.t.Helper()
	n.Kubectl("create", "configmap", "new", "--from-literal=a=b")
	if !n.killed(m, whole, "etcd", "restore", "--force", file) {
		n.t.Logf("it had ended before it was killed at %s", m)
	}
	args := []string{"etcd", "restore", "--force", file}
	if undo {
		args[3] = "--undo"
	}
	r := n.Bootstrap(args...)
	nothing := undo && r.Code == 2 && r.Has("the last restore has ended") // it was killed before it began, or after its end
	if r.Code != 0 && !nothing {
		n.t.Fatalf("after a kill at %s: %s", m, r)
	}
	n.Healthy(time.Minute)
	n.MustKubectl("get", "configmap", "old")
	if there := n.Kubectl("get", "configmap", "new").Code == 0; there != undo && !nothing {
		n.t.Errorf("what came after the snapshot is there: %t, want %t", there, undo)
	}
	n.MustSh("rm -rf /var/lib/etcd/before-*")
}

// TestSnapshotFaults: a save that is killed, or for which there is no room, leaves the archives of before.
func TestSnapshotFaults(t *testing.T) {
	n := etcdNode(t, 20*time.Minute)
	n.MustBootstrap("init")
	good := n.save("--verify")
	start := time.Now()
	n.save()
	whole := time.Since(start)
	list := func() int { return len(n.snapshots()) }
	for _, m := range selected(t, evenly(12), evenly(3)...) {
		t.Run(m.String(), func(t *testing.T) {
			n := n.In(t)
			n.killed(m, whole, "etcd", "snapshot", "save")
			n.MustBootstrap("etcd", "snapshot", "verify", "--deep", good.Name)
			n.save("--verify")
		})
	}
	before := list()
	n.MustSh("mkdir -p /mnt/small")
	for _, size := range selected(t, []int{4, 8, 16, 32, 48, 64}, 32) {
		n.MustSh(fmt.Sprintf("mount -t tmpfs -o size=%dk tmpfs /mnt/small", size))
		if r := n.Bootstrap("etcd", "snapshot", "save", "--to", "/mnt/small"); r.Code != 1 || !r.Has("no space left") {
			t.Errorf("there is no room: %s", r)
		}
		if left := n.MustSh("ls -A /mnt/small"); left != "" {
			t.Errorf("left where there is room for %d KiB: %s", size, left)
		}
		n.MustSh("umount /mnt/small")
	}
	if list() != before {
		t.Error("the archives of before are others")
	}
}

// TestRestoreRoom: a restore for which etcd's disk has no room ends with the reason, wherever it is. Once there is
// room it goes on.
func TestRestoreRoom(t *testing.T) {
	n := etcdNode(t, 30*time.Minute)
	n.MustSh("mkdir -p /var/lib/etcd && mount -t tmpfs -o size=640m,mode=700 tmpfs /var/lib/etcd")
	n.MustBootstrap("init")
	n.MustKubectl("create", "configmap", "old", "--from-literal=a=b")
	file := "/var/lib/bootstrap-snapshots/" + n.save("--verify").Name
	for _, room := range selected(t, []int{0, 64, 512, 32768, 66000, 100000, 130000, 190000, 260000}, 66000) {
		t.Run(fmt.Sprintf("%dKiB", room), func(t *testing.T) { n.In(t).restoreWithRoom(room, file) })
	}
}

func (n *Node) restoreWithRoom(room int, file string) {
	n.t.Helper()
	n.Eventually(time.Minute, "an object that the archive does not know", func() error {
		return n.Kubectl("create", "configmap", "new", "--from-literal=a=b").err()
	})
	n.MustSh(fmt.Sprintf("fallocate -l $(($(df --output=avail /var/lib/etcd | tail -n 1) - %d))K /var/lib/etcd/filler", room))
	r := n.Bootstrap("etcd", "restore", "--force", file)
	n.t.Logf("exit code %d: %s", r.Code, lastLine(r.Err))
	n.MustSh("rm /var/lib/etcd/filler")
	if r.Code != 0 {
		if !r.Has("has room for") {
			n.t.Errorf("it does not say that there is no room: %s", r)
		}
		n.MustKubectl("get", "configmap", "new")
		n.MustBootstrap("etcd", "restore", "--force", file)
	}
	n.Healthy(time.Minute)
	n.MustKubectl("get", "configmap", "old")
	if n.Kubectl("get", "configmap", "new").Code == 0 {
		n.t.Error("what came after the snapshot is there")
	}
	n.MustSh("rm -rf /var/lib/etcd/before-*")
}

// TestSnapshotSchedule: a timer saves, proves and prunes; a run that fails is told by status, an Event and a metric.
func TestSnapshotSchedule(t *testing.T) {
	n := etcdNode(t, 20*time.Minute)
	before := n.survey()
	n.MustBootstrap("init")
	n.MustBootstrap("etcd", "snapshot", "schedule", "--every", "1m", "--keep", "2", "--keep-daily", "1")
	run := func() Result { // systemd refuses a fifth start within ten seconds
		return n.Sh("systemctl reset-failed bootstrap-snapshot.service; systemctl start bootstrap-snapshot.service")
	}
	n.Eventually(3*time.Minute, "the timer comes", func() error {
		if all := n.snapshots(); len(all) == 0 || all[0].Proof != "etcd" {
			return errors.New("no snapshot that was tried")
		}
		return nil
	})
	for range 4 {
		n.must(run())
	}
	if all := n.snapshots(); len(all) > 3 {
		t.Errorf("%d archives stay of 2, and one of a day", len(all))
	}
	if r := n.Bootstrap("status"); r.Code != 0 || r.Has("the last snapshot of the schedule failed") {
		t.Errorf("all is well: %s", r)
	}
	n.MustSh("mv /etc/kubernetes/pki/etcd/healthcheck-client.key /root/")
	if r := run(); r.Code == 0 {
		t.Error("etcd can't be asked, and it goes well")
	}
	n.MustSh("mv /root/healthcheck-client.key /etc/kubernetes/pki/etcd/")
	if r := n.Bootstrap("status"); !r.Has("the last snapshot of the schedule failed") {
		t.Errorf("status does not tell: %s", r)
	}
	if events := n.MustKubectl("get", "events", "--field-selector=reason=SnapshotFailed", "-o", "name"); events == "" {
		t.Error("no Event of it")
	}
	n.MustSh("grep -q '^bootstrap_etcd_snapshot_last_run_failed 1' /var/lib/bootstrap-snapshots/metrics.prom")
	n.must(run())
	n.MustSh("grep -q '^bootstrap_etcd_snapshot_last_run_failed 0' /var/lib/bootstrap-snapshots/metrics.prom")
	n.MustReset("/root/bootstrap")
	n.MustSh("rm -r /var/lib/bootstrap-snapshots /tmp/kubectl")
	n.SameSurvey("after reset", before)
}

// TestSnapshotScheduleKill: a schedule whose making is killed is made by the same command again, and a run of it that is
// killed leaves what is proven; the next one goes well.
func TestSnapshotScheduleKill(t *testing.T) {
	n := etcdNode(t, 20*time.Minute)
	n.MustBootstrap("init")
	line := []string{"etcd", "snapshot", "schedule", "--every", "6h", "--keep", "2"}
	start := time.Now()
	n.MustBootstrap(line...)
	whole := time.Since(start)
	for _, m := range selected(t, evenly(6), evenly(1)...) {
		t.Run("Schedule/"+m.String(), func(t *testing.T) {
			n := n.In(t)
			n.MustBootstrap(append(line, "--off")...)
			n.killed(m, whole, line...)
			n.MustBootstrap(line...)
			n.MustExec("systemctl", "is-active", "bootstrap-snapshot.timer")
		})
	}
	const unit = "bootstrap-snapshot.service"
	run := func() string { return n.MustSh("systemctl reset-failed " + unit + "; systemctl start " + unit) }
	start = time.Now()
	run()
	whole = time.Since(start)
	for _, m := range selected(t, evenly(12), evenly(1)...) {
		t.Run("Run/"+m.String(), func(t *testing.T) {
			n := n.In(t)
			good := n.snapshots()[0]
			n.MustSh(fmt.Sprintf("systemctl reset-failed %[1]s; systemctl start --no-block %[1]s; sleep %.3[2]f; systemctl kill --signal=KILL %[1]s || true", unit, m.part*whole.Seconds()))
			n.MustBootstrap("etcd", "snapshot", "verify", "--deep", good.Name)
			run()
			if all := n.snapshots(); all[0].Proof != "etcd" || all[0].Problem != "" {
				t.Errorf("after a run that was killed, the next one's is %+v", all[0])
			}
		})
	}
}

// TestDisaster: the machine is gone. Another one with another address gets the box and the archive, and is the cluster.
func TestDisaster(t *testing.T) {
	n := etcdNode(t, 20*time.Minute)
	n.MustBootstrap("init")
	n.start("writer", "/root/load", "write", "/tmp/acked", "500", "200")
	n.Eventually(time.Minute, "objects", func() error {
		if out := n.Sh("wc -l </tmp/acked").Out; strings.TrimSpace(out) != "500" {
			return fmt.Errorf("%s of 500", cmp.Or(out, "none"))
		}
		return nil
	})
	n.MustKubectl("create", "deployment", "workload", "--image="+n.pauseImage(), "--replicas=2")
	n.MustKubectl("wait", "--for=condition=Available", "deployment/workload", "--timeout=19s")
	a, acked := n.save("--verify"), n.acknowledged()
	archive := filepath.Join(t.TempDir(), a.Name)
	n.must(n.run("cp", n.Name+":/var/lib/bootstrap-snapshots/"+a.Name, archive))
	old := strings.TrimSpace(n.MustKubectl("get", "nodes", "-o", "name"))
	n.run("down", n.Name) // a second time, at the end, is fine

	other := Up(t, 20*time.Minute)
	other.Copy("bin/bootstrap-box", "/root/bootstrap")
	other.Copy(archive, "/root/"+a.Name)
	before := other.survey()
	start := time.Now()
	r := other.MustBootstrap("etcd", "restore", "--force", "/root/"+a.Name)
	t.Logf("from nothing to a cluster in %s:\n%s", time.Since(start).Round(time.Millisecond), r.Out)
	other.isExactly(acked, a.Meta.Revision)
	if now := strings.TrimSpace(other.MustKubectl("get", "nodes", "-o", "name")); now != old {
		t.Errorf("the Nodes are %s, and were %s", now, old)
	}
	other.Eventually(2*time.Minute, "the workload runs", func() error {
		if out := other.MustKubectl("get", "deployment", "workload", "-o", "jsonpath={.status.readyReplicas}"); out != "2" {
			return fmt.Errorf("%q of 2 are ready", out)
		}
		return nil
	})
	if out := other.MustKubectl("get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[*].addresses[*].ip}"); out != other.IP {
		t.Errorf("the API server is said to be at %q, and is at %s", out, other.IP)
	}
	other.deploymentScales()
	other.MustReset("/root/bootstrap")
	other.MustSh("rm -rf /tmp/kubectl")
	other.SameSurvey("after reset", before)
}
