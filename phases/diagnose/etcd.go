package diagnose

import (
	"slices"
	"time"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
)

// ExternalEtcd is a member of the etcd that others run, asked at its URL.
type ExternalEtcd struct {
	URL     string
	Error   string // why it gave no version
	Slow    bool   // it may answer later
	Version string
}

// saysAsked is what etcd says when it has asked another member.
const saysAsked = `sent Msg(?:Pre)?Vote request to|prober detected unhealthy status|failed to reach the peer`

// What etcd says of its data and its disk. Only its last words tell of damage: a log that a power cut has cut off is
// repaired, and a peer may go away. A late heartbeat tells nothing of the disk: it may be for want of CPU time.
var (
	noSpace   = lazyregexp.New(`no space left on device|disk quota exceeded`)
	readOnly  = lazyregexp.New(`(?:data directory|/member/|/wal).*read-only file system`)
	noAccess  = lazyregexp.New(`(?:data directory|/member/|/wal).*permission denied`)
	corrupt   = lazyregexp.New(`(?i)(?:fatal|panic).*(?:crc mismatch|file corrupt|invalid database|checksum error|snap: .*(?:corrupt|empty)|wal: (?:file not found|crc|slice|max entry)|max entry size limit exceeded|unexpected EOF|failed to recover v3 backend|version mismatch)`)
	saysSlow  = lazyregexp.New(`slow fdatasync|slow fsync`)
	noLeader  = lazyregexp.New(`no leader|lost leader|is starting a new election|` + saysAsked)
	peerAsked = lazyregexp.New(saysAsked)
	elected   = lazyregexp.New(`elected leader|became leader`)
	// As a member of a cluster that exists, without data and with nobody else to ask.
	beginsAgain = lazyregexp.New(`cannot fetch cluster info from peer urls`)
	quotaFull   = lazyregexp.New(`database space exceeded|NOSPACE`)
	// What the API server says of it. With "tls: internal error" a server that stops, or has only begun, ends connections.
	etcdDialing = lazyregexp.New(`Addr: "([^"]+)".*(?:Error while dialing: |authentication handshake failed: )(.*?)"?$`)
	handshake   = lazyregexp.New(`authentication handshake failed: ((?:(?:tls|x509): |remote error: .*certificate).*?)"?$`)
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
		"etcd-refuses-api":    {Cause: etcdRefusesAPI},

		"external-etcd-unreachable": {Check: externalUnreachable, Cause: externalEtcd},
		"external-etcd-old": {Check: func(m *Machine) Findings {
			return forEach(m.External, func(e ExternalEtcd) Findings {
				return warnIf(machine.Older(e.Version, 3, 5), "etcd at %s is %s: the API server wants 3.5 or later", e.URL, e.Version)
			})
		}},
	}
}

// etcdLogged: etcd has ended, and says why.
func etcdLogged(pattern lazyregexp.Regexp, what string) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		line, match := e.logged("etcd", pattern)
		level := e.certainty("etcd", logs(pattern))
		return findingIf(match != nil, level, "etcd can't use its data in %s: %s", e.Settings.EtcdDataDir, what).
			see(e.logCommand("etcd")).proof(line)
	}
}

func etcdDataGone(m *Machine) Findings {
	const gone = "%s holds no data of etcd, and has held this cluster's"
	if m.Unfit.EtcdMount == "" {
		return errorIf(m.Unfit.EtcdGone != "", gone, m.Unfit.EtcdGone)
	}
	return finding(Error, gone+", on the disk that was mounted at %s", m.Unfit.EtcdGone, m.Unfit.EtcdMount).
		remedy("mount it there again, then run init again; or mount another there, and restore a snapshot: bootstrap etcd restore FILE")
}

// etcdGone is certain unless etcd is healthy: it may have the data that something was mounted over since,
// until it is started again.
func etcdGone(e *Evidence) Findings {
	found := etcdDataGone(&e.Machine)
	if found == nil {
		return etcdLogged(beginsAgain, "it is gone")(e)
	}
	found[0].Level = certainIf(e.Etcd.Status != 200)
	return found.see("findmnt " + e.Settings.EtcdDataDir)
}

func etcdNoPermission(e *Evidence) Findings {
	dir := e.Settings.EtcdDataDir
	return etcdLogged(noAccess, "it may not")(e).remedy("chown -R root:root %s; chmod 700 %[1]s", dir).see("ls -lna " + dir)
}

func etcdQuota(e *Evidence) Findings {
	// Tries before too: the API server ends by it, and the next one has not written yet.
	for _, c := range slices.Concat(e.tries("etcd"), e.tries("kube-apiserver")) {
		if line, match := lastMatch(logSince(c, e.Now.Add(-stale)), quotaFull); match != nil {
			return finding(Warning, "etcd refuses writes: its database has reached its quota").see(e.logCommand("etcd")).proof(line)
		}
	}
	return nil
}

// etcdNoQuorum goes by etcd's own answer while it runs, as its log may be of before. It
// is certain where others were asked: every member that starts alone elects itself.
func etcdNoQuorum(e *Evidence) Findings {
	c := e.container("etcd")
	if !c.Running || e.Now.Sub(c.Started) < steady || e.Etcd.Dial != Open || e.Etcd.Status == 200 {
		return nil
	}
	log := sinceElected(lastLines(texts(c.Log), 20))
	if line, match := lastMatch(log, peerAsked); match != nil {
		return finding(Error, "etcd runs but has no leader: members that its data names do not answer").see(e.logCommand("etcd")).proof(line)
	}
	if line, match := lastMatch(log, noLeader); match != nil {
		return finding(Warning, "etcd runs but has no leader yet").see(e.logCommand("etcd")).proof(line)
	}
	return nil
}

// sinceElected is what was logged after the last leader was found.
func sinceElected(log []string) []string {
	for i, line := range slices.Backward(log) {
		if elected().MatchString(line) {
			return log[i+1:]
		}
	}
	return log
}

func etcdSlowDisk(e *Evidence) Findings {
	c := e.container("etcd")
	if !c.Running {
		return nil
	}
	slow := slices.DeleteFunc(logSince(c, e.Now.Add(-time.Minute)), func(line string) bool { return !saysSlow().MatchString(line) })
	// Any disk is slow once, as while images are imported.
	return warnIf(len(slow) > 1, "the disk of %s is slow: etcd waits for it", e.Settings.EtcdDataDir).see(e.logCommand("etcd")).proof(lastLines(slow, 2)...)
}

func externalUnreachable(m *Machine) Findings {
	mayAnswer := func(e ExternalEtcd) bool { return e.Error == "" || e.Slow }
	level := certainIf(!slices.ContainsFunc(m.External, mayAnswer))
	return forEach(m.External, func(e ExternalEtcd) Findings {
		return findingIf(e.Error != "", level, "etcd at %s: %s", e.URL, e.Error)
	})
}

func externalEtcd(e *Evidence) Findings {
	line, match := lastMatch(texts(e.container("kube-apiserver").Log), etcdDialing)
	if match == nil || len(e.Settings.ExternalEtcd) == 0 || e.API.Status != 0 {
		return nil
	}
	level := certainIf(e.ended("kube-apiserver") != nil) // it has waited for 20 s
	return finding(level, "etcd at %s does not answer kube-apiserver: %s", match[1], match[2]).see(e.logCommand("kube-apiserver")).proof(line)
}

// etcdRefusesAPI goes by what the API server says of it.
func etcdRefusesAPI(e *Evidence) Findings {
	line, match := lastMatch(texts(e.container("kube-apiserver").Log), handshake)
	return warnIf(match != nil && e.API.Status != 200, "etcd and kube-apiserver refuse each other's certificates").see(e.logCommand("etcd")).proof(line)
}
