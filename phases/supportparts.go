package phases

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

// printed is what a program is asked for, and the file that keeps it.
type printed struct {
	file    string
	program string
	args    []string
}

var machinePrograms = []printed{
	{"addresses.txt", "ip", []string{"-d", "address"}},
	{"routes.txt", "ip", []string{"route", "show", "table", "all"}},
	{"routes6.txt", "ip", []string{"-6", "route", "show", "table", "all"}},
	{"rules.txt", "ip", []string{"rule"}},
	{"sockets.txt", "ss", []string{"-anptu"}},
	{"disks.txt", "df", []string{"-hT"}},
	{"inodes.txt", "df", []string{"-iT"}},
	{"blockdevices.txt", "lsblk", []string{"-f"}},
	{"processes.txt", "ps", []string{"-eo", "pid,ppid,user,stat,rss,etimes,comm"}}, // no arguments: they may hold secrets
	{"nftables.txt", "nft", []string{"list", "ruleset"}},
	{"iptables.txt", "iptables-save", nil},
}

var machineFiles = []string{
	"/etc/os-release", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", machine.ResolvedConfPath,
	"/proc/version", "/proc/cmdline", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/uptime", "/proc/swaps",
	"/proc/modules", "/proc/filesystems", "/proc/cgroups", "/proc/1/mountinfo",
	"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
	"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/fs/inotify/max_user_instances",
}

func (e *Env) supportMachine(ctx context.Context, g *gathered) {
	for _, file := range machineFiles {
		e.supportTail(g, file)
	}
	g.addJSON("facts.json", e.Facts)
	e.supportPrinted(ctx, g, machinePrograms)
}

func (e *Env) supportVersions(ctx context.Context, g *gathered, version string) {
	g.add("bootstrap.txt", []byte(version+"\n"), false)
	e.supportPrinted(ctx, g, []printed{
		{"kubelet.txt", "kubelet", []string{"--version"}},
		{"containerd.txt", "containerd", []string{"--version"}},
		{"runc.txt", "runc", []string{"--version"}},
		{"systemd.txt", "systemctl", []string{"--version"}},
	})
	if e.Bundle != nil {
		g.add("bundle.txt", []byte(e.Bundle.Index().Kubernetes+" in "+e.Bundle.Path()+"\n"), false)
	}
}

func (e *Env) supportUnits(ctx context.Context, g *gathered) {
	e.supportPrinted(ctx, g, []printed{
		{"failed.txt", "systemctl", []string{"--no-pager", "--failed"}},
		{"all.txt", "systemctl", []string{"--no-pager", "list-units", "--all"}},
		{"kubelet.txt", "systemctl", []string{"--no-pager", "show", kubeletService}},
		{"containerd.txt", "systemctl", []string{"--no-pager", "show", "containerd.service"}},
	})
}

func (e *Env) supportJournal(ctx context.Context, g *gathered) {
	lines := []string{"--no-pager", "--quiet", "--output=short-iso-precise", "--lines=5000"}
	e.supportPrinted(ctx, g, []printed{
		{"kubelet.log", "journalctl", append(slices.Clone(lines), "-u", kubeletService)},
		{"containerd.log", "journalctl", append(slices.Clone(lines), "-u", "containerd.service")},
		{"kernel.log", "journalctl", append(slices.Clone(lines), "-k")},
	})
}

// supportPrinted runs programs, where this is the running machine and has them.
func (e *Env) supportPrinted(ctx context.Context, g *gathered, all []printed) {
	if !e.Host.Real() {
		return
	}
	for _, p := range all {
		path := e.anyProgram(p.program)
		if path == "" {
			g.miss(p.file, errors.New("no "+p.program+" here"))
			continue
		}
		text, err := e.Host.Output(ctx, path, p.args...)
		if err != nil {
			g.miss(p.file, err)
			continue
		}
		data, cut := tailOf([]byte(text), maxSupportText)
		g.add(p.file, data, cut)
	}
}

// anyProgram is where a program lies, whoever installed it.
func (e *Env) anyProgram(name string) string {
	for _, dir := range programDirs {
		if info, err := os.Stat(e.Host.Path(dir + "/" + name)); err == nil && info.Mode().IsRegular() {
			return dir + "/" + name
		}
	}
	return ""
}

func tailOf(data []byte, size int) (tail []byte, cut bool) {
	if len(data) <= size {
		return data, false
	}
	return host.WholeLines(data[len(data)-size:]), true
}

func (e *Env) supportTail(g *gathered, path string) {
	data, cut, err := e.Host.Tail(path, maxSupportFile)
	if err != nil {
		g.miss(path, err)
		return
	}
	g.add(path, data, cut)
}

// supportPatterns are the files that say how this node is set up.
var supportPatterns = []string{
	staticPodDir + "/*", kubeletConfig, instanceConfig, kubeletDir + "/kubeadm-flags.env", "/etc/default/kubelet",
	kubeletUnitFile, containerdUnit, "/usr/lib/systemd/system/kubelet.service", "/usr/lib/systemd/system/containerd.service",
	"/etc/systemd/system/kubelet.service.d/*", "/etc/systemd/system/containerd.service.d/*",
	containerdConfig, "/etc/containerd/conf.d/*", "/etc/containerd/certs.d/*/hosts.toml", cniConfigDir + "/*",
	"/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/modules-load.d/*",
}

// supportFiles takes these, and whatever else bootstrap wrote that is short text.
func (e *Env) supportFiles(ctx context.Context, g *gathered) {
	for _, path := range e.setUpFiles() {
		if ctx.Err() != nil {
			g.miss(path, ctx.Err())
			return
		}
		data, cut, err := e.Host.Tail(path, maxSupportFile)
		switch {
		case err != nil:
			g.miss(path, err)
		case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
			g.miss(path, errors.New("no text"))
		case !holdsKey(path, data):
			g.add(path, data, cut)
		}
	}
}

func (e *Env) setUpFiles() []string {
	paths := e.globs(supportPatterns)
	for _, r := range e.Host.Entries() {
		program := r.After.Mode&0o111 != 0
		if r.Op == host.OpFile && !r.Undone && !program && !strings.HasPrefix(r.Target, "/opt/") {
			paths = append(paths, r.Target)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// globs are the files of the machine that match.
func (e *Env) globs(patterns []string) []string {
	var all []string
	root := strings.TrimSuffix(e.Host.Path("/"), "/")
	for _, pattern := range patterns {
		found, _ := filepath.Glob(root + pattern) // the patterns are good
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				continue
			}
			all = append(all, strings.TrimPrefix(path, root))
		}
	}
	return all
}

// holdsKey tells whether a file has no place in an archive at all: keys, certificates
// and kubeconfigs. What matters of the latter two is in certificates/.
func holdsKey(path string, data []byte) bool {
	switch filepath.Ext(path) {
	case ".key", ".pem", ".crt", ".pub", ".p12", ".jks":
		return true
	}
	return bytes.Contains(data, []byte("PRIVATE KEY")) || bytes.Contains(data, []byte("kind: Config\n")) ||
		bytes.Contains(data, []byte("client-key-data"))
}

func (e *Env) supportRuntime(ctx context.Context, g *gathered) {
	pods, err := Pods(ctx, e, PodQuery{All: true})
	if err != nil {
		g.unread = append(g.unread, "pods: "+err.Error())
		return
	}
	g.addJSON("pods.json", pods)
	socket, err := e.podSocket("")
	if err != nil {
		g.miss("images", err)
		return
	}
	c, err := runtime.Dial("unix://" + socket)
	if err != nil {
		g.miss("images", err)
		return
	}
	defer c.Close()
	images, err := c.StoredImages(ctx)
	if err != nil {
		g.miss("images", err)
		return
	}
	g.addJSON("images.json", images)
}

func (e *Env) supportLedger(_ context.Context, g *gathered) {
	g.addJSON("records.json", e.Host.Entries())
	if r, open := e.Host.Unfinished(); open {
		g.addJSON("unfinished.json", r)
	}
}

func (e *Env) supportConfig(g *gathered, r SupportRequest) {
	if _, ok := givenSecrets(r.Config); ok {
		g.add("given.yaml", r.Config, false)
	} else if r.Config != nil {
		g.unread = append(g.unread, "given.yaml is left out: what is secret in it can't be told, as it is no YAML")
	}
	if r.NoConfig != nil {
		g.unread = append(g.unread, "config: "+r.NoConfig.Error())
	}
	if settled, err := e.settledBefore(); err != nil {
		g.miss("settled", err)
	} else if settled != nil {
		g.addJSON("settled.json", settled)
	}
	if e.Config == nil {
		return
	}
	if data, err := e.Config.ClusterConfiguration(); err == nil {
		g.add("cluster.yaml", data, false)
	}
	if data, err := e.Config.BoxConfiguration(); err == nil {
		g.add("box.yaml", data, false)
	}
}

// supportSince is how far back the evidence looks at what units wrote.
const supportSince = time.Hour

func (e *Env) supportDiagnosis(ctx context.Context, g *gathered, noConfig error) {
	e.supportStatus(ctx, g)
	if e.Config == nil {
		g.unread = append(g.unread, "evidence: there is no config to judge by: "+noConfig.Error())
		return
	}
	evidence := e.evidence(ctx, Query{Stage: Written, Since: e.Began.Add(-supportSince)})
	g.addJSON("evidence.json", evidence)
	g.addJSON("causes.json", e.Catalogue.Causes(evidence))
	if !e.made(manifestFile("kube-apiserver")) { // after that a control plane's own traces are all it would find
		g.addJSON("preflight.json", e.Catalogue.Preflight(&evidence.Machine))
	}
}

// supportStatus adds what `bootstrap status -o json` prints.
func (e *Env) supportStatus(ctx context.Context, g *gathered) {
	status, err := CurrentStatus(ctx, e, time.Time{})
	if err != nil {
		g.miss("status.json", err)
		return
	}
	g.addJSON("status.json", status)
}

// supportLogs takes what containers of kube-system wrote, also before the kubelet began
// a new file.
func (e *Env) supportLogs(ctx context.Context, g *gathered) {
	for _, path := range e.globs([]string{podLogDir + "/kube-system_*/*/*.log", podLogDir + "/kube-system_*/*/*.log.*"}) {
		if ctx.Err() != nil {
			g.miss(path, ctx.Err())
			return
		}
		name := strings.TrimPrefix(path, podLogDir)
		if strings.HasSuffix(path, ".gz") {
			e.supportZipped(g, name, path)
			continue
		}
		data, cut, err := e.Host.Tail(path, maxSupportFile)
		if err != nil {
			g.miss(path, err)
			continue
		}
		g.add(name, data, cut)
	}
}

// maxZipped is how much of a log is unpacked; the kubelet begins a new one at 10 MiB.
const maxZipped = 32 << 20

func (e *Env) supportZipped(g *gathered, name, path string) {
	packed, err := e.Host.ReadFile(path)
	if err != nil {
		g.miss(path, err)
		return
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		g.miss(path, err)
		return
	}
	data, err := io.ReadAll(io.LimitReader(r, maxZipped))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		g.miss(path, err)
		return
	}
	tail, cut := tailOf(data, maxSupportFile)
	g.add(strings.TrimSuffix(name, ".gz"), tail, cut)
}
