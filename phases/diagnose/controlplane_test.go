package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// wrote is a log without times.
func wrote(lines ...string) []runtime.LogLine {
	var log []runtime.LogLine
	for _, line := range lines {
		log = append(log, runtime.LogLine{Text: line})
	}
	return log
}

// componentEnded is a machine on which the container of a component has ended for the
// second time, after it said these lines.
func componentEnded(name string, log ...string) *Evidence {
	e := podsFail()
	e.Settings.EtcdDataDir = "/var/lib/etcd"
	e.Settings.Components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	e.StaticPods = map[string]string{name + "-n1": "uid"}
	e.Listening = []string{"6443", "2379"}
	e.Pods = []runtime.Sandbox{{Namespace: "kube-system", Name: name + "-n1", UID: "uid", Ready: true, Created: lookedAt.Add(-9 * time.Second), Containers: []runtime.Container{{
		Name: name, Exited: true, ExitCode: 1, Attempt: 1, Log: wrote(log...),
		Started: lookedAt.Add(-4 * time.Second), Finished: lookedAt.Add(-3 * time.Second),
	}}}}
	return e
}

// componentRuns is the same, started half a minute ago and up.
func componentRuns(name string, log ...string) *Evidence {
	e := componentEnded(name, log...)
	c := &e.Pods[0].Containers[0]
	c.Exited, c.ExitCode, c.Running, c.Started, c.Finished = false, 0, true, lookedAt.Add(-30*time.Second), time.Time{}
	return e
}

// What the programs said in the faults of these names.
const (
	apiBadFlag   = `Error: invalid argument "plenty" for "--max-requests-inflight" flag: strconv.ParseInt: parsing "plenty": invalid syntax`
	apiNoFlag    = `Error: unknown flag: --max-requests`
	etcdBadFlag  = `invalid value "plenty" for flag -quota-backend-bytes: parse error`
	apiAdmission = `E1125 03:42:20.113540       1 run.go:72] "command failed" err=<`
	apiDeadline  = `E1125 03:47:19.056372       1 run.go:72] "command failed" err="error creating storage factory: context deadline exceeded"`
	apiPort      = `E1125 03:47:19.056372       1 run.go:72] "command failed" err="failed to create listener: failed to listen on 0.0.0.0:6443: listen tcp 0.0.0.0:6443: bind: address already in use"`
	etcdPort     = `{"level":"fatal","ts":"2026-11-25T03:49:00.1Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"listen tcp 127.0.0.1:2379: bind: address already in use"}`
	etcdFull     = `{"level":"fatal","ts":"2026-11-25T03:49:00.1Z","caller":"storage/storage.go:96","msg":"failed to create WAL","error":"write /var/lib/etcd/member/wal.tmp/0.wal: no space left on device"}`
	etcdReadOnly = `{"level":"fatal","msg":"discovery failed","error":"cannot access data directory: open /var/lib/etcd/.touch: read-only file system"}`
	etcdDenied   = `{"level":"fatal","msg":"discovery failed","error":"cannot access data directory: open /var/lib/etcd/.touch: permission denied"}`
	etcdNoData   = `{"level":"fatal","ts":"2026-11-25T03:49:00.1Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs"}`
	etcdCRC      = `{"level":"panic","msg":"failed to recover v3 backend from snapshot","error":"failed to find database snapshot file (snap: snapshot file doesn't exist)"}`
	etcdNoVote   = `{"level":"info","ts":"2026-11-25T04:09:24.815683Z","logger":"raft","caller":"v3@v3.6.0/raft.go:988","msg":"a016e5546deb2e30 is starting a new election at term 2"}`
	etcdAsks     = `{"level":"info","ts":"2026-11-25T04:09:24.815700Z","logger":"raft","caller":"v3@v3.6.0/raft.go:1064","msg":"a016e5546deb2e30 [logterm: 2, index: 1207] sent MsgPreVote request to 3cc09e483eec2872 at term 2"}`
	etcdElected  = `{"level":"info","ts":"2026-11-25T04:09:24.915700Z","logger":"raft","caller":"v3@v3.6.0/node.go:339","msg":"raft.node: a016e5546deb2e30 elected leader a016e5546deb2e30 at term 3"}`
	etcdSlow     = `{"level":"warn","ts":"2026-11-25T03:44:30.1Z","caller":"wal/wal.go:875","msg":"slow fdatasync","took":"1.503s","expected-duration":"1s"}`
	apiDials     = `W1125 03:47:16.449299       1 logging.go:55] [core] [Channel #6 SubChannel #8] grpc: addrConn.createTransport failed to connect to {Addr: "127.0.0.1:4001", ServerName: "127.0.0.1:4001", }. Err: connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:4001: connect: connection refused"`
	apiCancels   = `W1125 03:44:02.599806       1 logging.go:55] [core] [Channel #195 SubChannel #196] grpc: addrConn.createTransport failed to connect to {Addr: "127.0.0.1:2379", ServerName: "127.0.0.1:2379", }. Err: connection error: desc = "transport: authentication handshake failed: context canceled"`
	apiDistrusts = `W1125 03:44:02.599806       1 logging.go:55] [core] [Channel #1 SubChannel #2] grpc: addrConn.createTransport failed to connect to {Addr: "127.0.0.1:2379", ServerName: "127.0.0.1:2379", }. Err: connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`
	schedLost    = `E1129 09:43:15.840031       1 server.go:328] "Leaderelection lost"`
	proxyTracks  = `E1125 04:05:10.1       1 run.go:72] "command failed" err="open /proc/sys/net/netfilter/nf_conntrack_max: permission denied"`
	dnsLoops     = `[FATAL] plugin/loop: Loop (127.0.0.1:35431 -> :53) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO 4547991504243258144.3688648895315093531."`
)

func TestControlPlaneCauses(t *testing.T) {
	dropped := componentRuns("kube-apiserver")
	dropped.API = Server{Address: "10.0.0.1:6443", Dial: TimedOut}
	withoutLoopback := componentRuns("kube-apiserver")
	withoutLoopback.API, withoutLoopback.Network.LoopbackDown = dropped.API, true
	elsewhere := componentEnded("kube-apiserver", apiDials, apiDeadline)
	elsewhere.Settings.ExternalEtcd = []string{"http://127.0.0.1:4001"}
	waits := componentRuns("kube-apiserver", apiDials)
	waits.Settings.ExternalEtcd = elsewhere.Settings.ExternalEtcd
	noQuorum, alone := componentRuns("etcd", etcdNoVote, etcdAsks), componentRuns("etcd", etcdNoVote)
	cutShort := componentEnded("etcd")
	cutShort.Pods[0].Containers[0].ExitCode = 135
	lostAgain := componentRuns("etcd", etcdElected, etcdNoVote, etcdAsks)
	for _, e := range []*Evidence{noQuorum, alone, lostAgain} {
		e.Etcd = Server{Dial: Open, Error: "context deadline exceeded"}
	}
	for _, c := range []causeTest{
		{"flag", componentEnded("kube-apiserver", apiBadFlag), "component-bad-flag", Error, []string{"kube-apiserver", "--max-requests-inflight", "plenty"}},
		{"unknown flag", componentEnded("kube-scheduler", apiNoFlag), "component-bad-flag", Error, []string{"kube-scheduler", "--max-requests"}},
		{"etcd's flag", componentEnded("etcd", etcdBadFlag), "component-bad-flag", Error, []string{"etcd", "-quota-backend-bytes"}},
		{"file, on several lines", componentEnded("kube-apiserver", apiAdmission,
			"\tfailed to apply admission: failed to read plugin config: Object 'apiVersion' is missing in 'kind: Nonsense", "\t'", " >"),
			"component-refuses-settings", Error, []string{"kube-apiserver refuses its settings: failed to apply admission", "kind: Nonsense '"}},
		{"port", componentEnded("kube-apiserver", apiPort), "port-taken", Error, []string{"kube-apiserver", "0.0.0.0:6443"}},
		{"etcd's port", componentEnded("etcd", etcdPort), "port-taken", Error, []string{"127.0.0.1:2379"}},
		{"disk full", componentEnded("etcd", etcdFull), "etcd-disk-full", Error, []string{"/var/lib/etcd"}},
		{"disk read-only", componentEnded("etcd", etcdReadOnly), "etcd-disk-read-only", Error, nil},
		{"owner", componentEnded("etcd", etcdDenied), "etcd-no-permission", Error, nil},
		{"data gone", componentEnded("etcd", etcdNoData), "etcd-data-gone", Error, []string{"/var/lib/etcd"}},
		{"corrupt", componentEnded("etcd", etcdCRC), "etcd-corrupt", Error, nil},
		{"quorum", noQuorum, "etcd-no-quorum", Error, nil},
		{"quorum lost after a leader", lostAgain, "etcd-no-quorum", Error, nil},
		{"nobody else was asked", alone, "etcd-no-quorum", Warning, nil},
		{"slow disk", componentRuns("etcd", etcdSlow, etcdSlow), "etcd-slow-disk", Warning, []string{"/var/lib/etcd"}},
		{"firewall", dropped, "firewall-drops-api", Error, []string{"10.0.0.1:6443"}},
		{"no loopback", withoutLoopback, "loopback-down", Error, []string{"lo"}},
		{"etcd elsewhere, for a while", waits, "external-etcd-unreachable", Warning, []string{"127.0.0.1:4001", "connection refused"}},
		{"etcd elsewhere, given up", elsewhere, "external-etcd-unreachable", Error, []string{"127.0.0.1:4001"}},
		{"distrust", componentRuns("kube-apiserver", apiDistrusts), "etcd-refuses-api", Warning, nil},
		{"cut short", cutShort, "component-program-damaged", Error, []string{"etcd", "SIGBUS"}},
		{"crashes", componentEnded("kube-apiserver", apiDeadline), "component-crashes", Warning, []string{"kube-apiserver", "2 times"}},
		{"lost its lease", componentEnded("kube-scheduler", schedLost), "component-crashes", Warning, []string{"kube-scheduler", "2 times"}},
	} {
		t.Run(c.name, c.run)
	}
}

func TestControlPlaneHasNoCause(t *testing.T) {
	replaced := componentEnded("kube-apiserver", apiPort)
	replaced.Pods = append(replaced.Pods, runtime.Sandbox{Namespace: "kube-system", Name: "kube-apiserver-n1", UID: "of the manifest before", Ready: true,
		Containers: []runtime.Container{{Name: "kube-apiserver", Running: true, Started: lookedAt.Add(-time.Second)}}})
	replaced.Pods[0].Containers[0].Attempt = 0
	tooEarly := componentEnded("kube-apiserver", apiDeadline)
	tooEarly.Pods[0].Containers[0].Attempt = 0
	behind := componentEnded("kube-scheduler")
	behind.Pods = append(behind.Pods, componentEnded("etcd").Pods...)
	behind.Pods[1].Containers[0].ExitCode = 0
	ends := componentEnded("kube-scheduler")
	ends.Etcd, ends.API = Server{Dial: Open, Status: 200}, Server{Dial: Open, Status: 500, Failed: []string{"etcd"}}
	sinceUp := componentRuns("kube-apiserver")
	sinceUp.Pods[0].Containers = append(sinceUp.Pods[0].Containers, componentEnded("kube-apiserver", apiBadFlag).Pods[0].Containers...)
	sinceUp.Pods[0].Containers[1].Started = lookedAt.Add(-time.Minute)
	lost := componentRunsAgain("kube-scheduler", 3, runtime.Container{Log: wrote(schedLost)})
	free := componentEnded("kube-apiserver", apiPort)
	free.Listening, free.Pods[0].Containers[0].Attempt = []string{"2379"}, 0
	slowOnce := componentRuns("etcd", etcdSlow, etcdSlow)
	slowOnce.Pods[0].Containers[0].Log[0].At = lookedAt.Add(-90 * time.Second)
	refused := componentRuns("kube-apiserver")
	refused.API = Server{Address: "10.0.0.1:6443", Dial: Refused}
	elected, slowToAnswer := componentRuns("etcd", etcdNoVote), componentRuns("etcd", etcdNoVote, etcdAsks, etcdElected)
	elected.Etcd, slowToAnswer.Etcd = Server{Dial: Open, Status: 200}, Server{Dial: Open, Error: "context deadline exceeded"}
	for _, c := range []causeTest{
		{name: "the port of a try that is on its way out", evidence: replaced},
		{name: "whoever held the port is gone", evidence: free},
		{name: "the first try was before etcd", evidence: tooEarly},
		{name: "what it needs does not run", evidence: behind},
		{name: "the API server is not well", evidence: ends},
		{name: "it was without the API server for a while", evidence: lost},
		{name: "it has run since", evidence: sinceUp},
		{name: "the disk was slow once", evidence: slowOnce},
		{name: "nobody listens yet", evidence: refused},
		{name: "a leader was elected", evidence: elected},
		{name: "a leader was elected, and etcd is slow to answer", evidence: slowToAnswer},
		{name: "etcd is asked again", evidence: componentRuns("kube-apiserver", apiDials)},
		{name: "a connection that was given up", evidence: componentRuns("kube-apiserver", apiCancels)},
		{name: "a connection that etcd ended", evidence: componentRuns("kube-apiserver", strings.Replace(apiCancels, "context canceled", "remote error: tls: internal error", 1))},
		{name: "what is no static pod of ours", evidence: componentEnded("somebody", apiBadFlag)},
	} {
		t.Run(c.name, c.run)
	}
}

// componentRunsAgain is a machine on which a component was started again a second ago,
// after it ended so often.
func componentRunsAgain(name string, times int, end runtime.Container) *Evidence {
	e := componentEnded(name)
	again := runtime.Container{Name: name, Running: true, Attempt: uint32(times), Started: lookedAt.Add(-time.Second)}
	end.Name, end.Exited, end.ExitCode = name, true, 1
	tries := []runtime.Container{again}
	for i := range times {
		end.Attempt = uint32(times - 1 - i)
		end.Started, end.Finished = lookedAt.Add(time.Duration(-4-3*i)*time.Second), lookedAt.Add(time.Duration(-2-3*i)*time.Second)
		tries = append(tries, end)
	}
	e.Pods[0].Containers = tries
	return e
}

// TestQuota: etcd's quota ends the API server, whose next try has not written yet; what it
// said long ago is over.
func TestQuota(t *testing.T) {
	full := runtime.Container{Log: wrote(`E1129 20:10:58.767050       1 status.go:71] "Unhandled Error" err="etcdserver: mvcc: database space exceeded"`)}
	full.Log[0].At = lookedAt.Add(-30 * time.Second)
	again := componentRunsAgain("kube-apiserver", 2, full)
	causeTest{name: "now", evidence: again, id: "etcd-space-quota", level: Warning}.run(t)
	past := componentRuns("kube-apiserver", full.Log[0].Text)
	past.Pods[0].Containers[0].Log[0].At = lookedAt.Add(-10 * time.Minute)
	causeTest{name: "then", evidence: past}.run(t)
}

// TestRunsAgain: what ended a component that runs again may be mended, unless it has
// ended two tries.
func TestRunsAgain(t *testing.T) {
	for id, end := range map[string]runtime.Container{
		"component-bad-flag":         {Log: wrote(apiBadFlag)},
		"component-refuses-settings": {Log: wrote(`E1 run.go:72] "command failed" err="open /etc/x: no such file or directory"`)},
		"image-cannot-run":           {Log: wrote("exec /usr/local/bin/kube-apiserver: exec format error")},
		"container-oom-killed":       {Reason: "OOMKilled"},
	} {
		causeTest{name: id, evidence: componentRunsAgain("kube-apiserver", 1, end), id: id, level: Warning}.run(t)
		causeTest{name: id, evidence: componentRunsAgain("kube-apiserver", 2, end), id: id, level: Error}.run(t)
	}
	full := runtime.Container{Log: wrote(etcdFull)}
	causeTest{name: "etcd", evidence: componentRunsAgain("etcd", 1, full), id: "etcd-disk-full", level: Warning}.run(t)
	causeTest{name: "etcd", evidence: componentRunsAgain("etcd", 2, full), id: "etcd-disk-full", level: Error}.run(t)
}

// TestOutOfMemory: a try that ended for another reason is no second time.
func TestOutOfMemory(t *testing.T) {
	mixed := componentRunsAgain("kube-apiserver", 2, runtime.Container{Reason: "OOMKilled"})
	tries := mixed.Pods[0].Containers[1:] // none runs
	mixed.Pods[0].Containers = tries
	causeTest{name: "twice", evidence: mixed, id: "container-oom-killed", level: Error, what: []string{"2 times"}}.run(t)
	tries[1].Reason = "Error"
	causeTest{name: "once", evidence: mixed, id: "container-oom-killed", level: Warning}.run(t)
}

// TestRemember: the kubelet keeps one try that has ended; what a look before saw counts.
func TestRemember(t *testing.T) {
	twice := componentRunsAgain("kube-apiserver", 2, runtime.Container{Reason: "OOMKilled"})
	both := twice.Pods[0].Containers
	now, before := *twice, *twice
	now.Pods, before.Pods = slices.Clone(twice.Pods), slices.Clone(twice.Pods)
	now.Pods[0].Containers, before.Pods[0].Containers = slices.Clone(both[1:2]), slices.Clone(both[2:])
	now.Remember(nil)
	causeTest{name: "the last only", evidence: &now, id: "container-oom-killed", level: Warning}.run(t)
	now.Remember(&before)
	now.Remember(&before)
	causeTest{name: "both", evidence: &now, id: "container-oom-killed", level: Error, what: []string{"2 times"}}.run(t)
	other := now
	other.Pods = slices.Clone(now.Pods)
	other.Pods[0].UID, other.Pods[0].Containers = "uid-other", slices.Clone(both[1:2])
	other.Remember(&before)
	if n := len(other.Pods[0].Containers); n != 1 {
		t.Errorf("a pod of another manifest has %d tries", n)
	}
}

// noTokenThere is what kube-proxy ends with where its pod lacks the token.
const noTokenThere = `E1 run.go:72] "command failed" err="invalid configuration: unable to read certificate-authority /var/run/secrets/kubernetes.io/serviceaccount/ca.crt for default due to open /var/run/secrets/kubernetes.io/serviceaccount/ca.crt: no such file or directory"`

// addonEnded is a machine on which the container of an addon has ended.
func addonEnded(container string, attempt int, log ...string) *Evidence {
	e := componentEnded("x", log...)
	e.Addons = true
	e.Pods[0].Name = container + "-abcde"
	e.Pods[0].Containers[0].Name, e.Pods[0].Containers[0].Attempt = container, uint32(attempt)
	return e
}

// TestDNSWithoutAPI: while kube-proxy is young, its rules may be to come.
func TestDNSWithoutAPI(t *testing.T) {
	waits := func(dns, proxy time.Duration, status int) *Evidence {
		e := addonEnded("coredns", 0, `[INFO] plugin/ready: Plugins not ready: "kubernetes"`)
		e.Pods = append(e.Pods, addonEnded("kube-proxy", 0).Pods...)
		e.API = Server{Dial: Open, Status: status}
		for i, age := range []time.Duration{dns, proxy} {
			c := &e.Pods[i].Containers[0]
			c.Exited, c.ExitCode, c.Running, c.Started = false, 0, true, lookedAt.Add(-age)
		}
		return e
	}
	causeTest{name: "long", evidence: waits(40*time.Second, 50*time.Second, 200), id: "services-unreachable", level: Warning}.run(t)
	causeTest{name: "young DNS", evidence: waits(10*time.Second, 50*time.Second, 200)}.run(t)
	causeTest{name: "young proxy", evidence: waits(40*time.Second, 10*time.Second, 200)}.run(t)
	crowded := waits(40*time.Second, 50*time.Second, 200)
	crowded.Crowding = 3
	causeTest{name: "machine is slow", evidence: crowded}.run(t)
	refused := waits(40*time.Second, 50*time.Second, 200)
	c := &refused.Pods[0].Containers[0]
	c.Log = append(wrote(`[ERROR] plugin/kubernetes: failed to list *v1.Service: services is forbidden: User "x" cannot list`), c.Log...)
	causeTest{name: "it has no rights", evidence: refused}.run(t)
	causeTest{name: "API server not well", evidence: waits(40*time.Second, 50*time.Second, 500)}.run(t)
}

// addonRuns has a container of an addon that has run for so long.
func addonRuns(name string, age time.Duration, log ...string) *Evidence {
	e := addonEnded(name, 0, log...)
	c := &e.Pods[0].Containers[0]
	c.Exited, c.ExitCode, c.Running, c.Started = false, 0, true, lookedAt.Add(-age)
	return e
}

func lostTable(e *Evidence) { e.Firewall.Lost = []LostTable{{"ip kube-proxy", "kube-proxy"}} }

func TestFirewallFlushed(t *testing.T) {
	causeTest{
		name: "flushed", evidence: with(addonRuns("kube-proxy", time.Minute), lostTable), id: "firewall-flushed", level: Warning,
		what: []string{"table ip kube-proxy", "kube-proxy writes"},
	}.run(t)
}

func TestAddonCauses(t *testing.T) {
	noService := func(age time.Duration) *Evidence {
		e := addonEnded("coredns", 0, `[ERROR] plugin/kubernetes: Failed to list: Get "https://10.96.0.1:443/version": dial tcp 10.96.0.1:443: i/o timeout`)
		c := &e.Pods[0].Containers[0]
		c.Exited, c.ExitCode, c.Running, c.Started = false, 0, true, lookedAt.Add(-20*time.Minute)
		c.Log[0].At = lookedAt.Add(-age)
		return e
	}
	refuses := `E1 run.go:72] "command failed" err="unknown proxy mode \"x\""`
	beforeThisRun, proxyBefore := addonEnded("coredns", 3, dnsLoops), addonEnded("kube-proxy", 3, refuses)
	beforeThisRun.Since, proxyBefore.Since = lookedAt.Add(-2*time.Second), lookedAt.Add(-2*time.Second)
	early, proxyEarly := addonEnded("coredns", 3, dnsLoops), addonEnded("kube-proxy", 3, refuses)
	early.Addons, proxyEarly.Addons = false, false
	old, again := addonEnded("coredns", 3, dnsLoops), addonEnded("coredns", 3, dnsLoops)
	for _, e := range []*Evidence{old, again} { // a pod of before this run, which crashes in it
		e.Since, e.Waits = lookedAt.Add(-7*time.Second), lookedAt.Add(-2*time.Second)
	}
	again.Waits = lookedAt.Add(-5 * time.Second)
	stopped := addonEnded("coredns", 3, dnsLoops)
	stopped.Pods[0].Ready = false
	for _, c := range []causeTest{
		{"conntrack", addonEnded("kube-proxy", 0, proxyTracks), "kube-proxy-conntrack", Error, []string{"nf_conntrack_max"}},
		{"settings", addonEnded("kube-proxy", 0, `E1 run.go:72] "command failed" err="unknown proxy mode \"x\""`), "kube-proxy-refuses-settings", Error, []string{"proxy mode"}},
		{"settings without a word on them", addonEnded("kube-proxy", 0, noTokenThere), "", "", nil},
		{"no token, as mounts are hidden", with(addonEnded("kube-proxy", 0, noTokenThere), func(e *Evidence) {
			e.Units = map[string]machine.UnitState{kubeletUnit: {OwnMounts: true}}
		}), "kubelet-mounts-hidden", Error, []string{"kube-proxy", "serviceaccount/ca.crt"}},
		{"br_netfilter", addonEnded("flanneld", 0, "E1125 main.go:278] Failed to check br_netfilter: stat /proc/sys/net/bridge/bridge-nf-call-iptables: no such file or directory"),
			"flannel-no-br-netfilter", Error, []string{"br_netfilter"}},
		{"loop", addonEnded("coredns", 0, dnsLoops), "coredns-loop", Error, []string{"127.0.0.1:35431"}},
		{"Services that could not be reached once", noService(10 * time.Minute), "", "", nil},
		{"Services", noService(time.Minute), "services-unreachable", Warning, []string{"coredns", "10.96.0.1:443"}},
		{"crashes", addonEnded("flanneld", 1, "something else"), "addon-crashes", Warning, []string{"flanneld", "2 times"}},
		{"short of memory", with(addonEnded("coredns", 1, "x"), func(e *Evidence) { e.Pods[0].Containers[0].Reason = "OOMKilled" }), "container-oom-killed", Warning, []string{"coredns", "memory"}},
		{name: "ended before this run", evidence: beforeThisRun},
		{name: "kube-proxy ended before this run", evidence: proxyBefore},
		{"before addons are waited for", early, "coredns-loop", Warning, nil},
		{"kube-proxy before addons are waited for", proxyEarly, "kube-proxy-refuses-settings", Warning, nil},
		{"the pod may have to go", old, "coredns-loop", Warning, nil},
		{"it ends again while it is waited for", again, "coredns-loop", Error, nil},
		{name: "the first try", evidence: addonEnded("flanneld", 0, "something else")},
		{name: "a pod that is gone", evidence: stopped},
	} {
		t.Run(c.name, c.run)
	}
}

// TestEtcdDataHidden: a disk that is not mounted is why, whatever else does not run by now. An etcd that is
// healthy has its data nevertheless, as where something was mounted over the folder since: no wait ends.
func TestEtcdDataHidden(t *testing.T) {
	hidden := func(etcd int) *Evidence {
		e := podsFail()
		e.Settings.EtcdDataDir = "/var/lib/etcd"
		e.Unfit.EtcdGone, e.Unfit.EtcdMount, e.Etcd = "/var/lib/etcd", "/var/lib/etcd", Server{Dial: Open, Status: etcd}
		return e
	}
	what := []string{"on the disk that was mounted at /var/lib/etcd"}
	causeTest{name: "not mounted", evidence: hidden(0), id: "etcd-data-gone", level: Error, what: what}.run(t)
	causeTest{name: "mounted over", evidence: hidden(200), id: "etcd-data-gone", level: Warning, what: what}.run(t)
}
