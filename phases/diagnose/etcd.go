package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// What etcd says of its data and its disk.
var (
	noSpace   = regexp.MustCompile(`no space left on device|disk quota exceeded`)
	readOnly  = regexp.MustCompile(`read-only file system`)
	noAccess  = regexp.MustCompile(`(?:open|mkdir|access|stat|create|fsync|lock)? ?(/\S+)?:? ?permission denied`)
	corrupt   = regexp.MustCompile(`crc mismatch|file corrupt|invalid database|checksum error|snap: .*(?:corrupt|empty)|wal: (?:file not found|crc|slice|max entry)|max entry size limit exceeded|unexpected EOF|failed to recover v3 backend|version mismatch`)
	saysSlow  = regexp.MustCompile(`slow fdatasync|slow fsync|leader failed to send out heartbeat on time`)
	noLeader  = regexp.MustCompile(`no leader|lost leader|is starting a new election|` + peerAsked.String())
	peerAsked = regexp.MustCompile(`sent Msg(?:Pre)?Vote request to|prober detected unhealthy status|failed to reach the peer`)
	elected   = regexp.MustCompile(`elected leader|became leader`)
	// As a member of a cluster that exists, without data and with nobody else to ask.
	beginsAgain = regexp.MustCompile(`cannot fetch cluster info from peer urls`)
	quotaFull   = regexp.MustCompile(`database space exceeded|alarm.*NOSPACE|NOSPACE`)
)

func etcdEntries() []Entry {
	const links = "https://etcd.io/docs/v3.6/op-guide/"
	return []Entry{
		{
			ID:     "etcd-disk-full",
			Title:  "the file system of etcd's data is full",
			Means:  "etcd allots 64 MB for each file of its log before it writes anything, and ends if it can't.",
			Remedy: "free at least 1 GiB there; the kubelet then starts etcd by itself",
			Check:  func(m *Machine) []Finding { return diskFull(m, "etcd") },
			Cause:  func(e *Evidence) []Finding { return e.etcdLogged(noSpace, "its file system is full") },
		},
		{
			ID:     "etcd-disk-read-only",
			Title:  "the file system of etcd's data is read-only",
			Means:  "It was mounted so, or the kernel has made it so after an error of the disk.",
			Remedy: "see the kernel's log for errors of the disk, then mount it writable: mount -o remount,rw",
			Check:  func(m *Machine) []Finding { return diskReadOnly(m, "etcd") },
			Cause:  func(e *Evidence) []Finding { return e.etcdLogged(readOnly, "its file system is read-only") },
		},
		{
			ID:     "etcd-no-permission",
			Title:  "etcd may not read or write its data",
			Means:  "The folder belongs to another user. etcd runs as root, but without the right to pass over owners and modes.",
			Remedy: "give it back to root: chown -R root:root DIR; chmod 700 DIR",
			Cause:  etcdNoPermission,
		},
		{
			ID:     "etcd-corrupt",
			Title:  "etcd's data is damaged",
			Means:  "A file of its log or database does not hold what was written: a disk error, a copy made while etcd ran, or a power cut on a disk that does not keep its promises.",
			Remedy: "restore a snapshot (etcdutl snapshot restore); without one the cluster is lost: bootstrap reset, then bootstrap init",
			Link:   links + "recovery/",
			Cause:  func(e *Evidence) []Finding { return e.etcdLogged(corrupt, "it is damaged") },
		},
		{
			ID:     "etcd-space-quota",
			Title:  "etcd's database has reached its quota",
			Means:  "etcd refuses every write, and so does the API server, until the database is smaller and the alarm is taken back.",
			Remedy: "compact and defragment it, then: etcdctl alarm disarm",
			Link:   links + "maintenance/",
			Cause:  etcdQuota,
		},
		{
			ID:     "etcd-no-quorum",
			Title:  "etcd has no leader",
			Means:  "More than half of its members must answer each other. Those that are named in its data do not: the data may be of another cluster, or members are down.",
			Remedy: "start the other members; if the data is of an old cluster, move it away and run bootstrap init again",
			Link:   links + "failures/",
			Cause:  etcdNoQuorum,
		},
		{
			ID:     "etcd-slow-disk",
			Title:  "the disk is slow for etcd",
			Means:  "etcd answers a write only when the disk has it for good (fdatasync). Above 10 ms (99th percentile) the API server is slow, and leases run out: components end and start again.",
			Remedy: "put etcd's data on a disk of its own, an SSD (etcd.local.dataDir), and see what else writes: iostat -x 1",
			Link:   links + "hardware/",
			Check:  slowDisk,
			Cause:  etcdSlowDisk,
		},
	}
}

// etcdLogged: etcd has ended, and says why.
func (e *Evidence) etcdLogged(pattern *regexp.Regexp, what string) []Finding {
	line, match := e.logged("etcd", pattern)
	if match == nil {
		return nil
	}
	return []Finding{{
		Level: e.certainty("etcd", logs(pattern)), What: fmt.Sprintf("etcd can't use its data in %s: %s", e.Settings.EtcdDataDir, what),
		See: e.logCommand("etcd"), Excerpt: excerpt(line),
	}}
}

func etcdNoPermission(e *Evidence) []Finding {
	found := e.etcdLogged(noAccess, "it may not")
	for i := range found {
		dir := e.Settings.EtcdDataDir
		found[i].Remedy = fmt.Sprintf("chown -R root:root %[1]s; chmod 700 %[1]s", dir)
		found[i].See = "ls -lna " + dir
	}
	return found
}

func etcdQuota(e *Evidence) []Finding {
	// Tries before too: the API server ends by it, and the next one has not written yet.
	for _, c := range slices.Concat(e.tries("etcd"), e.tries("kube-apiserver")) {
		if line, match := lastMatch(c.logSince(e.Now.Add(-stale)), quotaFull); match != nil {
			return []Finding{{Level: Warning, What: "etcd refuses writes: its database has reached its quota", See: e.logCommand("etcd"), Excerpt: excerpt(line)}}
		}
	}
	return nil
}

// etcdNoQuorum goes by etcd's own answer while it runs, as its log may be of before. It
// is certain where others were asked: every member that starts alone elects itself.
func etcdNoQuorum(e *Evidence) []Finding {
	c := e.container("etcd")
	if c == nil || !c.Running || e.Now.Sub(c.Started) < steady || e.Etcd.Dial != Open || e.Etcd.Status == 200 {
		return nil
	}
	log := sinceElected(lastLines(c.Log, 20))
	line, match := lastMatch(log, noLeader)
	if match == nil {
		return nil
	}
	f := Finding{Level: Warning, What: "etcd runs but has no leader yet", See: e.logCommand("etcd"), Excerpt: excerpt(line)}
	if line, match := lastMatch(log, peerAsked); match != nil {
		f.Level, f.What, f.Excerpt = Error, "etcd runs but has no leader: members that its data names do not answer", excerpt(line)
	}
	return []Finding{f}
}

// sinceElected is what was logged after the last leader was found.
func sinceElected(log []string) []string {
	for i, line := range slices.Backward(log) {
		if elected.MatchString(line) {
			return log[i+1:]
		}
	}
	return log
}

func etcdSlowDisk(e *Evidence) []Finding {
	c := e.container("etcd")
	if c == nil || !c.Running {
		return nil
	}
	slow := slices.DeleteFunc(slices.Clone(c.Log), func(line string) bool {
		return !saysSlow.MatchString(line) || e.Now.Sub(loggedAt(line)) > time.Minute
	})
	if len(slow) < 2 { // any disk is slow once, as while images are imported
		return nil
	}
	return []Finding{{
		Level: Warning, What: fmt.Sprintf("the disk of %s is slow: etcd waits for it", e.Settings.EtcdDataDir),
		See: e.logCommand("etcd"), Excerpt: excerpt(lastLines(slow, 2)...),
	}}
}

var etcdTime = regexp.MustCompile(`"ts":"([^"]+)"`)

// loggedAt is when etcd wrote a line; zero if it does not say.
func loggedAt(line string) time.Time {
	match := etcdTime.FindStringSubmatch(line)
	if match == nil {
		return time.Time{}
	}
	at, _ := time.Parse(time.RFC3339, match[1])
	return at
}

// logOf is the log of the newest try of a component.
func (e *Evidence) logOf(component string) []string {
	if c := e.container(component); c != nil {
		return c.Log
	}
	return nil
}
