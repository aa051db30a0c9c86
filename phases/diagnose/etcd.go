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

func etcdRules() map[string]Rule {
	return map[string]Rule{
		"etcd-disk-full":      {Check: diskFull("etcd"), Cause: etcdLogged(noSpace, "its file system is full")},
		"etcd-disk-read-only": {Check: diskReadOnly("etcd"), Cause: etcdLogged(readOnly, "its file system is read-only")},
		"etcd-no-permission":  {Cause: etcdNoPermission},
		"etcd-corrupt":        {Cause: etcdLogged(corrupt, "it is damaged")},
		"etcd-space-quota":    {Cause: etcdQuota},
		"etcd-no-quorum":      {Cause: etcdNoQuorum},
		"etcd-slow-disk":      {Check: perDisk(slowDisk), Cause: etcdSlowDisk},
	}
}

// etcdLogged: etcd has ended, and says why.
func etcdLogged(pattern *regexp.Regexp, what string) func(*Evidence) []Finding {
	return func(e *Evidence) []Finding {
		line, match := e.logged("etcd", pattern)
		if match == nil {
			return nil
		}
		what := fmt.Sprintf("etcd can't use its data in %s: %s", e.Settings.EtcdDataDir, what)
		return e.provedByLog(e.certainty("etcd", logs(pattern)), "etcd", what, line)
	}
}

func etcdNoPermission(e *Evidence) []Finding {
	found := etcdLogged(noAccess, "it may not")(e)
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
		if line, match := lastMatch(logSince(c, e.Now.Add(-stale)), quotaFull); match != nil {
			return e.provedByLog(Warning, "etcd", "etcd refuses writes: its database has reached its quota", line)
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
	log := sinceElected(lastLines(texts(c.Log), 20))
	if line, match := lastMatch(log, peerAsked); match != nil {
		return e.provedByLog(Error, "etcd", "etcd runs but has no leader: members that its data names do not answer", line)
	}
	if line, match := lastMatch(log, noLeader); match != nil {
		return e.provedByLog(Warning, "etcd", "etcd runs but has no leader yet", line)
	}
	return nil
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
	slow := slices.DeleteFunc(texts(c.Log), func(line string) bool {
		return !saysSlow.MatchString(line) || e.Now.Sub(loggedAt(line)) > time.Minute
	})
	if len(slow) < 2 { // any disk is slow once, as while images are imported
		return nil
	}
	return e.provedByLog(Warning, "etcd", fmt.Sprintf("the disk of %s is slow: etcd waits for it", e.Settings.EtcdDataDir), lastLines(slow, 2)...)
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
		return texts(c.Log)
	}
	return nil
}
